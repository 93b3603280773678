"""What no caller should pass is refused by the product's own errors, whatever it is.

Every public method is called with each odd value for each of its parameters, and in the
place of each value inside one; the others are such as it takes. It may take the value or
refuse it. What comes out must be no error of Python's, of the database's or of Arrow's.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from itertools import islice, product
from pathlib import Path
from typing import Any

import pytest

import metering
from tests.conftest import StoreTargets
from tests.documentation.doors import library_methods
from tests.metering.methods.usual_arguments import (
    Given,
    usual_arguments,
    with_arguments,
)
from tests.metering.usual_usage import PAYLOAD, table

DEEP: Any = []
for _ in range(100_000):
    DEEP = [DEEP]
ODD: Mapping[str, Any] = {
    "None": None,
    "True": True,
    "empty list": [],
    "empty mapping": {},
    "huge integer": 10**5_000,
    "huge negative integer": -(10**5_000),
    "long string": "x" * 300,
    "NaN": float("nan"),
    "half a surrogate pair": "\ud800",
    "NUL": "\0",
    "bytes": b"\xff",
    "deep list": DEEP,
    "deep mapping": {"a": DEEP},
    "list of None": [None],
    "mapping of integers": {1: 10**5_000},
    "set": {"a", "b"},
    "object": object(),
}
# What runs, or is run, is no argument of a request.
RUN = {"progress", "on_refused", "executor", "clock", "self"}
LONGEST_MESSAGE = 1_000


@pytest.fixture(scope="module")
def usual(
    store_targets: StoreTargets,
) -> Iterator[tuple[metering.Metering, Mapping[str, Given]]]:
    """A store, and arguments of its methods that they take, where they need any."""
    with store_targets() as target, metering.connect(target) as m:
        yield m, usual_arguments(m)


def methods() -> list[str]:
    return [each for each in library_methods() if each != "close"]


def settings() -> list[str]:
    known = inspect.signature(metering.connect).parameters
    return [name for name in known if name not in RUN]


def varied(value: object, odd: object) -> Iterator[object]:
    """An odd value itself, and what is given with each value within it being odd."""
    yield odd
    match value:
        case Mapping():
            for key, each in value.items():
                yield from ({**value, key: other} for other in varied(each, odd))
        case list():
            for at, each in enumerate(value):
                yield from (
                    [*value[:at], other, *value[at + 1 :]]
                    for other in varied(each, odd)
                )
        case _:
            pass


def called(method: Callable[..., Any], given: Given) -> str:
    """What came of a call, some of whose answer is read: a message, or nothing."""
    try:
        answer = method(**given)
        if isinstance(answer, Iterator):
            list(islice(answer, 3))
        if isinstance(answer, metering.Metering):
            answer.close()
    except metering.MeteringError as error:
        return error.message
    return ""


@pytest.mark.parametrize("path", methods())
def test_odd_arguments_are_taken_or_refused_in_so_many_words(
    path: str,
    usual: tuple[metering.Metering, Mapping[str, Given]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    m, given = usual
    method, base = with_arguments(m, path, given)
    known = inspect.signature(method).parameters

    for name, (word, odd) in product(set(known) - RUN, ODD.items()):
        for value in varied(base.get(name), odd):
            message = called(method, {**base, name: value})

            assert len(message) < LONGEST_MESSAGE, (name, word)


@pytest.mark.parametrize("name", [each.name for each in fields(metering.Columns)])
def test_odd_columns_are_taken_or_refused(
    name: str, usual: tuple[metering.Metering, Mapping[str, Given]]
) -> None:
    m, _ = usual
    source = [{"event_name": "tokens", **PAYLOAD}]

    def ingested(given: object) -> None:
        named = metering.Columns(**{name: given})  # type: ignore[arg-type]  # odd
        m.meter_events.ingest(source, columns=named, now=True)
        m.meter_events.ingest(table(source), columns=named, now=True)

    for odd in ODD.values():
        for given in (odd, (odd,)):
            assert len(called(ingested, {"given": given})) < LONGEST_MESSAGE
        constant = {"text": odd}
        assert len(called(lambda text: ingested(metering.Constant(text)), constant)) < (
            LONGEST_MESSAGE
        )


@pytest.mark.parametrize("name", settings())
def test_odd_settings_of_a_store_are_taken_or_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def opened(**given: Any) -> None:
        metering.connect(**given).close()

    for word, odd in ODD.items():
        message = called(opened, {"target": ":memory:", name: odd})

        assert len(message) < LONGEST_MESSAGE, word
