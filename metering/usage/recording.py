"""Recording of events: one or many in one commit, each with an outcome of its own."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from ledger.appending.drafts import Outcome, Status
from ledger.records.idempotency import Request
from ledger.usage.columns import UsageRow, usage_rows
from ledger.usage.quantities import format_quantity
from ledger.usage.rows import FewEvents
from metering.arguments.clock import at_microseconds
from metering.arguments.times import Time
from metering.errors import IdentifierConflictError, MeterEventInvalidError
from metering.store.engine import CheckedEvents, Engine
from metering.usage.event_rules import Arrival, PayloadValue, check_each
from metering.usage.resources import MeterEvent
from metering.usage.stream_rules import StreamedEvent, check_stream
from projections.meters.catalog import Definitions


class NewMeterEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that is to be recorded; see `MeterEvents.create`.

    Attributes:
        request: on whose behalf; it is written down with the event, if that is new.
    """

    event_name: str
    payload: Mapping[str, PayloadValue]
    identifier: str | None
    timestamp: Time | None
    request: Request | None = None


Recorded = MeterEvent | MeterEventInvalidError | IdentifierConflictError
"""An event that was recorded, or why it was not."""


def record_events(
    engine: Engine, events: Sequence[NewMeterEvent]
) -> Sequence[Recorded]:
    """Record events, durably, in one commit.

    Returns:
        For each event what `MeterEvents.create` would return, or raise: one that
        is refused does not fail the others.

    Raises:
        StoreError: nothing was recorded; send them again.
    """
    now = engine.now()
    names = _identifiers(engine, events, now)

    def check(definitions: Definitions) -> CheckedEvents[MeterEventInvalidError]:
        arrival = Arrival(now=now, definitions=definitions, takes_any_past=False)
        rows, refusals = check_each(arrival, range(len(events)), events, names)
        return CheckedEvents(
            events=FewEvents(tuple(rows.values())),
            numbers=np.array(list(rows), np.int64),
            has_own_timestamp=np.array(
                [events[number].timestamp is not None for number in rows], np.bool_
            ),
            refusals=refusals,
            requests=[
                (row, request)
                for row, number in enumerate(rows)
                if (request := events[number].request) is not None
            ],
        )

    checked, outcome = engine.append(check)
    recorded: dict[int, Recorded] = dict(checked.refusals)
    if outcome is not None:
        recorded |= _recorded(engine, checked, outcome)
    return [recorded[number] for number in range(len(events))]


def accept_events(
    engine: Engine, events: Sequence[StreamedEvent]
) -> Mapping[int, MeterEventInvalidError]:
    """Record events durably, in one commit, and return only what was refused.

    An event whose identifier was recorded before is left out silently, whatever it
    holds.

    Args:
        engine: of the store.
        events: as a decoder made them, which checked the lengths of their strings.

    Returns:
        Why events were refused, by their number.

    Raises:
        StoreError: nothing was recorded; send them again.
    """
    now = engine.now()
    identifiers = _identifiers(engine, events, now)

    def check(definitions: Definitions) -> CheckedEvents[MeterEventInvalidError]:
        arrival = Arrival(now=now, definitions=definitions, takes_any_past=False)
        return check_stream(events, identifiers, arrival)

    checked, _ = engine.append(check)
    return checked.refusals


def event_resource(
    engine: Engine,
    row: UsageRow,
    position: int,
    recorded_at: int,
    *,
    is_cancelled: bool = False,
    is_repeat: bool = False,
) -> MeterEvent:
    """Return an event as callers get it, its customer and value in the payload."""
    meter = engine.known_definitions().by_event_name[row.event_name]
    payload = dict(row.payload)
    payload[meter.customer_payload_key] = row.customer
    if row.value is not None:
        payload[meter.value_payload_key] = format_quantity(row.value)
    return MeterEvent(
        created=at_microseconds(recorded_at),
        event_name=row.event_name,
        identifier=row.identifier,
        payload=payload,
        timestamp=at_microseconds(row.timestamp),
        livemode=engine.settings.livemode,
        position=position,
        duplicate=is_repeat,
        cancelled=is_cancelled,
    )


def _identifiers(
    engine: Engine, events: Sequence[NewMeterEvent | StreamedEvent], now: int
) -> Sequence[str]:
    """Return the identifiers of events, made up where one has none."""
    return [
        engine.ids.identifier(now) if each.identifier is None else each.identifier
        for each in events
    ]


def _recorded(
    engine: Engine, checked: CheckedEvents[MeterEventInvalidError], outcome: Outcome
) -> Mapping[int, Recorded]:
    """Return the events of an outcome as callers get them, by number."""
    assert isinstance(checked.events, FewEvents), "they were checked one by one"
    recorded: dict[int, Recorded] = {}
    statuses, positions = outcome.statuses.tolist(), outcome.positions.tolist()
    for at, (number, row) in enumerate(
        zip(checked.numbers.tolist(), checked.events.rows, strict=True)
    ):
        match statuses[at]:
            case Status.CONFLICT:
                recorded[number] = IdentifierConflictError(
                    row.identifier, outcome.conflicts[at], positions[at]
                )
            case Status.DUPLICATE:
                recorded[number] = _original(engine, positions[at])
            case _:
                recorded[number] = event_resource(
                    engine, row, positions[at], outcome.recorded_at
                )
    return recorded


def _original(engine: Engine, position: int) -> MeterEvent:
    events, recorded_at = engine.log.events_at(np.array([position]))
    (row,) = usage_rows(events)
    is_cancelled = engine.is_cancelled(position)
    return event_resource(
        engine,
        row,
        position,
        int(recorded_at[0]),
        is_cancelled=is_cancelled,
        is_repeat=True,
    )
