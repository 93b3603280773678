"""Listing events: their order, their filters, and that they come back as they went."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_usage import (
    NOW,
    PAYLOAD,
    cancel_event,
    columns,
    create_event,
    create_meter,
    identifiers,
)

MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def listed(store: metering.Metering) -> metering.Metering:
    """Five events of two names, two customers and three hours, one of them late."""
    create_meter(store)
    create_meter(store, "words", formula="count")
    for identifier, event_name, customer, hour in (
        ("a", "tokens", "cus_1", 10),
        ("b", "words", "cus_1", 11),
        ("c", "tokens", "cus_2", 11),
        ("late", "tokens", "cus_1", 9),
        ("d", "words", "cus_2", 12),
    ):
        create_event(
            store,
            event_name,
            payload={"stripe_customer_id": customer, "value": "1"},
            identifier=identifier,
            timestamp=datetime(2026, 3, 1, hour, tzinfo=UTC),
        )
    return store


def test_events_are_listed_in_the_order_of_the_log(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store, other = connect(clock=clock), connect(clock=clock)
    create_meter(store)
    create_event(store, identifier="first", timestamp=NOW)
    other.meter_events.ingest(
        [
            {"event_name": "tokens", "identifier": name, "timestamp": at, **PAYLOAD}
            for name, at in (("second", NOW - timedelta(days=2)), ("third", NOW))
        ]
    )
    create_event(store, identifier="fourth", timestamp=NOW - timedelta(days=30))

    for connection in (store, other):
        events = list(connection.meter_events.list())

        assert [event.position for event in events] == [2, 3, 4, 5]
        assert [event.identifier for event in events] == [
            "first",
            "second",
            "third",
            "fourth",
        ]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["a", "b", "c", "late", "d"]),
        ({"event_name": "tokens"}, ["a", "c", "late"]),
        ({"event_name": "nothing"}, []),
        ({"customer": "cus_2"}, ["c", "d"]),
        ({"customer": "nobody"}, []),
        ({"event_name": "words", "customer": "cus_1"}, ["b"]),
        ({"start_time": "2026-03-01T11:00:00Z"}, ["b", "c", "d"]),
        ({"end_time": "2026-03-01T11:00:00Z"}, ["a", "late"]),
        (
            {"start_time": "2026-03-01T10:00:00Z", "end_time": "2026-03-01T11:00:00Z"},
            ["a"],
        ),
        (
            {
                "event_name": "tokens",
                "customer": "cus_1",
                "start_time": 1772355600,
                "end_time": datetime(2026, 3, 1, 10, tzinfo=UTC) + MICROSECOND,
            },
            ["a", "late"],
        ),
        (
            {
                "start_time": datetime(2026, 3, 1, 11, tzinfo=UTC) + MICROSECOND,
                "end_time": datetime(2026, 3, 1, 12, tzinfo=UTC),
            },
            [],
        ),
        ({"start_time": NOW, "end_time": NOW}, []),
        ({"start_time": NOW, "end_time": NOW - timedelta(days=1)}, []),
    ],
)
def test_events_are_listed_by_name_customer_and_half_open_time(
    listed: metering.Metering, filters: dict[str, Any], found: list[str]
) -> None:
    events = listed.meter_events.list(**filters)

    assert [event.identifier for event in events] == found


@pytest.mark.parametrize("filters", [{}, {"customer": "cus_1"}, {"start_time": NOW}])
def test_events_are_listed_from_any_position_on(
    connect: Connect, clock: metering.FixedClock, filters: dict[str, Any]
) -> None:
    store = connect(clock=clock, seal_events=None)
    create_meter(store)
    for batch in range(4):
        rows = [
            {
                "event_name": "tokens",
                "identifier": f"{batch}-{number}",
                "timestamp": NOW - timedelta(days=number % 2),
                "stripe_customer_id": f"cus_{number % 3}",
                "value": "1",
            }
            for number in range(7)
        ]
        store.meter_events.ingest(rows)
        create_event(store, identifier=f"{batch}", timestamp=NOW)
        if batch < 2:
            store.seal()
    whole = [each.position for each in store.meter_events.list(**filters)]

    for after in range(store.position + 2):
        found = store.meter_events.list(**filters, starting_after=after)

        wanted = [position for position in whole if position > after]
        assert [each.position for each in found] == wanted


def test_times_to_list_by_may_be_in_any_zone(listed: metering.Metering) -> None:
    tokyo = timezone(timedelta(hours=9))

    events = listed.meter_events.list(start_time=datetime(2026, 3, 1, 21, tzinfo=tokyo))

    assert [event.identifier for event in events] == ["d"]


REFUSED: list[tuple[list[str], list[Any], str | None]] = [
    (["starting_after"], [-1, "1", 1.0, True], None),
    (
        ["start_time", "end_time"],
        ["soon", datetime(2026, 3, 1), 1.5],  # noqa: DTZ001  # Naive on purpose.
        "timestamp_invalid",
    ),
    (["event_name", "customer"], ["\ud800", 5, b"cus_1"], None),
]


@pytest.mark.parametrize(
    ("argument", "given", "code"),
    [(name, each, code) for names, given, code in REFUSED
     for name in names for each in given],
)  # fmt: skip
def test_listing_events_refuses_a_malformed_argument(
    listed: metering.Metering, argument: str, given: Any, code: str | None
) -> None:
    with refused(code, argument):
        list(listed.meter_events.list(**{argument: given}))


def test_cancelled_events_are_listed_and_marked(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store, other = connect(clock=clock), connect(clock=clock)
    create_meter(store)
    for name in "abc":
        create_event(store, identifier=name)

    cancel_event(other, "b")

    for connection in (store, other):
        marks = [
            (event.identifier, event.cancelled)
            for event in connection.meter_events.list()
        ]
        assert marks == [("a", False), ("b", True), ("c", False)]


def test_events_that_come_while_others_are_listed_are_left_to_the_next_list(
    listed: metering.Metering,
) -> None:
    events = listed.meter_events.list()
    first = next(events)

    create_event(listed, identifier="afterwards")
    cancel_event(listed, "c")
    rest = list(events)

    assert [event.identifier for event in (first, *rest)] == [
        "a",
        "b",
        "c",
        "late",
        "d",
    ]
    assert not any(event.cancelled for event in rest)
    assert identifiers(listed)[-1] == "afterwards"


@pytest.mark.dialect
def test_a_payload_comes_back_as_it_went(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    create_meter(store)
    texts = {
        "empty": "",
        "blank": "  \t\n",
        "quotes": 'o\'brien "x" \\',
        "statement": "'; DROP TABLE log_commit; --",
        "format": "%s {} $1 %(x)s",
        "taxi": "🚕" * 500,
        "é": "composed",
        "e\u0301": "decomposed",
        "null": "null",
        "right to left": "\u202eabc",
        "number": "1.50",
    }

    event = create_event(store, payload={**PAYLOAD, **texts}, identifier="x'; --")

    [listed] = store.meter_events.list()
    assert listed == event
    assert listed.payload == {**PAYLOAD, **texts}


def test_an_empty_store_lists_no_events(store: metering.Metering) -> None:
    assert list(store.meter_events.list()) == []


def test_events_of_an_inactive_meter_are_still_listed(
    listed: metering.Metering,
) -> None:
    [tokens] = [each for each in listed.meters.list() if each.event_name == "tokens"]
    listed.meters.deactivate(tokens.id)

    events = listed.meter_events.list(event_name="tokens")

    assert [event.identifier for event in events] == ["a", "c", "late"]


def test_small_commits_are_listed_as_they_were_recorded(connect: Connect) -> None:
    store = connect(clock=metering.FixedClock(NOW))
    create_meter(store)
    payloads = [
        {"stripe_customer_id": f"cus_{number % 3}", "value": "1"}
        for number in range(620)
    ]
    events = [
        create_event(store, payload=payload, identifier=f"event-{number}")
        for number, payload in enumerate(payloads[:560])
    ]
    store.meter_events.ingest(columns(40))
    events += [
        create_event(store, payload=payload, identifier=f"event-{number}")
        for number, payload in enumerate(payloads[560:], 560)
    ]
    # The first ones are kept as columns by now; a batch and the last ones are not.
    for each in (store, connect(clock=metering.FixedClock(NOW))):
        listed = list(each.meter_events.list())

        assert [event.position for event in listed] == list(range(2, 662))
        assert [event for event in listed if event.identifier.startswith("event-")] == (
            events
        )
        of_one = list(each.meter_events.list(customer="cus_2"))
        assert of_one == events[2::3]
