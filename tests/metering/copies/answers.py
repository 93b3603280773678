"""Own what must be equal of a store and of another that was made of its contents."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import metering
from tests.documentation.doors import library_methods
from tests.metering.methods.usual_arguments import Given, with_arguments
from tests.metering.usual_usage import PAYLOAD

CLOCK = metering.FixedClock(datetime(2026, 3, 1, tzinfo=UTC))
_READING = {
    *("balance", "check", "deliveries", "event_summaries", "history", "list"),
    *("list_members", "list_usage_record_summaries", "retrieve", "search", "usage"),
}


def record(m: metering.Metering, *identifiers: str) -> None:
    """Record events by identifiers, a commit each."""
    for identifier in identifiers:
        m.meter_events.create(
            event_name="tokens", identifier=identifier, payload=PAYLOAD
        )


def recorded(m: metering.Metering) -> list[str]:
    """The identifiers of all events, in the order of the log."""
    events = m.meter_events.list()
    return [each.identifier for each in events if "-" not in each.identifier]


def answers(m: metering.Metering, usual: Mapping[str, Given]) -> dict[str, str]:
    """What every method that reads answers, by its name, given the usual arguments."""
    found = {}
    for path in library_methods():
        if path.rpartition(".")[2] in _READING:
            method, given = with_arguments(m, path, usual)
            try:
                answer = method(**given)
                found[path] = repr(
                    [*answer] if isinstance(answer, Iterable) else answer
                )
            except metering.MeteringError as error:
                found[path] = error.message
    return found
