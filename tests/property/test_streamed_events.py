"""Events of the stream, checked together, come to what they come to one by one."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

import metering
from metering.usage.stream_rules import StreamedEvent
from tests.oracles.usage import OracleMeter, Row
from tests.property.answers import store_of
from tests.strategies import faulty_rows, meter_sets, rows

TIMES = ("%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%S.%f000+00:00")
TOKENS = OracleMeter(event_name="tokens", formula="sum")
TAKEN = {"stripe_customer_id": "cus_1", "value": "1"}


def streamed(row: Row, form: str) -> StreamedEvent | None:
    """What a decoder makes of a row; None where it refuses it, as the request then is."""
    fields: dict[str, Any] = {
        "event_name": row.event_name,
        "payload": {
            key: f"{value:f}" if isinstance(value, Decimal) else str(value)
            for key, value in row.payload.items()
        },
        "identifier": row.identifier,
        "timestamp": row.timestamp and row.timestamp.strftime(form),
    }
    try:
        return msgspec.convert(fields, StreamedEvent)
    except msgspec.ValidationError:
        return None


@st.composite
def streams(
    draw: st.DrawFn,
) -> tuple[tuple[OracleMeter, ...], list[StreamedEvent], int]:
    meters = draw(meter_sets())
    drawn = draw(st.lists(rows(meters) | faulty_rows(meters), max_size=12))
    form = draw(st.sampled_from(TIMES))
    events = [event for row in drawn if (event := streamed(row, form)) is not None]
    return meters, events, draw(st.integers(0, len(events)))


def event_of(**fields: Any) -> StreamedEvent:
    return StreamedEvent(**{"event_name": "tokens", "payload": TAKEN, **fields})


@given(stream=streams())
@example(stream=((TOKENS,), [event_of(identifier="\ud83d"), event_of()], 1))
@example(stream=((TOKENS,), [event_of(payload={**TAKEN, "k": "\0"}), event_of()], 2))
@example(
    stream=(
        (TOKENS,),
        [
            event_of(timestamp=f"2026-03-01T12:00:00{each}")
            for each in ("Z", ".0000001Z", "+99:00", ".000000000-00:30")
        ],
        2,
    )
)
@example(stream=((TOKENS,), [event_of(timestamp="2026-03-01T24:00:00Z")], 0))
@example(
    stream=(
        (TOKENS,),
        [
            event_of(payload={**TAKEN, "value": each})
            for each in ("1e2", "-0", "1.", "\u0661", "0" * 27, "1.0000000000000")
        ],
        3,
    )
)
@example(
    stream=(
        (TOKENS,),
        [event_of(event_name="nothing", payload={**TAKEN, "": "cus_1"}), event_of()],
        1,
    )
)
def test_a_stream_comes_to_what_its_events_come_to_one_by_one(
    stream: tuple[tuple[OracleMeter, ...], Sequence[StreamedEvent], int],
) -> None:
    """Which events are recorded, and why the others are not, does not depend on it."""
    meters, events, cut = stream

    with store_of(meters) as together, store_of(meters) as one_by_one:
        refused = [
            *refusals(together, events[:cut], 0),
            *refusals(together, events[cut:], cut),
        ]
        expected = [
            (number, error.code, error.message)
            for number, event in enumerate(events)
            if (error := refusal(one_by_one, event)) is not None
        ]

        assert refused == expected
        assert recorded(together) == recorded(one_by_one)
        assert together.verify().problems == ()


def refusals(
    m: metering.Metering, events: Sequence[StreamedEvent], first: int
) -> list[tuple[int, str | None, str]]:
    if not events:
        return []
    found = m.internals.accept_events(events)
    return [
        (first + number, found[number].code, found[number].message)
        for number in sorted(found)
    ]


def refusal(
    m: metering.Metering, event: StreamedEvent
) -> metering.MeteringError | None:
    try:
        m.meter_events.create(
            event_name=event.event_name,
            payload=event.payload,
            identifier=event.identifier,
            timestamp=event.timestamp,
        )
    except metering.IdentifierConflictError:
        return None
    except metering.MeteringError as error:
        return error
    return None


def recorded(m: metering.Metering) -> list[tuple[object, ...]]:
    """All events, but for the identifiers that were made up."""
    return [
        (
            event.event_name,
            None if len(event.identifier) == 36 else event.identifier,
            event.timestamp,
            sorted(event.payload.items()),
            event.position,
        )
        for event in m.meter_events.list()
    ]
