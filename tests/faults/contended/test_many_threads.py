"""Threads share connections and do everything at once: no answer is torn, none hangs."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from random import Random

import pytest

import metering
from tests.faults.usage import (
    assert_holds,
    create,
    create_meter,
    numbers_by_position,
    open_store,
    table,
    totals,
)

THREADS = 6
ROUNDS = 40
EVENTS = 600


class Sender:
    """One thread's random walk through what can be done to a store."""

    def __init__(self, stores: list[metering.Metering], seed: int) -> None:
        self._stores = stores
        self._random = Random(seed)
        self._position = 0

    def run(self) -> None:
        deeds: list[tuple[Callable[[metering.Metering], None], int]] = [
            (self.create, 8),
            (self.ingest, 4),
            (self.rename_the_meter, 2),
            (self.read_totals, 4),
            (self.read_everything, 3),
            (self.catch_up, 2),
            (self.rebuild, 1),
            (self.verify, 1),
        ]
        for _ in range(ROUNDS):
            store = self._random.choice(self._stores)
            (deed,) = self._random.choices(*zip(*deeds, strict=True))
            deed(store)

    def create(self, store: metering.Metering) -> None:
        create(store, self._random.randrange(EVENTS))

    def ingest(self, store: metering.Metering) -> None:
        start = self._random.randrange(EVENTS - 20)
        receipt = store.meter_events.ingest(table(range(start, start + 20)))
        assert receipt.accepted + receipt.duplicates == 20

    def rename_the_meter(self, store: metering.Metering) -> None:
        (meter,) = store.meters.list()
        name = f"Tokens {self._random.random()}"
        # Another thread may have renamed it again by the time of the answer.
        assert store.meters.update(meter.id, display_name=name).id == meter.id

    def read_totals(self, store: metering.Metering) -> None:
        assert all(total >= 0 for total in totals(store).values())

    def read_everything(self, store: metering.Metering) -> None:
        numbers = list(numbers_by_position(store).values())
        assert len(numbers) == len(set(numbers))

    def catch_up(self, store: metering.Metering) -> None:
        position = store.catch_up()
        assert position >= self._position
        self._position = position

    def rebuild(self, store: metering.Metering) -> None:
        store.rebuild()

    def verify(self, store: metering.Metering) -> None:
        assert store.verify().problems == ()


@pytest.mark.slow
def test_threads_that_do_everything_at_once_see_one_consistent_store(
    store_target: str,
) -> None:
    create_meter(store_target)
    with ExitStack() as opened:
        stores = [opened.enter_context(open_store(store_target)) for _ in range(2)]

        with ThreadPoolExecutor(THREADS) as threads:
            walks = [
                threads.submit(Sender(stores, seed).run) for seed in range(THREADS)
            ]
        for walk in walks:
            walk.result()

        kept = [set(numbers_by_position(store).values()) for store in stores]
        assert kept[0] == kept[1]
        missing = sorted(set(range(EVENTS)) - kept[0])
        receipt = stores[0].meter_events.ingest(table(missing))
        assert receipt.accepted == len(missing)
        assert totals(stores[0]) == totals(stores[1])
        assert sorted(numbers_by_position(stores[1]).values()) == list(range(EVENTS))
        assert all(store.verify().ok for store in stores)


def test_threads_that_open_a_closed_store_again_do_not_disturb_each_other(
    store_target: str,
) -> None:
    create_meter(store_target)
    barrier = threading.Barrier(THREADS)

    def open_send_and_close(first: int) -> None:
        barrier.wait()
        for number in range(first, first + 5):
            with open_store(store_target) as store:
                create(store, number)

    with ThreadPoolExecutor(THREADS) as threads:
        done = [
            threads.submit(open_send_and_close, 5 * seed) for seed in range(THREADS)
        ]
    for each in done:
        each.result()

    with open_store(store_target) as store:
        assert_holds(store, range(5 * THREADS))


def test_a_store_closed_under_the_hands_of_others_refuses_them(
    store_target: str,
) -> None:
    create_meter(store_target)
    store = open_store(store_target)
    barrier = threading.Barrier(THREADS + 1)
    codes = list[str]()

    def send_until_refused(first: int) -> None:
        barrier.wait()
        number = first
        while True:
            try:
                create(store, number)
            except metering.MeteringError as error:
                codes.append(error.code)
                return
            number += THREADS

    with ThreadPoolExecutor(THREADS) as threads, suppress(metering.MeteringError):
        sending = [threads.submit(send_until_refused, seed) for seed in range(THREADS)]
        barrier.wait()
        store.close()
    for each in sending:
        each.result()

    assert len(codes) == THREADS
    assert set(codes) <= {"store_closed", "store_unavailable"}
    with open_store(store_target) as reopened:
        kept = set(numbers_by_position(reopened).values())
        assert_holds(reopened, kept)
