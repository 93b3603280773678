"""The decoder of the stream's bodies takes what the parameters take, and nothing else."""

import json
from typing import Any

import pytest

from metering.arguments.kinds import read_fields
from metering.errors import InvalidRequestError
from metering.server.grammar.json_bodies import decode_json
from metering.server.table import ROUTES

[STREAM] = [each for each in ROUTES if each.credential == "session"]
EVENT: dict[str, Any] = {"event_name": "a", "payload": {"value": "1"}}


def taken_by_decoder(body: bytes) -> bool:
    assert STREAM.decode is not None
    return STREAM.decode(body) is not None


def taken_by_parameters(body: bytes) -> bool:
    try:
        read_fields(STREAM.accepted, decode_json(body))
    except InvalidRequestError:
        return False
    return True


EVENTS: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"identifier": "i" * 100, "event_name": "ä" * 100}, True),
    ({"identifier": None, "timestamp": None}, True),
    ({"payload": {}}, True),
    ({"payload": {"": "", "k" * 100: "v" * 500}}, True),
    ({"payload": {str(number): "" for number in range(500)}}, True),
    ({"timestamp": "2026-01-31T12:00:00Z"}, True),
    ({"timestamp": "2026-01-31T12:00:00.123456789-05:30"}, True),
    ({"timestamp": "2026-99-99T99:99:99Z"}, True),
    ({"identifier": ""}, False),
    ({"identifier": "i" * 101}, False),
    ({"event_name": ""}, False),
    ({"event_name": None}, False),
    ({"event_name": 1}, False),
    ({"payload": None}, False),
    ({"payload": []}, False),
    ({"payload": {"value": 1}}, False),
    ({"payload": {"value": {"a": "1"}}}, False),
    ({"payload": {"k" * 101: ""}}, False),
    ({"payload": {"k": "v" * 501}}, False),
    ({"payload": {str(number): "" for number in range(501)}}, False),
    ({"timestamp": "2026-01-31 12:00:00Z"}, False),
    ({"timestamp": "2026-01-31T12:00:00"}, False),
    ({"timestamp": "2026-01-31T12:00:00Z\n"}, False),
    ({"timestamp": "٢026-01-31T12:00:00Z"}, False),
    ({"timestamp": 1_769_860_800}, False),
    ({"foo": "1"}, False),
]


@pytest.mark.parametrize(
    ("body", "is_taken"),
    [
        *(({"events": [EVENT, EVENT | each]}, is_taken) for each, is_taken in EVENTS),
        ({"events": [EVENT] * 100}, True),
        ({"events": [EVENT] * 101}, False),
        ({"events": []}, False),
        ({"events": None}, False),
        ({}, False),
        ({"events": [EVENT], "foo": "1"}, False),
        ([], False),
    ],
    ids=lambda each: str(each)[-50:],
)
def test_a_body_is_taken_by_both_or_by_none(
    body: object,
    is_taken: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    encoded = json.dumps(body).encode()

    assert taken_by_decoder(encoded) is is_taken
    assert taken_by_parameters(encoded) is is_taken
