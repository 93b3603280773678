"""The decoder of the stream's bodies takes what the parameters take, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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
    ({"timestamp": "2026-01-31 12:00:00Z"}, True),
    ({"timestamp": "2026-01-31t12:00:00.1z"}, True),
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
    ({"timestamp": "2026-01-31T12:00:00"}, False),
    ({"timestamp": "2026-01-31  12:00:00Z"}, False),
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


TEXT = st.sampled_from(["a", "b", "value", 'a"b', "\\", '\\"', "ä", "🚕", ""])
OBJECT = st.lists(st.tuples(TEXT, TEXT), max_size=4)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, bool]:
    """A body whose keys may be named twice, and whether one is."""
    is_ascii, blank = draw(st.booleans()), draw(st.sampled_from(["", " "]))
    has_twice = False

    def written(pairs: list[tuple[str, str]]) -> str:
        nonlocal has_twice
        has_twice |= len(dict(pairs)) != len(pairs)
        members = [
            f"{json.dumps(key, ensure_ascii=is_ascii)}:{blank}{value}"
            for key, value in pairs
        ]
        return f"{{{f',{blank}'.join(members)}}}"

    def string(value: str) -> str:
        return json.dumps(value, ensure_ascii=is_ascii)

    events = []
    for _ in range(draw(st.integers(1, 3))):
        payload = written([(key, string(value)) for key, value in draw(OBJECT)])
        fields = [("event_name", string("a")), ("payload", payload)]
        more = [("identifier", "null"), ("identifier", '"i"'), ("event_name", '"b"')]
        fields += draw(st.lists(st.sampled_from(more), max_size=2))
        events.append(written(draw(st.permutations(fields))))
    lists = [("events", f"[{','.join(events)}]")] * draw(st.sampled_from([1, 1, 1, 2]))
    return written(lists), has_twice


PLAIN = '{"event_name":"a","payload":{}}'


@example(('{"events":[{"event_name":"a","payload":{"a":"","a":""}}]}', True))
@example((f'{{"events":[{PLAIN[:-1]},"identifier":null,"identifier":"i"}}]}}', True))
@example((f'{{"events":[{PLAIN[:-1]},"identifier":"i","identifier":null}}]}}', True))
@example((f'{{"events":null,"events":[{PLAIN}]}}', True))
@example((f'{{"events":[{PLAIN[:-1]},"timestamp":null}}]}}', False))
@given(bodies())
def test_a_body_that_names_a_key_twice_is_taken_by_none(
    drawn: tuple[str, bool],
) -> None:
    text, has_twice = drawn

    assert taken_by_decoder(text.encode()) is not has_twice
    assert taken_by_parameters(text.encode()) is not has_twice
