"""What holds of every method of the library alike."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest

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


@pytest.mark.dialect
@pytest.mark.postgresql
def test_every_method_needs_one_connection_of_a_pool(postgresql_url: str) -> None:
    with metering.connect(
        postgresql_url,
        pool_size=1,
        lock_timeout=timedelta(seconds=20),
        webhook_timeout=timedelta(milliseconds=1),
        allow_private_webhooks=True,
    ) as m:
        usual = usual_arguments(m, url="http://127.0.0.1:1")
        waited = []

        # At first, while there is something to enqueue and to make anew.
        for path in ["rebuild", "deliver", *methods()]:
            method, given = with_arguments(m, path, usual)
            try:
                answer = method(**given)
                if isinstance(answer, Iterator):
                    next(answer, None)
                if isinstance(answer, metering.Metering):
                    answer.close()
            except metering.StoreBusyError:
                waited.append(path)
            except metering.MeteringError:
                # What a method before it has changed, as one that deletes.
                pass

    assert waited == []
