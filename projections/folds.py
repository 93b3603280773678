"""The folds of all facts, as the log calls them.

They run inside the append's database transaction, so the tables always equal what the
log adds up to.
"""

from collections.abc import Iterator, Sequence
from itertools import islice, repeat

from sqlalchemy import Connection

from ledger.entries import Commit
from ledger.facts.union import Fact
from projections.alerts.fold import ALERTS
from projections.alerts.queries import AlertQueries
from projections.alerts.tables import CHECKPOINTS
from projections.credits.fold import CREDITS
from projections.meters.tables import METERS
from projections.schema import RecordedFact, are_current, clear, clear_tables
from projections.webhooks.tables import CHANGES, ENDPOINTS, LAPSES

_RESOURCES = (
    METERS,
    CREDITS,
    ALERTS,
    ENDPOINTS,
    CHANGES,
    LAPSES,
)
_FACTS_AT_A_TIME = 20_000


class FactTables:
    """The tables of every resource."""

    def is_current(self, connection: Connection) -> bool:
        """Whether the tables exist and were made by these folds."""
        return are_current(connection, _RESOURCES)

    def rebuild(
        self,
        connection: Connection,
        facts: Iterator[tuple[int, int, Fact]],
        *,
        is_repair: bool,
    ) -> None:
        """Make the tables anew from all facts of the log; see `ledger.folds`."""
        clear(connection, _RESOURCES, is_repair=is_repair)
        if is_repair:
            # The first alerts set them again, and evaluation begins there. It leaves out
            # what is recorded, so nothing triggers twice.
            clear_tables(connection, CHECKPOINTS)
        while portion := list(islice(facts, _FACTS_AT_A_TIME)):
            self.fold_facts(connection, portion)

    def fold(self, connection: Connection, commit: Commit) -> None:
        """Fold a commit of facts."""
        assert isinstance(commit.content, tuple), "usage folds into no table"
        facts = zip(
            range(commit.first_position, commit.last_position + 1),
            repeat(commit.recorded_at, commit.entry_count),
            commit.content,
            strict=True,
        )
        self.fold_facts(connection, list(facts))

    def fold_facts(self, connection: Connection, facts: Sequence[RecordedFact]) -> None:
        """Fold the next facts, of one commit or of several."""
        kinds = {type(fact) for _, _, fact in facts}
        for each in _RESOURCES:
            about = kinds.intersection(each.kinds)
            if about == kinds:
                each.fold(connection, facts)
            elif about:
                each.fold(
                    connection, [fact for fact in facts if type(fact[2]) in about]
                )

    def sealable_position(self, connection: Connection) -> int | None:
        """Return the position up to which usage may be sealed; None is any.

        Usage before the checkpoint of alerts is what evaluation goes on from, and is
        known from runs, which end where segments do.
        """
        return AlertQueries(connection).checkpoint()
