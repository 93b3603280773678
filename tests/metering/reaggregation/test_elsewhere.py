"""Re-aggregation on other threads, processes and a cluster gives the same table."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from distributed import Client, LocalCluster

import metering

pytestmark = pytest.mark.slow

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SEGMENTS = 6
EVENTS = 400


@pytest.fixture
def store(s3_url: str, tmp_path: Path) -> Iterator[metering.Metering]:
    """A store whose segments are objects, with a tail and cancelled events."""
    clock = metering.FixedClock(NOW)
    with metering.connect(tmp_path / "usage", clock=clock, segments=s3_url) as store:
        for formula in ("sum", "last", "unique_count"):
            store.meters.create(
                display_name=formula,
                event_name=formula,
                default_aggregation={"formula": formula},
                value_settings={"event_payload_key": "value"},
            )
        for part in range(SEGMENTS + 1):
            store.meter_events.ingest(events(part))
            cancel(store, f"event-{EVENTS * part // 2}")
            if part < SEGMENTS:
                assert store.seal() == 1
        yield store


def events(part: int) -> pa.Table:
    numbers = range(part * EVENTS, (part + 1) * EVENTS)
    return pa.table(
        {
            "event_name": [("sum", "last", "unique_count")[n % 3] for n in numbers],
            "identifier": [f"event-{n}" for n in numbers],
            "timestamp": [NOW - timedelta(minutes=7 * n) for n in numbers],
            "stripe_customer_id": [f"cus_{n % 11}" for n in numbers],
            "value": [f"{n % 17}.{n % 10}" for n in numbers],
            "model": [f"m{n % 3}" for n in numbers],
        }
    )


def cancel(store: metering.Metering, identifier: str) -> None:
    number = int(identifier.removeprefix("event-"))
    store.meter_event_adjustments.create(
        event_name=("sum", "last", "unique_count")[number % 3],
        type="cancel",
        cancel={"identifier": identifier},
    )


def asked(store: metering.Metering, executor: Executor | None) -> pa.Table:
    return store.reaggregate(
        window="day", timezone="Europe/Berlin", group_by=["model"], executor=executor
    )


def test_every_executor_gives_the_same_table(store: metering.Metering) -> None:
    alone = asked(store, None)

    assert alone.num_rows > 100
    with ThreadPoolExecutor(3) as threads:
        assert asked(store, threads).equals(alone)
    with ProcessPoolExecutor(2) as processes:
        assert asked(store, processes).equals(alone)


def test_a_cluster_that_loses_a_worker_gives_the_same_table(
    store: metering.Metering,
) -> None:
    alone = asked(store, None)

    with (
        LocalCluster(  # type: ignore[no-untyped-call]  # untyped
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
        ) as cluster,
        Client(cluster) as client,  # type: ignore[no-untyped-call]  # untyped
    ):
        assert asked(store, client.get_executor()).equals(alone)

        losing = LosingAWorker(client)
        assert asked(store, losing).equals(alone)

        assert losing.has_lost_one
        # The cluster replaces it.
        assert asked(store, client.get_executor()).equals(alone)


def test_an_error_of_a_worker_is_the_error(store: metering.Metering) -> None:
    with (
        ProcessPoolExecutor(1) as processes,
        pytest.raises(metering.ValueUnreadableError) as caught,
    ):
        store.reaggregate(value_key="model", executor=processes)

    assert caught.value.key == "model"


class LosingAWorker(Executor):
    """A cluster's executor, one of whose workers is killed as the jobs come in."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._executor = client.get_executor()  # type: ignore[no-untyped-call]  # untyped
        self._submitted = 0
        self.has_lost_one = False

    def submit(self, /, *arguments: Any, **keywords: Any) -> "Future[Any]":
        future: Future[Any] = self._executor.submit(*arguments, **keywords)
        self._submitted += 1
        if self._submitted == SEGMENTS // 2:
            pids = self._client.run(os.getpid)
            os.kill(min(pids.values()), signal.SIGKILL)
            self.has_lost_one = True
        return future
