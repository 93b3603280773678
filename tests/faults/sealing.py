"""Own what the other processes of the fault tests do to a store that is being sealed.

As in `tests.faults.writing`, each function runs in a process of its own, which may be
killed at any moment; what it has done, it says through a pipe, after the fact.
"""

import resource
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing.connection import Connection
from random import Random

import metering
from tests.faults.usage import create, numbers_by_position, open_store, table
from tests.faults.writing import Acknowledged


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """How many segments a call has made."""

    segments: int


def seal_again_and_again(target: str, seed: int, pipe: Connection) -> None:
    """Seal whatever is there until killed, and make anew now and then what follows."""
    generator = Random(seed)
    with open_store(target) as store:
        while True:
            if generator.random() < 0.1:
                store.rebuild()
            pipe.send(Sealed(segments=store.seal()))


def wander(target: str, numbers: Sequence[int], seed: float, pipe: Connection) -> None:
    """Send events in their order; between them seal, make anew, and read, at random."""
    walk = _Walk(numbers, Random(seed), pipe)
    deeds = {
        walk.create: 12,
        walk.ingest: 6,
        walk.seal: 2,
        walk.rebuild: 0.3,
        walk.read_everything: 1,
        walk.compare_answers: 2,
    }
    with open_store(target) as store:
        while not walk.is_over:
            (deed,) = walk.generator.choices([*deeds], [*deeds.values()])
            deed(store)


class _Walk:
    """One process's way through everything that can be done."""

    def __init__(
        self, numbers: Sequence[int], generator: Random, pipe: Connection
    ) -> None:
        self.generator = generator
        self._rest = numbers
        self._pipe = pipe
        self._seen: list[tuple[int, int]] = []

    @property
    def is_over(self) -> bool:
        return not self._rest

    def create(self, store: metering.Metering) -> None:
        (number,) = part = self._next(1)
        duplicates = int(create(store, number).duplicate)
        self._acknowledge(part, duplicates)

    def ingest(self, store: metering.Metering) -> None:
        part = self._next(self.generator.choice([20, 60]))
        self._acknowledge(part, store.meter_events.ingest(table(part)).duplicates)

    def seal(self, store: metering.Metering) -> None:
        self._pipe.send(Sealed(segments=store.seal()))

    def rebuild(self, store: metering.Metering) -> None:
        store.rebuild()

    def read_everything(self, store: metering.Metering) -> None:
        position = store.catch_up()
        stored = list(numbers_by_position(store).items())
        assert [at for at, _ in stored] == list(range(2, len(stored) + 2)), "a gap"
        assert len(stored) + 1 >= position, "an entry was skipped"
        assert stored[: len(self._seen)] == self._seen, "what was read has changed"
        self._seen = stored

    def compare_answers(self, store: metering.Metering) -> None:
        position = store.position
        table = store.reaggregate(window="month", as_of=position)
        recomputed: dict[str, Decimal] = {}
        for row in table.to_pylist():
            recomputed.setdefault(row["customer"], Decimal(0))
            recomputed[row["customer"]] += row["value"]
        found = store.sql(
            "SELECT customer, sum(value) AS value FROM events"
            f" WHERE position <= {position} GROUP BY ALL"
        )
        assert recomputed == {
            row["customer"]: row["value"] for row in found.to_pylist()
        }

    def _next(self, count: int) -> Sequence[int]:
        part, self._rest = self._rest[:count], self._rest[count:]
        return part

    def _acknowledge(self, part: Sequence[int], duplicates: int) -> None:
        accepted = len(part) - duplicates
        done = Acknowledged(numbers=part, accepted=accepted, duplicates=duplicates)
        self._pipe.send(done)


@dataclass(frozen=True, kw_only=True)
class NoRoom:
    """What a sealing met when there was no room, and what could be done all the same."""

    code: str
    sentence: str
    is_event_accepted: bool
    kept: Sequence[int]
    segments_when_room_returned: int


def seal_without_room(target: str, bytes_at_most: int, pipe: Connection) -> None:
    """Seal while no file may grow beyond a size; then send an event, and seal again."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open_store(target) as store:
        kept = len(numbers_by_position(store))
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_at_most, hard))
        error = _refusal(store)
        is_accepted = not create(store, kept).duplicate
        numbers = list(numbers_by_position(store).values())
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        pipe.send(
            NoRoom(
                code=error.code,
                sentence=error.message,
                is_event_accepted=is_accepted,
                kept=numbers,
                segments_when_room_returned=store.seal(),
            )
        )


def _refusal(store: metering.Metering) -> metering.MeteringError:
    try:
        store.seal()
    except metering.MeteringError as error:
        return error
    raise AssertionError("there was room to seal")
