"""Parameters that a route does not take are refused in Stripe's words, with their path."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypedDict

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType

import metering
from metering.arguments.kinds import Given, read_fields
from metering.arguments.metadata import Metadata
from metering.arguments.schema import Spelling, fields_of
from metering.arguments.times import Time
from metering.server.grammar.forms import decode_form


class Item(TypedDict):
    id: str


class When(TypedDict, total=False):
    gt: Time


class Asked(msgspec.Struct, kw_only=True):
    name: Annotated[str, Meta(min_length=1, max_length=5)]
    note: str | UnsetType | None = UNSET
    count: Annotated[int, Meta(ge=1, le=100)] | None = None
    until: Time | UnsetType | None = UNSET
    kind: Literal["sum", "count", "last"] | None = None
    flag: bool = False
    metadata: Metadata | UnsetType | None = UNSET
    items: Sequence[Item] | None = None
    when: Time | When | None = None


def read(form: str) -> Given:
    return read_fields(fields_of(Asked, Spelling.V1), decode_form(form.encode()))


def test_what_is_given_is_read_and_what_is_not_is_left_out() -> None:
    given = read(
        "name=abc&note=&count=7&until=&kind=sum&flag=true&metadata[a]=1&metadata[b]="
        "&items[1][id]=y&items[0][id]=x&when[gt]=5"
    )

    assert given == {
        "name": "abc",
        "note": None,
        "count": 7,
        "until": None,
        "kind": "sum",
        "flag": True,
        "metadata": {"a": "1", "b": ""},
        "items": [{"id": "x"}, {"id": "y"}],
        "when": {"gt": 5},
    }
    assert read("name=a&metadata=&items=&when=5") == {
        "name": "a",
        "metadata": None,
        "items": [],
        "when": 5,
    }


INTEGER = "must be an integer from 1 to 100"
ITEM = "must be an object with id"
NAME = "must be a string of 1 to 5 characters"


@pytest.mark.parametrize(
    ("form", "code", "param", "reason"),
    [
        ("name=a&count=abc", "parameter_invalid_integer", "count", f"'abc'; {INTEGER}"),
        ("name=a&count=1.0", "parameter_invalid_integer", "count", f"'1.0'; {INTEGER}"),
        ("name=a&count=0", "parameter_invalid_integer", "count", f"0; {INTEGER}"),
        ("name=a&count=101", "parameter_invalid_integer", "count", f"101; {INTEGER}"),
        ("name[a]=b", "parameter_invalid", "name", f"{{'a': 'b'}}; {NAME}"),
        ("name=abcdef", "parameter_invalid", "name", f"'abcdef'; {NAME}"),
        (
            "name=a&items[0][id]=b&items[2]=",
            *("parameter_invalid", "items[2]", f"''; {ITEM}"),
        ),
        ("name=a&items[0]=b", "parameter_invalid", "items[0]", f"'b'; {ITEM}"),
        (
            "name=a&items[x][id]=b",
            *("parameter_invalid", "items"),
            "{'x': {'id': 'b'}}; must be a list of 0 to 10000 elements",
        ),
        (
            "name=a&kind=max",
            *("parameter_invalid", "kind", "'max'; must be one of sum, count, last"),
        ),
        (
            "name=a&flag=1",
            *("parameter_invalid", "flag", "'1'; must be true or false"),
        ),
        (
            "name=a&flag[a]=1",
            *("parameter_invalid", "flag", "{'a': '1'}; must be true or false"),
        ),
        (
            "name=a&metadata[a][b]=1",
            *("parameter_invalid", "metadata[a]"),
            "{'b': '1'}; must be a string of 0 to 500 characters",
        ),
    ],
)
def test_what_is_wrong_is_named(form: str, code: str, param: str, reason: str) -> None:
    with pytest.raises(metering.InvalidRequestError) as refused:
        read(form)

    error = refused.value
    assert (error.code, error.param) == (code, param)
    assert error.message == f"Invalid {param}: {reason}"


@pytest.mark.parametrize(
    ("form", "code", "param", "words"),
    [
        ("", "parameter_missing", "name", "Missing required param"),
        ("name=a&x=1", "parameter_unknown", "x", "Received unknown parameter"),
        (
            "name=a&items[0][x]=1",
            *("parameter_unknown", "items[0][x]", "Received unknown parameter"),
        ),
    ],
)
def test_what_is_missing_or_unknown_is_named(
    form: str, code: str, param: str, words: str
) -> None:
    with pytest.raises(metering.InvalidRequestError) as refused:
        read(form)

    error = refused.value
    assert (error.code, error.param) == (code, param)
    assert error.message == f"{words}: {param}"


@pytest.mark.parametrize("form", ["name=", "name=a&count=", "name=a&kind="])
def test_what_cannot_be_unset_is_not_empty(form: str) -> None:
    with pytest.raises(metering.InvalidRequestError) as refused:
        read(form)

    assert refused.value.code == "parameter_invalid_empty"


@pytest.mark.parametrize(
    "form",
    [
        "name=a&" + "&".join(f"metadata[k{at}]=1" for at in range(51)),
        f"name=a&metadata[{'k' * 41}]=1",
        f"name=a&metadata[k]={'v' * 501}",
    ],
)
def test_metadata_is_bounded(form: str) -> None:
    with pytest.raises(metering.InvalidRequestError):
        read(form)
