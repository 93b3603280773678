"""Parameters that a route does not take are refused in Stripe's words, with their path."""

import pytest

import metering
from metering.server.grammar.forms import decode_form
from metering.server.grammar.parameters import (
    METADATA,
    Choice,
    Either,
    Flag,
    Given,
    Integer,
    Items,
    Shape,
    Text,
    optional,
    read_parameters,
    required,
    seconds,
)

PARAMETERS = {
    "name": required(Text(longest=5)),
    "note": optional(Text(unsets=True)),
    "count": optional(Integer(least=1, most=100)),
    "until": optional(seconds(unsets=True)),
    "kind": optional(Choice(words=("count", "last", "sum"))),
    "flag": optional(Flag()),
    "metadata": optional(METADATA),
    "items": optional(Items(Shape({"id": required(Text())}))),
    "when": optional(Either(text=seconds(), tree=Shape({"gt": optional(seconds())}))),
}


def read(form: str) -> Given:
    return read_parameters(PARAMETERS, decode_form(form.encode()))


def test_what_is_given_is_read_and_what_is_not_is_left_out() -> None:
    given = read(
        "name=abc&note=&count=7&until=&kind=sum&flag=true&metadata[a]=1&metadata[b]="
        "&items[1][id]=y&items[0][id]=x&when[gt]=5"
    )

    assert given == {
        "name": "abc",
        "note": "",
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


@pytest.mark.parametrize(
    ("form", "code", "param", "message"),
    [
        ("", "parameter_missing", "name", "Missing required param: name."),
        ("name=a&x=1", "parameter_unknown", "x", "Received unknown parameter: x"),
        (
            "name=a&items[0][x]=1",
            "parameter_unknown",
            "items[0][x]",
            "Received unknown parameter: items[0][x]",
        ),
        (
            "name=a&items[0][id]=b&items[2]=",
            "parameter_invalid",
            "items[2]",
            "Invalid object",
        ),
        (
            "name=a&items[0]=b",
            "parameter_invalid",
            "items[0]",
            "Invalid object",
        ),
        ("name=a&items[x][id]=b", "parameter_invalid", "items", "Invalid array"),
        ("name[a]=b", "parameter_invalid", "name", "Invalid string: an object"),
        (
            "name=abcdef",
            "parameter_invalid",
            "name",
            "Invalid string: abcdef; must be at most 5 characters",
        ),
        (
            "name=a&count=abc",
            "parameter_invalid_integer",
            "count",
            "Invalid integer: abc",
        ),
        (
            "name=a&count=1.0",
            "parameter_invalid_integer",
            "count",
            "Invalid integer: 1.0",
        ),
        (
            "name=a&count=0",
            "parameter_invalid_integer",
            "count",
            "Invalid integer: 0; must be greater than or equal to 1",
        ),
        (
            "name=a&count=101",
            "parameter_invalid_integer",
            "count",
            "Invalid integer: 101; must be less than or equal to 100",
        ),
        (
            "name=a&kind=max",
            "parameter_invalid",
            "kind",
            "Invalid kind: must be one of count, last or sum",
        ),
        ("name=a&flag=1", "parameter_invalid", "flag", "Invalid boolean: 1"),
        (
            "name=a&metadata[a][b]=1",
            "parameter_invalid",
            "metadata[a]",
            "Invalid string: an object",
        ),
    ],
)
def test_what_is_wrong_is_named(form: str, code: str, param: str, message: str) -> None:
    with pytest.raises(metering.InvalidRequestError) as refused:
        read(form)

    assert refused.value.code == code
    assert refused.value.param == param
    assert refused.value.message == message


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
