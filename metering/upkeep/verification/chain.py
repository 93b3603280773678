"""The chain: commits follow from each other, and lead to the head and the checkpoint."""

from ledger.ancestry.ancestors import Lineage
from ledger.entries import Commit, Head
from ledger.facts.instants import LogTime
from ledger.reading import corrections_of
from metering.explaining.proof.checkpoints import Checkpoint


class Chain:
    """Follows the commits of a log. They come checked against their own digests.

    Args:
        lineage: of the log, as it is stored.
        stored: the head of the log, as it is stored.
        time: how the log's time was corrected up to it, as it is stored.
        checkpoint: which the log must lead to; None is none.
    """

    def __init__(
        self,
        lineage: Lineage,
        stored: Head,
        time: LogTime,
        checkpoint: Checkpoint | None,
    ) -> None:
        self.head = lineage.genesis()
        self._lineage = lineage
        self.commits = 0
        self.entries = 0
        self._stored = stored
        self._stored_time = time
        self._time = LogTime()
        self._went_back: list[int] = []
        self._checkpoint = checkpoint
        self._digest_there: str | None = None
        self._leads_to_head = stored.position > 0 or self.head.has_entries_of(stored)

    def take_in(self, commit: Commit, head: Head) -> None:
        """Take in the next commit, and the head that it makes."""
        self._take_time_in(commit)
        self.head = head
        self.commits += 1
        self.entries += commit.entry_count
        if self._checkpoint is not None and self._checkpoint.position == head.position:
            self._digest_there = head.digest.hex()
        if head.position == self._stored.position:
            self._leads_to_head = head.has_entries_of(self._stored)

    def problems(self) -> list[str]:
        """Return how the log differs from its head and from the checkpoint."""
        problems = self._problems_of_checkpoint()
        if not self._leads_to_head:
            problems.append("The head of the log is not where its commits lead")
        problems += [
            f"The entry at position {position} is recorded before the one it follows"
            for position in self._went_back
        ]
        if self._time != self._stored_time:
            problems.append(
                "The table log_correction is not what the log says of its time; run"
                " `metering rebuild`"
            )
        return problems

    def _take_time_in(self, commit: Commit) -> None:
        corrections = corrections_of(commit)
        if commit.recorded_at < self.head.recorded_at and not corrections:
            self._went_back.append(commit.first_position)
        if commit.first_position <= self._stored.position:
            for correction in corrections:
                self._time = self._time.corrected(correction)

    def _problems_of_checkpoint(self) -> list[str]:
        saved = self._checkpoint
        if saved is None:
            return []
        # One of its origin proves what a branch has of it.
        if saved.epoch not in {
            self._stored.epoch,
            self._lineage.epoch_at(saved.position),
        }:
            return [f"The checkpoint is of another log, with the epoch {saved.epoch}"]
        end = self.head.position
        if saved.position > end:
            problem = (
                f"The log ends at position {end}, but went on to {saved.position} when"
                " the checkpoint was saved: it was truncated, or restored from an older"
                " backup"
            )
        elif saved.position and self._digest_there != saved.digest:
            problem = (
                f"The log up to position {saved.position} is not what it was when the"
                " checkpoint was saved: it was rewritten"
            )
        else:
            return []
        return [problem]


def problems_beyond(head: Head, count: int) -> list[str]:
    """Report commits that begin after the head of the same snapshot."""
    if not count:
        return []
    rows = f"{count} rows of the table log_commit lie"
    return [f"{rows} beyond the head at position {head.position}; delete them"]
