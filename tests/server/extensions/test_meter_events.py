"""The events behind a number are listed page by page, and as the library has them."""

from typing import Any
from urllib.parse import urlencode

import pytest
import stripe

from tests.server.running import Answered, Server
from tests.server.shapes import V2_METER_EVENT, differences, list_of
from tests.server.usage import create_event, create_meter, now, unique

EVENTS = "/metering/v1/meter_events"
SHAPE = list_of(
    {
        **V2_METER_EVENT,
        "object": "metering.meter_event",
        "cancelled": bool,
        "position": int,
    }
)


def page(server: Server, **query: object) -> Answered:
    return server.ask("GET", f"{EVENTS}?{urlencode(query)}")


@pytest.fixture
def meter(server: Server, client: stripe.StripeClient) -> stripe.billing.Meter:
    """A meter with eight events of two customers; four are sealed, one is cancelled."""
    meter = create_meter(client)
    for number in range(8):
        if number == 4:
            with server.store() as store:
                store.seal()
        create_event(
            client,
            meter,
            str(number),
            f"cus_{number % 2}",
            identifier=unique(f"id-{number}"),
            timestamp=now() - 100 * number,
        )
    return meter


def test_pages_hold_every_event_once_and_in_order(
    server: Server, meter: stripe.billing.Meter
) -> None:
    found: list[Any] = []
    after, sizes = 0, []
    while True:
        answered = page(
            server, event_name=meter.event_name, limit=3, starting_after=after
        )
        assert differences(answered.json, SHAPE) == []
        found += answered.json["data"]
        sizes.append(len(answered.json["data"]))
        after = found[-1]["position"]
        if not answered.json["has_more"]:
            break

    assert sizes == [3, 3, 2]
    assert [each["payload"]["value"] for each in found] == [str(n) for n in range(8)]
    assert int(answered.headers["metering-position"]) >= after
    with server.store() as store:
        events = list(store.meter_events.list(event_name=meter.event_name))
    assert [(each["position"], each["identifier"]) for each in found] == [
        (each.position, each.identifier) for each in events
    ]


def test_a_page_that_ends_with_the_last_event_says_so(
    server: Server, meter: stripe.billing.Meter
) -> None:
    whole = page(server, event_name=meter.event_name, limit=8).json

    assert (len(whole["data"]), whole["has_more"]) == (8, False)
    last = whole["data"][-1]["position"]
    beyond = page(server, event_name=meter.event_name, starting_after=last).json
    assert (beyond["data"], beyond["has_more"]) == ([], False)


def test_events_are_listed_by_customer_and_time(
    server: Server, meter: stripe.billing.Meter
) -> None:
    of_one = page(server, event_name=meter.event_name, customer="cus_1").json
    whole = page(server, event_name=meter.event_name).json["data"]
    bounds = {"start_time": whole[6]["timestamp"], "end_time": whole[2]["timestamp"]}
    between = page(server, event_name=meter.event_name, **bounds).json

    assert [each["payload"]["value"] for each in of_one["data"]] == list("1357")
    assert [each["payload"]["value"] for each in between["data"]] == list("3456")


def test_a_cancelled_event_is_listed_and_marked(
    server: Server, client: stripe.StripeClient, meter: stripe.billing.Meter
) -> None:
    before = page(server, event_name=meter.event_name).json["data"]
    for index in (1, 6):
        client.v1.billing.meter_event_adjustments.create(
            {
                "event_name": meter.event_name,
                "type": "cancel",
                "cancel": {"identifier": before[index]["identifier"]},
            }
        )

    after = page(server, event_name=meter.event_name).json["data"]

    assert [each["cancelled"] for each in before] == [False] * 8
    assert [n for n, each in enumerate(after) if each["cancelled"]] == [1, 6]


def test_times_have_all_their_digits(
    server: Server, client: stripe.StripeClient
) -> None:
    meter = create_meter(client)
    with server.store() as store:
        event = store.meter_events.create(
            event_name=meter.event_name,
            payload={"stripe_customer_id": "cus_1", "value": "0.000000000001"},
            timestamp=f"{store.meters.retrieve(meter.id).created:%Y-%m-%dT%H:%M:%S}.000001Z",
        )

    [found] = page(server, event_name=meter.event_name).json["data"]

    assert found["timestamp"] == f"{event.timestamp:%Y-%m-%dT%H:%M:%S}.000001Z"
    assert found["payload"]["value"] == "0.000000000001"


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"starting_after": -1}, "starting_after"),
        ({"starting_after": "abc"}, "starting_after"),
        ({"starting_after": 10**18}, "starting_after"),
        ({"ending_before": 1}, "ending_before"),
        ({"start_time": "yesterday"}, "start_time"),
        ({"end_time": "2026-01-31"}, "end_time"),
        ({"end_time": "2026-01-31T00:00:00.1234567Z"}, "end_time"),
        ({"customer": ""}, "customer"),
        ({"event_name": "e" * 101}, "event_name"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_page_is_named(
    server: Server, query: dict[str, object], param: str
) -> None:
    refused = page(server, **query)

    assert refused.status == 400
    assert refused.error["param"] == param
