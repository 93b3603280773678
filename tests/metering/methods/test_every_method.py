"""What holds of every method of the library alike."""

from collections.abc import Iterator
from contextlib import suppress

import metering
from tests.documentation.doors import library_methods
from tests.metering.methods.usual_arguments import usual_arguments, with_arguments

# They work on no store, until they are entered or asked.
_LATER = {"close", "now", "recorder", "worker", "loops"}


def methods() -> list[str]:
    return [each for each in library_methods() if each not in _LATER]


def test_a_closed_store_refuses_every_method() -> None:
    with metering.connect(":memory:") as m:
        usual = usual_arguments(m)
    answered = []

    for path in methods():
        method, given = with_arguments(m, path, usual)
        with suppress(metering.StoreClosedError):
            answer = method(**given)
            if isinstance(answer, Iterator):
                next(answer, None)
            answered.append(path)

    assert answered == []
