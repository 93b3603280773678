"""A CloudEvent that is sent alone: its status is its acknowledgement, in both modes."""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

import metering
from tests.server.bulk import (
    CLOUD_EVENT,
    NDJSON,
    cloud_event,
    new_event_name,
    numbers_of,
    recorded,
    send,
)
from tests.server.running import Answered, Server

JSON = "application/json"
TIME = metering.SystemClock().now().replace(microsecond=123_456)
Send = Callable[..., Answered]


def structured(server: Server, event: dict[str, object], **headers: str) -> Answered:
    return send(server, CLOUD_EVENT, json.dumps(event).encode(), **headers)


def in_base64(server: Server, event: dict[str, object], **headers: str) -> Answered:
    """As the SDK for Python writes data that are bytes."""
    data = base64.b64encode(json.dumps(event["data"]).encode()).decode()
    others = {key: each for key, each in event.items() if key != "data"}
    return structured(server, {**others, "data_base64": data}, **headers)


def binary(
    server: Server, event: dict[str, object], kind: str = JSON, **headers: str
) -> Answered:
    """As SDKs write an event in binary mode."""
    attributes = {
        f"ce_{key}": quote(str(each), safe="!#$&'()*+,/:;=?@[]")
        for key, each in event.items()
        if key != "data"
    }
    body = json.dumps(event["data"]).encode()
    return send(server, kind, body, **{**attributes, **headers})


MODES = [structured, in_base64, binary]
every_mode = pytest.mark.parametrize("post", MODES)


def event_of(name: str, **fields: object) -> dict[str, object]:
    return cloud_event(name, f"{name}-1", time=TIME.isoformat(), **fields)


def test_an_event_is_the_same_in_every_mode(server: Server) -> None:
    name = new_event_name(server)
    event = event_of(
        name,
        source="/gateway/größe 100%",
        subject='客户 "1" 🚕',
        dataschema="https://example.com/schema",
        traceparent="00-0af7651916cd43dd8448eb211c80319c",
        data={"value": "12", "model": "größe"},
    )

    answers = [numbers_of(post(server, event)) for post in (*MODES, *reversed(MODES))]

    assert answers == [(1, 0, 0), *[(0, 1, 0)] * 5]
    (found,) = recorded(server, name)
    assert found.identifier == f"/gateway/größe 100%/{name}-1"
    assert found.timestamp == TIME
    assert dict(found.payload) == {
        "stripe_customer_id": '客户 "1" 🚕',
        "value": "12",
        "model": "größe",
    }


@every_mode
def test_an_event_that_is_not_recorded_is_refused_with_its_code(
    server: Server, post: Send
) -> None:
    name = new_event_name(server)
    event = event_of(name)
    assert post(server, event).status == 200
    old = "2020-01-01T00:00:00Z"

    refused = {
        "no_meter": {**event, "type": "nothing"},
        "timestamp_too_far_in_past": {**event, "id": "2", "time": old},
        "meter_event_invalid_value": {**event, "id": "3", "data": {"value": "a lot"}},
        "identifier_conflict": {**event, "data": {"value": "2"}},
        "row_invalid": {**event, "id": "4", "specversion": "0.3"},
    }

    for code, each in refused.items():
        answered = post(server, each)
        assert (answered.status, answered.error["code"]) == (400, code)
        assert answered.error["type"] == "invalid_request_error"
        assert answered.headers["stripe-should-retry"] == "false"
    assert len(recorded(server, name)) == 1
    arrow = structured(
        server, refused["no_meter"], Accept="application/vnd.apache.arrow.stream"
    )
    assert (arrow.status, arrow.error["code"]) == (400, "no_meter")


@every_mode
@pytest.mark.parametrize("prefer", ["reply", "respond-async, Return=Minimal"])
def test_a_broker_that_takes_a_body_for_an_event_gets_none(
    server: Server, post: Send, prefer: str
) -> None:
    event = event_of(new_event_name(server))

    recorded_now = post(server, event, Prefer=prefer)
    again = post(server, event, Prefer=prefer)
    refused = post(server, {**event, "type": "nothing"}, Prefer=prefer)

    assert (recorded_now.status, recorded_now.body) == (200, b"")
    assert (again.status, again.body) == (200, b"")
    assert (refused.status, refused.error["code"]) == (400, "no_meter")


