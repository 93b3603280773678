"""Every loop in the background is seen to fail, goes on by itself, and loses nothing.

A table: what befalls a store, and which loops then fail with which errors. The faults
are real ones: a disk without room, another process that writes for too long, a server
that is stopped, an object store that refuses.
"""

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
from werkzeug import Request, Response

import metering
from metering.webhooks.enqueueing import enqueue
from tests.faults.servers.conftest import own_server
from tests.faults.servers.stopping import stop_at_once
from tests.faults.test_full_disk import fill_up, mounted
from tests.faults.usage import (
    NOW,
    expected_totals,
    numbers_by_position,
    record,
    table,
)
from tests.metering.usual_usage import create_meter
from tests.object_server import Answer, ObjectServer
from tests.processes import Child
from tests.waiting import eventually
from tests.webhook_receiver import Receiver, running_receiver

__all__ = ["own_server"]  # A fixture.

SENT = 300
HELD = 20
CUSTOMERS = 7
FULL = {"store_full", "segment_store_unavailable"}


@dataclass(frozen=True, kw_only=True)
class Befallen:
    """Where a store is, and what befalls it.

    Attributes:
        places: keywords of `metering.connect`, its target among them.
        fault: lasts as long as the block.
        failing: the codes that a loop may fail with, by name.
    """

    places: Mapping[str, Any]
    fault: Callable[[], AbstractContextManager[None]]
    failing: Mapping[str, set[str]]


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Befallen]:
    """No byte is free, for the log, its segments and its runs."""

    @contextmanager
    def fault() -> Iterator[None]:
        fill_up(disk)
        try:
            yield
        finally:
            (disk / "filler").unlink()

    options = ("-t", "tmpfs", "-o", "size=12m", "tmpfs")
    with mounted(tmp_path / "disk", *options) as disk:
        yield Befallen(
            places={"target": str(disk / "usage")},
            fault=fault,
            failing={
                "alerts": {"store_full"},
                "webhooks": {"store_full"},
                "deliveries": {"store_full"},
                "sealing": FULL,
                "recorder": {"store_full"},
            },
        )


