"""Every call of the library is there, awaited, with its parameters and its words."""

import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from operator import attrgetter

import pytest

import metering
from metering.aio import AsyncMetering
from tests.documentation.doors import library_groups

# Blocking by nature, or no call of the library.
_OTHERWISE = {"internals"}
# A with statement, which an async with statement stands for.
_WITH = {"Metering.worker", "Metering.close"}


def _groups(m: metering.Metering) -> dict[str, type]:
    groups = library_groups(m)
    return {name: type(each) for name, each in groups.items() if name not in _OTHERWISE}


def _methods(kind: type) -> Iterator[tuple[str, Callable[..., object]]]:
    for each in kind.__mro__:
        for name, member in vars(each).items():
            if name[0] != "_" and inspect.isfunction(member):
                yield name, member


with metering.connect(":memory:") as _m:
    _GROUPS = _groups(_m)
METHODS = [
    (name, method, function)
    for name, kind in _GROUPS.items()
    for method, function in _methods(kind)
]


@pytest.fixture(scope="module")
def awaited() -> Iterator[AsyncMetering]:
    with metering.connect(":memory:") as m:
        yield AsyncMetering(m)


@pytest.mark.parametrize(
    ("group", "method", "function"), METHODS, ids=[f"{a}.{b}" for a, b, _ in METHODS]
)
def test_a_method_of_a_group_is_there_with_its_parameters(
    awaited: AsyncMetering, group: str, method: str, function: Callable[..., object]
) -> None:
    theirs = getattr(attrgetter(group)(awaited), method)

    wanted = [*inspect.signature(function).parameters.values()][1:]
    assert [*inspect.signature(theirs).parameters.values()] == wanted
    assert inspect.iscoroutinefunction(
        inspect.unwrap(theirs, stop=inspect.iscoroutinefunction)
    ) or inspect.isasyncgenfunction(
        inspect.unwrap(theirs, stop=inspect.isasyncgenfunction)
    )
    assert inspect.getdoc(theirs)


@pytest.mark.parametrize(
    ("method", "function"),
    list(_methods(metering.Metering)),
    ids=[name for name, _ in _methods(metering.Metering)],
)
def test_a_method_of_the_connection_is_there_with_its_parameters(
    awaited: AsyncMetering, method: str, function: Callable[..., object]
) -> None:
    theirs = getattr(awaited, method)

    wanted = [*inspect.signature(function).parameters.values()][1:]
    assert [*inspect.signature(theirs).parameters.values()] == wanted
    assert inspect.getdoc(theirs)


def test_an_awaited_group_has_no_method_of_its_own(awaited: AsyncMetering) -> None:
    for group, kind in _GROUPS.items():
        theirs = {
            name for name in vars(type(attrgetter(group)(awaited))) if name[0] != "_"
        }

        assert theirs == {name for name, _ in _methods(kind)}


def test_the_promised_names_are_these() -> None:
    names = ["AsyncListObject", "AsyncMetering", "AsyncRecorder", "connect"]

    assert metering.aio.__all__ == names
    assert all(inspect.getdoc(getattr(metering.aio, name)) for name in names)


def test_it_is_there_once_the_library_is_imported() -> None:
    program = "import metering; metering.aio.connect; metering.Recorder"

    subprocess.run([sys.executable, "-c", program], check=True)
