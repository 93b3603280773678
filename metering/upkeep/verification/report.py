"""What a verification reports, and the checkpoint that it leaves."""

from dataclasses import dataclass

from metering.explaining.proof.checkpoints import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What a verification found.

    Attributes:
        position: of the last entry that was checked.
        commits: how many commits were checked.
        entries: how many entries they hold.
        segments: how many files they lie in, the tail excepted.
        digest: the hash chain's end, in hexadecimal; kept outside the store, it proves
            later that nothing before it changed.
        epoch: identity of the log.
        problems: what is wrong, a sentence each; empty where nothing is.
    """

    position: int
    commits: int
    entries: int
    segments: int
    digest: str
    epoch: str
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint to keep elsewhere, and to verify against later."""
        return Checkpoint(epoch=self.epoch, position=self.position, digest=self.digest)