def hold_the_write_lock(file: str, pipe: Connection) -> None:
    """Write to a file of SQLite, without an end."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    pipe.send("held")
    pipe.recv()


@pytest.fixture
def busy(tmp_path: Path, processes: ForkServerContext) -> Befallen:
    """Another process writes, for longer than anybody waits."""
    target = tmp_path / "usage"

    @contextmanager
    def fault() -> Iterator[None]:
        child = Child(processes, hold_the_write_lock, str(target / "log.db"))
        assert child.pipe.recv() == "held"
        try:
            yield
        finally:
            child.kill()

    busy = {"store_busy"}
    return Befallen(
        places={
            "target": str(target),
            "lock_timeout": timedelta(milliseconds=100),
        },
        fault=fault,
        failing=dict.fromkeys(
            ("alerts", "webhooks", "deliveries", "sealing", "recorder"), busy
        ),
    )


@pytest.fixture
def stopped_server(own_server: Any, tmp_path: Path) -> Befallen:
    """The server has crashed, and is started again later."""

    @contextmanager
    def fault() -> Iterator[None]:
        stop_at_once(own_server)
        try:
            yield
        finally:
            own_server.ensure_postgres_running()

    lost = {"store_unavailable", "commit_outcome_unknown"}
    return Befallen(
        places={"target": own_server.get_uri(), "cache": str(tmp_path / "runs")},
        fault=fault,
        # The first of the worker's steps keeps the others back.
        failing={"worker": lost, "recorder": lost},
    )


@pytest.fixture
def refusing_objects(
    tmp_path: Path, s3_url: str, object_server: ObjectServer
) -> Befallen:
    """The object store takes nothing; all else goes on."""

    def refuse(request: Request, answer: Answer) -> Response:
        return Response(status=503) if request.method == "PUT" else answer()

    return Befallen(
        places={"target": str(tmp_path / "usage"), "segments": s3_url},
        fault=lambda: object_server.misbehaving(refuse),
        failing={"sealing": {"segment_store_unavailable"}},
    )


FAULTS = [
    "full_disk",
    "busy",
    "refusing_objects",
    pytest.param("stopped_server", marks=pytest.mark.postgresql),
]


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_loops_are_seen_to_fail_go_on_and_lose_nothing(
    name: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    befallen: Befallen = request.getfixturevalue(name)
    with ExitStack() as opened:
        receiver = opened.enter_context(running_receiver())
        give_work(befallen.places, receiver)
        store = opened.enter_context(opened_store(befallen.places, seal_events=100))
        recorder = opened.enter_context(
            store.recorder(max_age=timedelta(milliseconds=50))
        )
        caplog.set_level(logging.WARNING, "metering")
        with befallen.fault():
            opened.enter_context(store.worker())
            for number in range(SENT, SENT + HELD):
                record(recorder, number)
            eventually(lambda: befallen.failing.keys() <= failing(store).keys())
            seen = failing(store)
            eventually(
                lambda: all(
                    failing(store)[name].failures >= 3 for name in befallen.failing
                )
            )

        eventually(lambda: not failing(store))
        eventually(lambda: is_all_told(store, receiver))
        eventually(lambda: store.status().sealed_position > 0)
        recorder.flush()

        for loop, codes in befallen.failing.items():
            assert seen[loop].code in codes
            assert seen[loop].message
        # What has nothing to do with the fault goes on, but for what is only kept.
        assert seen.keys() - befallen.failing.keys() <= {
            "keeping",
            "runs",
            "reclaiming",
        }
        # Each says it once, however often it is tried.
        said = [each for each in caplog.records if each.name.startswith("metering.")]
        assert len(befallen.failing) <= len(said) <= 3 * len(befallen.failing)
        assert len(store.alerts.triggered()) == CUSTOMERS
        assert store.status().pending_deliveries == 0
        numbers = numbers_by_position(store).values()
        assert sorted(numbers) == list(range(SENT + HELD))
        assert sums(store) == expected_totals(range(SENT + HELD))


def give_work(places: Mapping[str, Any], receiver: Receiver) -> None:
    """Record what each loop has to do, and let none of them do it."""
    with opened_store(places, seal_events=None) as store:
        meter = create_meter(store)
        store.webhook_endpoints.create(url=f"{receiver.url}/", enabled_events=["*"])
        create_meter(store, "enqueued")
        enqueue(store._engine)  # noqa: SLF001  # and send nothing
        create_meter(store, "to enqueue")
        threshold: Any = {"gte": 1, "meter": meter.id, "recurrence": "one_time"}
        store.alerts.create(title="Much", usage_threshold=threshold)
        store.meter_events.ingest(table(range(SENT)))


def sums(store: metering.Metering) -> dict[str, Decimal]:
    found = store.reaggregate("tokens", window="month").to_pylist()
    customers = {row["customer"] for row in found}
    return {
        each: sum(
            (row["value"] for row in found if row["customer"] == each), Decimal(0)
        )
        for each in customers
    }


def is_all_told(store: metering.Metering, receiver: Receiver) -> bool:
    """Whether all that the endpoint is to receive has arrived, and is known to have."""
    (endpoint,) = store.webhook_endpoints.list()
    deliveries = list(store.webhook_endpoints.deliveries(endpoint.id, limit=100))
    arrived = {json.loads(each.body)["id"] for each in receiver.received}
    return (
        len(deliveries) >= CUSTOMERS + 2
        and all(each.status == "delivered" for each in deliveries)
        and {each.event for each in deliveries} == arrived
    )


def opened_store(places: Mapping[str, Any], **keywords: Any) -> metering.Metering:
    return metering.connect(
        **{**places, **keywords},
        clock=metering.FixedClock(NOW),
        allow_private_webhooks=True,
    )


def failing(store: metering.Metering) -> dict[str, metering.LoopStatus]:
    return {each.name: each for each in store.loops() if each.failing_since}
