"""Bodies in JSON say what forms say; numbers are whole, and only where they are taken."""

from collections.abc import Sequence
from typing import Annotated, TypedDict

import msgspec
import pytest
from msgspec import Meta

import metering
from metering.arguments.kinds import read_fields
from metering.arguments.schema import Spelling, fields_of
from metering.arguments.times import Time
from metering.server.grammar.json_bodies import decode_json


class Line(TypedDict, total=False):
    id: str
    amount: Annotated[int, Meta(ge=0, le=10**18)]


class Asked(msgspec.Struct, kw_only=True):
    name: str | None = None
    count: Annotated[int, Meta(ge=-(10**18), le=10**18)] | None = None
    at: Time | None = None
    lines: Sequence[Line] | None = None


def read(body: bytes, *, takes_wholes: bool = True) -> dict[str, object]:
    fields = fields_of(Asked, Spelling.EXTENSION)
    return read_fields(fields, decode_json(body, takes_wholes=takes_wholes))


def test_whole_numbers_are_read_with_all_their_digits_and_as_texts_too() -> None:
    body = (
        b'{"name": "7", "count": -999999999999999999, "at": "2026-01-31T12:00:00Z",'
        b' "lines": [{"id": "a", "amount": 1}, {"id": "b", "amount": "2"}]}'
    )

    assert read(body) == {
        "name": "7",
        "count": -999_999_999_999_999_999,
        "at": "2026-01-31T12:00:00Z",
        "lines": [{"id": "a", "amount": 1}, {"id": "b", "amount": 2}],
    }
    assert read(b'{"at": 0, "count": null}') == {"at": 0}
    assert read(b'{"at": "1769860800"}') == {"at": 1_769_860_800}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"count": 1.0}', "count"),
        (b'{"count": 1e2}', "count"),
        (b'{"count": -0.0}', "count"),
        (b'{"count": "1.0"}', "count"),
        (b'{"count": "1e2"}', "count"),
        (b'{"count": true}', "count"),
        (b'{"count": 1000000000000000001}', "count"),
        (b'{"count": 123456789012345678901234567890}', "count"),
        (b'{"lines": [{"amount": 1}, {"amount": 1.5}]}', "lines[1][amount]"),
        (b'{"name": 7}', "name"),
        (b'{"lines": [{"id": 7}]}', "lines[0][id]"),
        (b'{"lines": 7}', "lines"),
        (b'{"at": 1.5}', "at"),
        (b'{"at": "yesterday"}', "at"),
        (b'{"at": "2026-01-31"}', "at"),
        (b'{"at": ""}', "at"),
        (b'{"at": {"gt": 1}}', "at"),
        (b'{"count": %s}' % (b"1" * 5_000), None),
        (b'{"count": NaN}', None),
        (b"[1]", None),
        (b"1", None),
    ],
)
def test_what_is_no_whole_number_where_one_is_taken_is_refused(
    body: bytes, param: str | None
) -> None:
    with pytest.raises(metering.InvalidRequestError) as refused:
        read(body)

    assert refused.value.param == param


def test_numbers_are_refused_where_none_are_taken() -> None:
    with pytest.raises(metering.InvalidRequestError) as refused:
        read(b'{"count": 1}', takes_wholes=False)

    assert refused.value.message == "Invalid count: 1; must be a string"
    with pytest.raises(metering.InvalidRequestError) as refused:
        read(b'{"count": 1.50}', takes_wholes=False)
    assert refused.value.message == "Invalid count: 1.50; must be a string"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"name": "a", "name": "a"}', "an object names the key 'name' twice"),
        (b'{"name": 1, "n\\u0061me": "a"}', "an object names the key 'name' twice"),
        (
            b'{"lines": [{"id": "a"}, {"id": "b", "id": "c"}]}',
            "lines[1] names the key 'id' twice",
        ),
        (b'{"name": "\\ud800"}', "a string in name has half a surrogate pair"),
        (b'{"lines": [{"\\ude00": ""}]}', "a string in lines[0] has half a surrogate"),
        (b'{"name": "\xed\xa0\x80"}', "byte 10 is no UTF-8"),
        ('{"name": "a"}'.encode("utf-16"), "the text is UTF-16; send UTF-8"),
        ('{"name": "a"}'.encode("utf-16-be"), "the text is UTF-16; send UTF-8"),
        (b'{"name":' + b"[" * 64 + b"]" * 64 + b"}", "more than 64 levels deep"),
        (b'{"name":' * 100_000, "more than 64 levels deep"),
        (b'{"count": 1e%s}' % (b"9" * 30), "a number or its exponent is too long"),
        (b'{"name": ', "line 1 column 10"),
    ],
)
def test_json_that_has_no_one_meaning_is_refused_with_its_place(
    body: bytes, reason: str
) -> None:
    with pytest.raises(metering.InvalidRequestError) as refused:
        read(body)

    assert reason in refused.value.message


def test_a_byte_order_mark_and_whole_surrogate_pairs_are_taken() -> None:
    assert read(b'\xef\xbb\xbf{"name": "\\ud83d\\ude95"}') == {"name": "🚕"}
    # As deep as is allowed: the parameters refuse it, by its name.
    with pytest.raises(metering.InvalidRequestError) as refused:
        read(b'{"name":' + b"[" * 63 + b"]" * 63 + b"}")
    assert refused.value.param == "name"


def test_a_long_key_is_not_copied_for_each_value_below_it() -> None:
    # Copied, it would take minutes: 600 GB.
    body = b'{"%s":[%s]}' % (b"a" * 2_000_000, b",".join([b'""'] * 300_000))

    with pytest.raises(metering.InvalidRequestError) as refused:
        read(body)

    assert refused.value.param == "a" * 100
