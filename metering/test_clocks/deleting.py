"""Deleting a test clock: its customers and their usage leave every answer.

Their usage is cancelled, so that no number counts it, in the commit in which the clock
is deleted: nobody sees one without the other. The log keeps all of it.
"""

from collections.abc import Iterator
from itertools import islice

from ledger.appending.writing import Writing
from ledger.facts.adjustments import MeterEventCancelled
from ledger.facts.test_clocks import TestClockDeleted
from metering.store.customer_time import clock_known
from metering.store.engine import Engine
from metering.usage.listing import EventQuery, recorded_events

EVENTS_AT_A_TIME = 20_000
"""How many events one commit cancels. Of more, the first are cancelled before."""

_EVER = 1 << 62


def delete_clock(engine: Engine, test_clock: object) -> None:
    """Delete a test clock; see `TestClocks.delete`."""
    is_deleted = False
    while not is_deleted:
        with engine.writing(needs_events=True) as writing:
            clock = clock_known(writing, test_clock, "id")
            customers = engine.clocked(writing, writing.head).of_clock(
                clock.test_clock_id
            )
            found = _uncancelled(engine, writing, customers)
            cancelled = [*islice(found, EVENTS_AT_A_TIME)]
            is_deleted = next(found, None) is None
            deleted = [TestClockDeleted(test_clock_id=clock.test_clock_id)]
            writing.record([*cancelled, *(deleted if is_deleted else ())])


def _uncancelled(
    engine: Engine, writing: Writing, customers: list[str]
) -> Iterator[MeterEventCancelled]:
    """Yield the cancellations of the events of customers that still count."""
    assert writing.commit is None, "all that was recorded before is taken in"
    view = engine.usage.view()
    for customer in customers:
        wanted = EventQuery(None, customer, 0, _EVER, 0)
        for row, position, _, is_cancelled in recorded_events(engine.log, view, wanted):
            if not is_cancelled:
                yield MeterEventCancelled(
                    event_position=position,
                    event_name=row.event_name,
                    identifier=row.identifier,
                    customer=row.customer,
                    timestamp=row.timestamp,
                    value=row.value,
                )
