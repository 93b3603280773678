"""CloudEvents as usage: what their attributes mean, and which are refused."""

import json
from datetime import UTC, datetime, timedelta

import pytest

import metering
from tests.server.bulk import (
    CLOUD_EVENT,
    CLOUD_EVENTS,
    cloud_event,
    new_event_name,
    numbers_of,
    recorded,
    send,
)
from tests.server.running import Server

SOURCE = "https://example.com/orders"


def test_a_cloud_event_is_a_meter_event(server: Server) -> None:
    name = new_event_name(server)
    moment = metering.SystemClock().now() - timedelta(days=1)
    event = cloud_event(
        name,
        "A234-1234",
        source=SOURCE,
        subject="cus_9",
        time=moment.isoformat(),
        datacontenttype="application/json",
        traceparent="00-0af7651916cd43dd8448eb211c80319c",
        data={"value": 12.5, "region": "eu"},
    )

    answered = send(server, CLOUD_EVENT, json.dumps(event).encode())

    assert numbers_of(answered) == (1, 0, 0)
    (found,) = recorded(server, name)
    assert found.identifier == f"{SOURCE}/A234-1234"
    assert found.timestamp == moment
    assert dict(found.payload) == {
        "stripe_customer_id": "cus_9",
        "value": "12.5",
        "region": "eu",
    }


def test_an_event_is_known_by_its_source_and_id_together(server: Server) -> None:
    name = new_event_name(server)
    long = "https://example.com/" + "a" * 200
    pairs = [
        (SOURCE, "1"),
        (SOURCE, "2"),
        (f"{SOURCE}/2", "1"),
        (f"{SOURCE}/a", "b/1"),
        (f"{SOURCE}/a/b", "1"),
        (long, "1"),
        (long, "2"),
        (f"{long}1", "2"),
    ]
    events = [
        cloud_event(name, event_id, source=f"{source}?{name}")
        for source, event_id in pairs
    ]
    body = json.dumps(events).encode()

    assert numbers_of(send(server, CLOUD_EVENTS, body)) == (len(pairs), 0, 0)
    assert numbers_of(send(server, CLOUD_EVENTS, body)) == (0, len(pairs), 0)
    identifiers = {each.identifier for each in recorded(server, name)}
    assert len(identifiers) == len(pairs)
    assert max(map(len, identifiers)) <= 100


def test_a_customer_may_be_in_the_data_and_the_time_left_out(server: Server) -> None:
    name = new_event_name(server)
    data = {"stripe_customer_id": "cus_7", "value": "3"}
    earliest = datetime.now(UTC)  # noqa: TID251  # the server has the system's clock
    body = json.dumps(cloud_event(name, name, subject=None, data=data)).encode()

    assert numbers_of(send(server, CLOUD_EVENT, body)) == (1, 0, 0)
    (found,) = recorded(server, name)
    assert dict(found.payload) == data
    assert found.timestamp >= earliest


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"specversion": None}, "specversion"),
        ({"specversion": 1.0}, "specversion"),
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"source": None}, "source"),
        ({"type": 7}, "type"),
        ({"time": 1_700_000_000}, "time"),
        ({"subject": ""}, "subject"),
        ({"data": None}, "data"),
        ({"data": "1"}, "data"),
        ({"data_base64": "e30="}, "found both"),
        ({"data": None, "data_base64": "W10="}, "found list"),
        ({"data": None, "data_base64": "e30"}, "Base64"),
        ({"data": None, "data_base64": "e*30="}, "Base64"),
        ({"data": None, "data_base64": 7}, "Base64"),
        ({"data": None, "data_base64": "eA=="}, "data_base64 to be JSON"),
    ],
)
def test_an_event_that_lacks_what_it_needs_is_rejected_alone(
    server: Server, fields: dict[str, object], reason: str
) -> None:
    name = new_event_name(server)
    events = [
        cloud_event(name, f"{name}-1"),
        cloud_event(name, f"{name}-2", **fields),
        cloud_event(name, f"{name}-3"),
    ]

    answered = send(server, CLOUD_EVENTS, json.dumps(events).encode())

    assert numbers_of(answered) == (2, 0, 1)
    (rejection,) = answered.json["rejections"]
    assert (rejection["row"], rejection["code"]) == (1, "row_invalid")
    assert reason in rejection["message"]


def test_what_is_no_cloud_event_in_a_batch_is_rejected_alone(server: Server) -> None:
    name = new_event_name(server)

    answered = send(
        server, CLOUD_EVENTS, json.dumps([[], cloud_event(name, name)]).encode()
    )

    assert numbers_of(answered) == (1, 0, 1)
    assert "found list" in answered.json["rejections"][0]["message"]


def test_an_event_that_cannot_be_read_is_rejected_alone(server: Server) -> None:
    name = new_event_name(server)
    good = json.dumps(cloud_event(name, name)).encode()
    twice = good.replace(b'"value": "1"', b'"value": "1", "value": "2"')
    half = good.replace(b"cus_1", b"\\ud800")

    answered = send(server, CLOUD_EVENTS, b"[%s]" % b",".join([twice, good, half]))

    assert numbers_of(answered) == (1, 0, 2)
    rejections = answered.json["rejections"]
    assert [(each["row"], each["code"]) for each in rejections] == [
        (0, "row_invalid"),
        (2, "invalid_characters"),
    ]
    assert "data names the key 'value' twice" in rejections[0]["message"]


def test_one_event_and_a_batch_are_not_taken_for_each_other(server: Server) -> None:
    name = new_event_name(server)
    event = cloud_event(name, name)

    single = send(server, CLOUD_EVENTS, json.dumps(event).encode())
    batch = send(server, CLOUD_EVENT, json.dumps([event]).encode())

    assert single.status == batch.status == 400
    assert "not a list" in single.error["message"]
    assert "found list" in batch.error["message"]
    assert recorded(server, name) == []


def test_columns_cannot_be_named_for_cloud_events(server: Server) -> None:
    body = json.dumps(cloud_event("a", "b")).encode()

    answered = send(server, CLOUD_EVENT, body, "?value_column=amount")

    assert answered.status == 400
    assert answered.error["param"] == "value_column"


def test_a_batch_that_is_too_large_to_be_parsed_whole_is_refused(
    server: Server,
) -> None:
    answered = send(server, CLOUD_EVENTS, b"[%s]" % (b" " * (2 << 20)))

    assert answered.status == 413
