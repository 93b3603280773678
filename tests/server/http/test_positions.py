"""Requests that wait for a position cost nothing while they wait, and are bounded."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import metering
from metering.server.api.errors import PositionNotReachedError, TooManyWaitingError
from metering.server.http.positions import (
    WAITING_MAX,
    WAITING_MAX_OF_KEY,
    PositionWaits,
)
from tests.metering.usual_usage import create_meter
from tests.server.in_process import served
from tests.server.usage import event_form
from tests.waiting import eventually

METERS = "/v1/billing/meters"


def asked(position: int, key_id: str) -> PositionNotReachedError:
    return PositionNotReachedError(position, key_id=key_id)


class Looks:
    """A log of one position, and how often it was looked at."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        return self.position


async def gathered(*waiting: Coroutine[Any, Any, None]) -> list[BaseException | None]:
    return await asyncio.gather(*waiting, return_exceptions=True)


def test_one_look_at_the_log_is_for_all_that_wait() -> None:
    looks = Looks(position=7)

    async def wait() -> list[BaseException | None]:
        waits = PositionWaits(looks)
        deadline = asyncio.get_running_loop().time() + 0.5
        keys = [f"key_{number % 8}" for number in range(400)]
        return await gathered(
            *(waits.reached(asked(8, key_id), deadline) for key_id in keys)
        )

    outcomes = asyncio.run(wait())

    assert {type(each) for each in outcomes} == {PositionNotReachedError}
    # One each 20 ms at the most, however long the machine takes.
    assert looks.count <= 25


def test_each_is_woken_when_the_log_has_reached_its_position() -> None:
    looks = Looks(position=7)

    async def wait() -> tuple[list[BaseException | None], int]:
        waits = PositionWaits(looks)
        deadline = asyncio.get_running_loop().time() + 60
        near = [waits.reached(asked(8, "key_1"), deadline) for _ in range(3)]
        far = asyncio.create_task(waits.reached(asked(10, "key_1"), deadline))
        asyncio.get_running_loop().call_later(0.05, setattr, looks, "position", 8)
        reached, left = await gathered(*near), waits.waiting
        looks.position = 10
        await far
        return reached, left

    assert asyncio.run(wait()) == ([None, None, None], 1)


def test_so_many_requests_of_a_key_wait_and_so_many_in_all() -> None:
    async def wait(keys: list[str]) -> list[BaseException | None]:
        waits = PositionWaits(Looks(position=7))
        deadline = asyncio.get_running_loop().time() + 0.1
        return await gathered(
            *(waits.reached(asked(8, key_id), deadline) for key_id in keys)
        )

    def refused(outcomes: list[BaseException | None]) -> list[int]:
        return [
            number
            for number, each in enumerate(outcomes)
            if isinstance(each, TooManyWaitingError)
        ]

    of_a_key = asyncio.run(wait(["key_1"] * WAITING_MAX_OF_KEY + ["key_1", "key_2"]))
    in_all = asyncio.run(wait([f"key_{each}" for each in range(WAITING_MAX + 1)]))

    assert refused(of_a_key) == [WAITING_MAX_OF_KEY]
    assert refused(in_all) == [WAITING_MAX]


def test_a_request_is_answered_as_soon_as_its_position_is_recorded() -> None:
    with metering.connect(":memory:") as store, served(store) as server:
        create_meter(store)
        wanted = str(store.position + 1)
        answers: list[int] = []

        async def ask() -> None:
            answered = await asyncio.to_thread(
                server.ask, "GET", METERS, Metering_Min_Position=wanted
            )
            answers.append(answered.status)

        waiting = asyncio.run_coroutine_threadsafe(ask(), server.loop)
        eventually(
            lambda: b"waiting_for_position 1.0" in server.ask("GET", "/metrics").body
        )
        server.ask("POST", "/v1/billing/meter_events", event_form("tokens"))
        waiting.result(60)

    assert answers == [200]
