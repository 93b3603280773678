"""Checkpoints: how far a log went, and the digest of all that it held."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A position with its digest, kept elsewhere to prove later that nothing changed.

    Attributes:
        epoch: identity of the log.
        position: the last entry of a commit.
        digest: the hash chain there, in hexadecimal.
    """

    epoch: str
    position: int
    digest: str
