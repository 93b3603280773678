"""What the log asks of its projections: the tables of facts, and usage."""

from collections.abc import Iterator
from typing import Protocol

from sqlalchemy import Connection

from ledger.entries import Commit, Passage
from ledger.facts.union import RecordedFacts
from ledger.segments.sealed import Sealed


class FactFold(Protocol):
    """Tables that facts fold into, inside the append's own database transaction."""

    def is_current(self, connection: Connection) -> bool:
        """Whether the tables exist and were made by this fold."""

    def rebuild(
        self,
        connection: Connection,
        facts: Iterator[RecordedFacts],
        *,
        is_repair: bool,
    ) -> None:
        """Make the tables anew from all facts of the log.

        Args:
            connection: holds the write lock.
            facts: each with its position and when it was recorded, in order.
            is_repair: whether nothing that is stored is trusted: neither the definition
                of a table, nor up to where alerts were evaluated.
        """

    def fold(self, connection: Connection, commit: Commit) -> None:
        """Fold a commit of facts."""

    def sealable_position(self, connection: Connection) -> int | None:
        """Return the position up to which usage may be sealed, None for no bound.

        It is the end of a commit, and goes back only in a repair.
        """


class UsageFold(Protocol):
    """Usage of the whole log: in memory for the tail, in runs for what is sealed.

    The log calls it with every commit, alone or in a passage, in order and once each since the last restart,
    and by one thread at a time.
    """

    @property
    def is_torn(self) -> bool:
        """Whether what was taken in must be forgotten, by a restart."""

    def make_runs(self, connection: Connection, sealed: Sealed) -> None:
        """Make the missing runs of the sealed part, so that a restart finds them."""

    def restart(self, connection: Connection, sealed: Sealed) -> None:
        """Forget the tail and begin after the last segment.

        Args:
            connection: sees the log, and the tables that its facts folded into.
            sealed: what lies before the tail now.
        """

    def take_in(self, commit: Commit) -> None:
        """Take in the next commit."""

    def take_in_passage(self, passage: Passage) -> None:
        """Take in the next commits together."""

    def clear_runs(self) -> None:
        """Remove all runs; the next restart makes them anew."""
