"""Own what processes of the fault tests record through recorders, until they are killed."""

import threading
from collections.abc import Sequence
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

import metering
from tests.faults.dying import Countdown
from tests.faults.usage import open_store, record
from tests.faults.writing import Acknowledged

THREADS = 4
HELD_MAX = 50
HOUR = timedelta(hours=1)


def take_in(store: metering.Metering, spool: Path) -> None:
    """Take in what killed processes left."""
    with store.recorder(spool=spool) as recorder:
        assert recorder.flush()


def record_spooled(
    target: str, numbers: Sequence[int], seed: float, pipe: Connection, *, spool: Path
) -> None:
    """Record events in a spool from some threads; each is acknowledged by its record."""
    generator = Random(seed)
    lock = threading.Lock()
    upcoming = iter(numbers)
    with (
        open_store(target) as store,
        store.recorder(
            spool=spool,
            max_events=generator.choice([2, 20, 1_000]),
            max_age=timedelta(milliseconds=5),
        ) as recorder,
    ):

        def record_some() -> None:
            while True:
                with lock:
                    number = next(upcoming)
                record(recorder, number)
                with lock:
                    pipe.send(Acknowledged(numbers=[number], accepted=1, duplicates=0))

        threads = [threading.Thread(target=record_some) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def record_held(
    target: str, numbers: Sequence[int], seed: float, pipe: Connection
) -> None:
    """Record events in memory, and say of each that it was recorded."""
    del seed
    with (
        open_store(target) as store,
        store.recorder(max_events=HELD_MAX, max_age=HOUR) as recorder,
    ):
        for number in numbers:
            pipe.send(Acknowledged(numbers=[number], accepted=0, duplicates=0))
            record(recorder, number)


def die_recording(spool: Path, target: str, steps: int, pipe: Connection) -> None:
    """Record a few events in a spool, and die before some step of it.

    Each event is acknowledged by its record, by its number; the end by a word.
    """
    with open_store(target) as store:
        Countdown(steps)
        with store.recorder(spool=spool, max_age=HOUR) as recorder:
            for number in range(6):
                record(recorder, number)
                pipe.send(number)
                if number == 2:
                    assert recorder.flush()
        pipe.send("done")
