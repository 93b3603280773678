"""Test clocks as they were at a position of the log."""

from ledger.database.rows import missing_row
from ledger.facts.test_clocks import TestClockCreated, TestClockFact
from projections.kernels.test_clocks import (
    ClockDefinition,
    clock_changed,
    clock_created,
)
from projections.test_clocks.queries import ClockQueries
from projections.test_clocks.tables import test_clock
from projections.webhooks.past import Past


def clock_at(past: Past, test_clock_id: str, at: int) -> ClockDefinition:
    """Return a clock as it was after the entry at a position that changed its status."""
    found = ClockQueries(past.connection).clock(test_clock_id)
    if found is None:
        raise missing_row(test_clock, test_clock_id)
    for position, recorded_at, fact in past.facts_about(
        test_clock_id, found.position, at
    ):
        if isinstance(fact, TestClockCreated):
            found = clock_created(fact, position, recorded_at)
        elif isinstance(fact, TestClockFact):
            found = clock_changed(found, fact)
    return found
