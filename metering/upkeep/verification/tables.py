"""Tables: every row that follows from the log is what the log leads to.

`metering rebuild` repairs whatever is named here.
"""

from collections.abc import Iterator, Mapping

from ledger.entries import Commit
from ledger.facts.instants import LogTime
from ledger.facts.union import FACTS, RecordedFacts
from ledger.reading import recorded_of
from ledger.records.problems import RowPlace, part_is_missing
from ledger.segments.sealed import Sealed
from metering.errors import shown
from projections.alerts.pending import PendingUsage
from projections.alerts.queries import AlertQueries
from projections.kernels.meters import MeterDefinition
from projections.refolding import Refolding, RowDifference, TableDifferences

_FACTS_AT_A_TIME = 20_000
_ROWS_NAMED = 10
CURE = "run `metering rebuild`"
"""What repairs a table that follows from the log."""


class Tables:
    """Folds the facts of the log anew, up to the position of a snapshot.

    Args:
        refolding: holds the rows of the snapshot.
        position: where the log ended in it.
        time: when entries count as recorded in it.
    """

    def __init__(self, refolding: Refolding, position: int, time: LogTime) -> None:
        self._refolding = refolding
        self._position = position
        self._time = time
        self._waiting: list[RecordedFacts] = []
        self._waiting_count = 0

    def take_in(self, commit: Commit) -> None:
        """Take in the next commit; those after the snapshot change nothing."""
        if (
            isinstance(commit.content, FACTS)
            and commit.first_position <= self._position
        ):
            self._waiting += recorded_of(commit, self._time)
            self._waiting_count += commit.entry_count
            if self._waiting_count >= _FACTS_AT_A_TIME:
                self._fold()

    def alerts(self) -> AlertQueries:
        """Return the alerts as the commits so far lead to them."""
        self._fold()
        return self._refolding.alerts()

    def meters(self) -> Mapping[str, MeterDefinition]:
        """Return the meters as the commits so far lead to them, by id."""
        self._fold()
        return self._refolding.meters()

    def restart(self, usage: PendingUsage, sealed: Sealed) -> None:
        """Let usage begin behind segments; see `Refolding.restart`."""
        self._fold()
        self._refolding.restart(usage, sealed)

    def problems(self) -> list[str]:
        """Return a sentence for each row that is not what the log leads to."""
        return [sentence for of_table in self.comparisons() for sentence in of_table]

    def comparisons(self) -> Iterator[list[str]]:
        """Yield the same sentences, one table after the other."""
        self._fold()
        for found in self._refolding.differences(_ROWS_NAMED):
            yield [*_sentences(found)]

    def _fold(self) -> None:
        if self._waiting:
            self._refolding.take_in(self._waiting)
            self._waiting, self._waiting_count = [], 0


def _sentences(found: TableDifferences) -> Iterator[str]:
    table = found.table
    for part in found.missing_parts:
        yield part_is_missing(table, part, CURE)
    for row in found.rows:
        yield from _sentences_of_row(RowPlace(table, row.key), row)
    more = found.row_count - len(found.rows)
    if more:
        yield f"{more} more rows of table {table} are not what the log says; {CURE}"


def _sentences_of_row(place: RowPlace, row: RowDifference) -> Iterator[str]:
    if row.is_extra:
        yield place.unfounded(CURE)
    elif row.is_missing:
        yield place.missing(CURE)
    for name, (stored, right) in row.columns.items():
        yield place.problem(differing(stored, right), CURE, name)


def differing(stored: object, right: object) -> str:
    """Say what is stored, and what the log says."""
    return f"{shown(stored)} is stored, the log says {shown(right)}"