def test_attributes_are_read_in_any_case_and_spelling_of_a_header(
    server: Server,
) -> None:
    name = new_event_name(server)
    event = event_of(name, subject='a "b\\c', data={"value": "1"})
    as_before_1_0_2 = {"ce_subject": '"a \\"b\\\\c"'}
    in_capitals = {
        "CE_SpecVersion": "1.0",
        "Ce_Id": f"{name}-1",
        "CE_SOURCE": "/tests",
        "cE_type": name,
        "Ce_Subject": "a%20%22b%5cc",
        "CE_Time": TIME.isoformat(),
    }

    assert numbers_of(binary(server, event)) == (1, 0, 0)
    assert numbers_of(binary(server, event, **as_before_1_0_2)) == (0, 1, 0)
    with_a_quote = {"ce_subject": 'a "b', "ce_id": "2"}
    assert numbers_of(binary(server, event, **with_a_quote)) == (1, 0, 0)
    assert recorded(server, name)[1].payload["stripe_customer_id"] == 'a "b'
    for kind in ("", "application/json; charset=utf-8", "application/vnd.usage+json"):
        answered = send(server, kind, b'{"value":"1"}', **in_capitals)
        assert numbers_of(answered) == (0, 1, 0)


def test_an_optional_attribute_may_be_left_out(server: Server) -> None:
    name = new_event_name(server)
    data = {"stripe_customer_id": "cus_7", "value": "1"}
    event = cloud_event(name, "1", subject=None, data=data)

    assert numbers_of(binary(server, event)) == (1, 0, 0)
    # Without a time of its own, a repetition is one at any time.
    assert numbers_of(structured(server, event)) == (0, 1, 0)


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ({"ce_specversion": "0.3"}, b"{}", "specversion"),
        ({"ce_subject": ""}, b"{}", "subject"),
        ({"ce_subject": "%ff"}, b"{}", "Invalid ce-subject"),
        ({}, b"", "expected data to be a JSON object"),
        ({}, b"[]", "expected data to be a JSON object"),
        ({}, b'{"value":1,"value":2}', "names the key 'value' twice"),
        ({}, '{"value":1}'.encode("utf-16"), "UTF-16"),
        ({}, b"value=1", "Cannot read the body"),
    ],
)
def test_an_event_in_binary_mode_that_is_malformed_is_refused(
    server: Server, headers: dict[str, str], body: bytes, reason: str
) -> None:
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": "1",
        "ce_source": "/tests",
        "ce_type": "tokens",
    }

    answered = send(server, JSON, body, **{**attributes, **headers})

    assert answered.status == 400
    assert reason in answered.error["message"]


@pytest.mark.parametrize("absent", ["specversion", "id", "source", "type"])
def test_an_event_in_binary_mode_needs_what_any_event_needs(
    server: Server, absent: str
) -> None:
    name = new_event_name(server)
    event = {key: each for key, each in event_of(name).items() if key != absent}

    answered = binary(server, event)

    assert (answered.status, answered.error["code"]) == (400, "row_invalid")
    assert absent in answered.error["message"]


def test_headers_do_not_make_an_event_of_what_says_that_it_is_rows(
    server: Server,
) -> None:
    name = new_event_name(server)
    row = {"event_name": name, "stripe_customer_id": "cus_1", "value": "1"}
    body = b"\n".join([json.dumps(row).encode()] * 2)

    answered = send(server, NDJSON, body, ce_specversion="1.0", ce_id="1", ce_type="a")

    assert numbers_of(answered) == (2, 0, 0)


def test_json_without_attributes_and_other_data_are_no_event(server: Server) -> None:
    event = event_of(new_event_name(server))
    plain = send(server, JSON, b"{}")
    other = binary(server, event, "text/plain")

    for answered in (plain, other):
        assert answered.status == 415
        assert "ce- headers of a CloudEvent" in answered.error["message"]


def test_another_event_under_one_idempotency_key_is_another_request(
    server: Server,
) -> None:
    name = new_event_name(server)
    event = event_of(name)

    first = binary(server, event, Idempotency_Key=name)
    again = binary(server, event, Idempotency_Key=name)
    other = binary(server, {**event, "id": "other"}, Idempotency_Key=name)

    assert (numbers_of(first), numbers_of(again)) == ((1, 0, 0), (0, 1, 0))
    assert (other.status, other.error["type"]) == (400, "idempotency_error")
