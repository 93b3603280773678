"""Own what the other processes of the fault tests do: write, read along, run out.

Each function runs in a process of its own, which may be killed at any moment; what it
has done, it says through a pipe, after the fact.
"""

import asyncio
import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from random import Random

import metering
from metering import aio
from tests.faults.usage import (
    create,
    event_fields,
    numbers_by_position,
    open_store,
    table,
)

SIZES = (1, 30, 200)
WEIGHTS = (20, 2, 1)
Task = Callable[[str, Sequence[int], float, Connection], None]
"""Does something with a store, in the order of some numbers, as a seed decides."""


@dataclass(frozen=True, kw_only=True)
class Acknowledged:
    """Events that a call to the store has answered for."""

    numbers: Sequence[int]
    accepted: int
    duplicates: int


@dataclass(frozen=True, kw_only=True)
class ReadAlong:
    """What a reader saw: how often it looked, and how often it saw something new."""

    looks: int
    changes: int
    positions: int


def write(target: str, numbers: Sequence[int], seed: float, pipe: Connection) -> None:
    """Send events in their order, one by one and in batches, as a seed decides."""
    generator = Random(seed)
    with open_store(target) as store:
        start = 0
        while start < len(numbers):
            (size,) = generator.choices(SIZES, WEIGHTS)
            part = numbers[start : start + size]
            if size == 1:
                duplicates = int(create(store, part[0]).duplicate)
                accepted = 1 - duplicates
            else:
                receipt = store.meter_events.ingest(table(part))
                accepted, duplicates = receipt.accepted, receipt.duplicates
            done = Acknowledged(numbers=part, accepted=accepted, duplicates=duplicates)
            pipe.send(done)
            start += size


def write_awaited(
    target: str, numbers: Sequence[int], seed: float, pipe: Connection
) -> None:
    """Send events from tasks of an event loop, of which some are cancelled."""
    generator = Random(seed)

    async def send_some(m: aio.AsyncMetering, upcoming: Iterator[int]) -> None:
        for number in upcoming:
            task = asyncio.create_task(
                m.meter_events.create(**event_fields(number)),
            )
            if generator.random() < 0.1:
                await asyncio.sleep(0)
                task.cancel()
            with suppress(asyncio.CancelledError):
                event = await task
                pipe.send(
                    Acknowledged(
                        numbers=[number],
                        accepted=1 - event.duplicate,
                        duplicates=int(event.duplicate),
                    )
                )

    async def send_all() -> None:
        upcoming = iter(numbers)
        with open_store(target) as store:
            m = aio.AsyncMetering(store)
            await asyncio.gather(*(send_some(m, upcoming) for _ in range(8)))

    asyncio.run(send_all())


def read_along(target: str, pipe: Connection) -> None:
    """Read everything again and again, and check that nothing came in behind.

    Says so when it first sees something, and at the end what it saw.
    """
    looks = changes = 0
    seen: dict[int, int] = {}
    with open_store(target) as store:
        is_last = False
        while not is_last:
            is_last = pipe.poll()
            position = store.catch_up()
            stored = numbers_by_position(store)
            assert list(stored) == list(range(2, len(stored) + 2)), "a position is gone"
            assert len(stored) + 1 >= position, "an entry was skipped"
            assert list(stored.items())[: len(seen)] == list(seen.items()), (
                "what was read before has changed"
            )
            looks += 1
            if len(stored) > len(seen):
                changes += 1
                if changes == 1:
                    pipe.send(len(stored))
            seen = stored
    pipe.send(ReadAlong(looks=looks, changes=changes, positions=len(seen)))


@dataclass(frozen=True, kw_only=True)
class RanOut:
    """What a writer met when there was no room left, and what it could do then."""

    code: str
    sentence: str
    kept: Sequence[int]
    kept_after_room_returned: Sequence[int]


def fill(target: str, bytes_at_most: int, pipe: Connection) -> None:
    """Write until no file may grow any more; then, with room again, write on."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open_store(target) as store:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_at_most, hard))
        error, acknowledged = write_until_full(store)
        kept = list(numbers_by_position(store).values())
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        store.meter_events.ingest(table(range(acknowledged + 1_000)))
        kept_after = list(numbers_by_position(store).values())
    pipe.send(
        RanOut(
            code=error.code,
            sentence=error.message,
            kept=kept,
            kept_after_room_returned=kept_after,
        )
    )


def write_until_full(store: metering.Metering) -> tuple[metering.MeteringError, int]:
    """Write batches until one is refused; return why, and how many events were not."""
    acknowledged = 0
    while True:
        try:
            store.meter_events.ingest(table(range(acknowledged, acknowledged + 500)))
        except metering.MeteringError as error:
            return error, acknowledged
        acknowledged += 500
