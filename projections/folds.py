"""The folds of all facts, as the log calls them.

They run inside the append's database transaction, so the tables always equal what the
log adds up to. A resource is loaded where the first fact about it is folded.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table

from ledger.entries import Commit
from ledger.facts.credits.settlements import SettledInvoices
from ledger.facts.instants import LogTime
from ledger.facts.union import FACTS, RecordedFacts
from projections.resources import RESOURCES
from projections.schema import (
    FoldOfFacts,
    RecordedFact,
    are_current,
    clear,
    clear_tables,
    metadata,
)

_FACTS_AT_A_TIME = 20_000
_Kinds = frozenset[type[Any]]
# No correction of the time follows what is just being recorded.
_AS_WRITTEN = LogTime()


def folded_tables() -> tuple[Table, ...]:
    """Return the tables that facts fold into, and that of the folds' versions."""
    for each in RESOURCES:
        each.load()
    from projections.alerts.tables import CHECKPOINTS

    return tuple(each for each in metadata.sorted_tables if each not in CHECKPOINTS)


class FactTables:
    """The tables of every resource."""

    def is_current(self, connection: Connection) -> bool:
        """Whether the tables exist and were made by these folds."""
        return are_current(connection, RESOURCES)

    def rebuild(
        self,
        connection: Connection,
        facts: Iterator[RecordedFacts],
        *,
        is_repair: bool,
    ) -> None:
        """Make the tables anew from all facts of the log; see `ledger.folds`."""
        clear(connection, RESOURCES, is_repair=is_repair)
        if is_repair:
            from projections.alerts.tables import CHECKPOINTS

            # The first alerts set them again, and evaluation begins there. It leaves out
            # what is recorded, so nothing triggers twice.
            clear_tables(connection, CHECKPOINTS)
        for portion in _portions(facts):
            self.fold_facts(connection, portion)

    def fold(self, connection: Connection, commit: Commit) -> None:
        """Fold a commit of facts."""
        content, first = commit.content, commit.first_position
        assert isinstance(content, FACTS), "usage folds into no table"
        recorded: list[RecordedFacts] = (
            [(first, commit.recorded_at, content)]
            if isinstance(content, SettledInvoices)
            else [*_AS_WRITTEN.of_facts(first, commit.recorded_at, content)]
        )
        self.fold_facts(connection, recorded)

    def fold_facts(
        self, connection: Connection, facts: Sequence[RecordedFacts]
    ) -> None:
        """Fold the next facts, of one commit or of several."""
        single: list[RecordedFact] = []
        for position, recorded_at, fact in facts:
            if isinstance(fact, SettledInvoices):
                from projections.credits.settled import fold_settled

                self._fold_single(connection, single)
                single = []
                fold_settled(connection, position, recorded_at, fact)
            else:
                single.append((position, recorded_at, fact))
        self._fold_single(connection, single)

    def _fold_single(
        self, connection: Connection, facts: Sequence[RecordedFact]
    ) -> None:
        kinds = frozenset([type(fact) for _, _, fact in facts])
        for fold, about in _folds_of(kinds):
            if about == kinds:
                fold(connection, facts)
            else:
                fold(connection, [fact for fact in facts if type(fact[2]) in about])

    def sealable_position(self, connection: Connection) -> int | None:
        """Return the position up to which usage may be sealed; None is any.

        Usage before the checkpoint of alerts is what evaluation goes on from, and is
        known from runs, which end where segments do.
        """
        from projections.alerts.queries import AlertQueries

        return AlertQueries(connection).sealable_position()


@cache
def _folds_of(kinds: _Kinds) -> Sequence[tuple[FoldOfFacts, _Kinds]]:
    """Return what folds facts of some classes, each with those that are its own."""
    return [
        (each.load().fold, about)
        for each in RESOURCES
        if (about := kinds.intersection(each.kinds))
    ]


def _portions(facts: Iterator[RecordedFacts]) -> Iterator[list[RecordedFacts]]:
    """Put facts together to be folded, as many as are worth a statement."""
    portion: list[RecordedFacts] = []
    size = 0
    for recorded in facts:
        portion.append(recorded)
        fact = recorded[2]
        size += len(fact) if isinstance(fact, SettledInvoices) else 1
        if size >= _FACTS_AT_A_TIME:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion
