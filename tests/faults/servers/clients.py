"""Own what clients of a server do that goes away: they try again until it is done.

Each runs in a process of its own with one store, which it keeps open, until it is told
to end. It says what was acknowledged.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from random import Random
from typing import TypeVar

import metering
from tests.faults import credits as settled
from tests.faults.usage import create, open_store, table

CLEAR = {"store_unavailable", "commit_outcome_unknown", "store_busy"}
"""The codes of a server that is not there, goes away, or is not ready yet."""

EVENTS, INVOICES, METERS = "events", "invoices", "meters"
_SIZES, _WEIGHTS = (1, 30, 200), (12, 3, 1)
# Each is read by every evaluation.
_METERS_MAX = 100
_PAUSE_SECONDS = 0.01
_TRIES_MAX = 20_000
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a client was told is done.

    Attributes:
        what: what has the numbers.
        refusals: how often it was refused before.
    """

    what: str
    numbers: Sequence[int]
    refusals: int


class _Client:
    """Tries again until it succeeds, and says so."""

    def __init__(self, what: str, pipe: Connection) -> None:
        self._what = what
        self._pipe = pipe
        self._refusals = 0
        self._pause = threading.Event()

    @property
    def is_told_to_end(self) -> bool:
        return self._pipe.poll()

    def until_done(self, call: Callable[[], T]) -> T:
        """Call until it is not refused.

        Raises:
            MeteringError: it is refused for another reason than the server's absence.
        """
        for _ in range(_TRIES_MAX):
            try:
                return call()
            except metering.MeteringError as error:
                if error.code not in CLEAR:
                    raise
                self._refusals += 1
                self._pause.wait(_PAUSE_SECONDS)
        raise AssertionError("the server does not come back")

    def say_done(self, numbers: Sequence[int]) -> None:
        done = Done(what=self._what, numbers=numbers, refusals=self._refusals)
        self._refusals = 0
        self._pipe.send(done)


def append(target: str, first: int, seed: int, pipe: Connection) -> None:
    """Append events from a number on, one by one and in rows."""
    client, generator = _Client(EVENTS, pipe), Random(seed)
    start = first
    with client.until_done(partial(open_store, target)) as store:
        while not client.is_told_to_end:
            (size,) = generator.choices(_SIZES, _WEIGHTS)
            numbers = range(start, start + size)
            if size == 1:
                client.until_done(partial(create, store, start))
            else:
                ingest = partial(store.meter_events.ingest, table(numbers))
                receipt = client.until_done(ingest)
                assert receipt.accepted + receipt.duplicates == size, receipt
            client.say_done(numbers)
            start += size


def settle(target: str, seed: int, pipe: Connection) -> None:
    """Apply invoices, one by one and in runs."""
    client, generator = _Client(INVOICES, pipe), Random(seed)
    start = 0
    with client.until_done(partial(open_store, target)) as store:
        while not client.is_told_to_end:
            numbers = range(start, start + generator.choice([1, 1, 10]))
            if len(numbers) == 1:
                client.until_done(partial(settled.apply, store, start))
            else:
                client.until_done(partial(settled.apply_many, store, numbers))
            client.say_done(numbers)
            start = numbers.stop


def deliver(target: str, pipe: Connection) -> None:
    """Let things happen, and deliver what happened."""
    client = _Client(METERS, pipe)
    number = 0
    with client.until_done(partial(open_store, target)) as store:
        while not client.is_told_to_end:
            if number < _METERS_MAX:
                client.until_done(partial(ensure_meter, store, number))
                client.say_done([number])
                number += 1
            client.until_done(store.deliver)


def ensure_meter(store: metering.Metering, number: int) -> None:
    """Make a meter, unless it was made by a call of which nobody knows what became."""
    store.meters.ensure(
        display_name=f"meter {number}",
        event_name=f"meter {number}",
        default_aggregation={"formula": "sum"},
    )
