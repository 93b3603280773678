"""A page costs the same however much there is: the databases read as many rows for it.

Work is counted, not timed: steps of SQLite's machine, rows that PostgreSQL's plans read.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from sqlalchemy import Connection, event, make_url
from sqlalchemy.engine import Engine

import metering
from ledger.segments.layout import ROWS_IN_A_GROUP
from ledger.segments.parts import PartsFile
from metering.webhooks.enqueueing import enqueue
from tests.metering.usual_credits import grant
from tests.metering.usual_usage import NOW, create_meter

FEW, MANY = 150, 1_500
MOST = 2
"""How many times the work of a page of few a page of many may be."""

Pages = dict[str, Callable[[], object]]


def fill(store: metering.Metering, count: int) -> tuple[metering.Meter, str]:
    """Make so many triggers, transactions, events and deliveries to an endpoint."""
    meter = create_meter(store)
    endpoint = store.webhook_endpoints.create(
        url="https://a.example/", enabled_events=["*"]
    )
    threshold: metering.UsageThresholdParams = {
        "gte": 1,
        "meter": meter.id,
        "recurrence": "one_time",
    }
    for number in range(3):
        store.alerts.create(title=f"Alert {number}", usage_threshold=threshold)
    store.meter_events.ingest(
        [
            {
                "event_name": "tokens",
                "identifier": f"event_{number}",
                "timestamp": NOW,
                "payload": {"stripe_customer_id": f"cus_{number}", "value": "1"},
            }
            for number in range(count)
        ]
    )
    store.catch_up()
    for number in range(5):
        grant(store, 10**6, expires_at=NOW + timedelta(days=number + 1))
    store.credits.apply_many(
        pa.table(
            {
                "invoice": [f"in_{number}" for number in range(count)],
                "customer": ["cus_1"] * count,
                "period_end": pa.array([NOW] * count, pa.timestamp("us", "UTC")),
                "line": ["il_1"] * count,
                "amount": pa.array([7] * count, pa.int64()),
                "currency": ["usd"] * count,
                "price": ["price_1"] * count,
            }
        )
    )
    for number in range(0, 20, 2):
        store.credits.reinstate(invoice=f"in_{number}")
    enqueue(store._engine)  # noqa: SLF001  # nothing is to be sent
    return meter, endpoint.id


def pages(store: metering.Metering, meter: metering.Meter, endpoint_id: str) -> Pages:
    """Every page that is to cost the same, beginning, middle and end of its list."""
    [alert, *_] = store.alerts.list()
    [drawn, *_] = store.credit_grants.list("cus_1", limit=100)[::-1]

    def transactions(**more: Any) -> metering.ListObject[Any]:
        return store.credit_balance_transactions.list("cus_1", **more)

    def deliveries(**more: Any) -> metering.ListObject[Any]:
        return store.webhook_endpoints.deliveries(endpoint_id, **more)

    found: Pages = {
        "transactions of a grant": lambda: transactions(credit_grant=drawn.id),
        "deliveries": deliveries,
        "triggers": lambda: store.alerts.triggered(limit=10),
        "triggers of an alert": lambda: store.alerts.triggered(alert.id, limit=10),
        "triggers of a customer": lambda: store.alerts.triggered(
            customer="cus_7", limit=10
        ),
        "triggers next to one": lambda: store.alerts.triggered(
            starting_after=meter_position + 40, limit=10
        ),
        "events of a rare type": lambda: store.events.list("billing.meter.created"),
        "events of some types": lambda: store.events.list("billing.*.created"),
        "events by time": lambda: store.events.list(
            created={"gte": NOW - timedelta(hours=1), "lt": NOW + timedelta(hours=1)}
        ),
        "events that are undelivered": lambda: store.events.list(
            delivery_success=False
        ),
        "grants": lambda: store.credit_grants.list("cus_1"),
        "alerts": store.alerts.list,
        "alerts on a meter": lambda: store.alerts.list(meter=meter.id),
    }
    meter_position = store.alerts.triggered(limit=100)[0].position
    lists: dict[str, Callable[..., metering.ListObject[Any]]] = {
        "transactions": transactions,
        "deliveries": deliveries,
        "events": store.events.list,
    }
    for name, fetch in lists.items():
        last = fetch(limit=100)[-1]
        cursor = last.event if name == "deliveries" else last.id
        found |= {
            name: fetch,
            f"{name} after one": partial(fetch, starting_after=cursor),
            f"{name} before one": partial(fetch, ending_before=cursor),
        }
    return found


class Work:
    """Counts what the databases do for each page."""

    def __init__(self) -> None:
        self.done = 0
        self._is_counting = True
        self._drivers: list[Any] = []

    def stop(self) -> None:
        for driver in self._drivers:
            driver.set_progress_handler(None, 1)

    def on_statement(
        self, connection: Connection, _: object, sql: str, given: Any, *__: Any
    ) -> None:
        if connection.dialect.name == "sqlite":
            driver: Any = connection.connection.driver_connection
            driver.set_progress_handler(self._step, 1)
            self._drivers.append(driver)
        elif self._is_counting and sql.lstrip().upper().startswith(("SELECT", "WITH")):
            self._is_counting = False
            explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}"
            [(plan,)] = connection.exec_driver_sql(explain, given)
            plan = json.loads(plan) if isinstance(plan, str) else plan
            self.done += _rows_read(plan[0]["Plan"])
            self._is_counting = True

    def _step(self) -> int:
        self.done += 1
        return 0


def _rows_read(node: dict[str, Any]) -> int:
    own = 0
    if "Scan" in node["Node Type"]:
        removed = sum(
            rows for name, rows in node.items() if name.startswith("Rows Removed")
        )
        own = round((node["Actual Rows"] + removed) * node["Actual Loops"])
    return own + sum(_rows_read(below) for below in node.get("Plans", ()))


@contextmanager
def counted() -> Iterator[Work]:
    work = Work()
    event.listen(Engine, "before_cursor_execute", work.on_statement)
    try:
        yield work
    finally:
        event.remove(Engine, "before_cursor_execute", work.on_statement)
        work.stop()


def work_of_pages(target: str, count: int) -> dict[str, int]:
    """How much the database does for each page of a store with so many of everything."""
    with metering.connect(target, clock=metering.FixedClock(NOW)) as store:
        found = pages(store, *fill(store, count))
        if target.startswith("postgresql"):
            url = make_url(target).render_as_string(hide_password=False)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("ANALYZE")
        done = {}
        for name, fetch in found.items():
            fetch()
            with counted() as work:
                assert fetch(), name
            done[name] = work.done
    return done


@pytest.mark.dialect
def test_a_page_reads_as_much_of_a_long_list_as_of_a_short_one(
    store_targets: Callable[[], AbstractContextManager[str]],
) -> None:
    with store_targets() as small, store_targets() as large:
        few, many = work_of_pages(small, FEW), work_of_pages(large, MANY)

    assert min(few.values()) > 0
    more = {
        name: (few[name], work)
        for name, work in many.items()
        if work > MOST * max(few[name], 30)
    }
    assert more == {}


def rows_decoded(target: str, customers: int) -> list[int]:
    """How many rows of a segment each page of a customer's events decodes, in turn."""
    with metering.connect(target, clock=metering.FixedClock(NOW)) as store:
        create_meter(store)
        count = 70_000
        numbers = range(count)
        store.meter_events.ingest(
            pa.table(
                {
                    "event_name": ["tokens"] * count,
                    "identifier": [f"event_{number}" for number in numbers],
                    "timestamp": pa.array([NOW] * count, pa.timestamp("us", "UTC")),
                    "stripe_customer_id": [f"cus_{n % customers}" for n in numbers],
                    "value": ["1"] * count,
                }
            )
        )
        store.seal()
    decoded = []
    with metering.connect(target, clock=metering.FixedClock(NOW)) as store:
        after, rows = 0, list[int]()

        def on_read(found: pa.Table) -> pa.Table:
            rows.append(found.num_rows)
            return found

        with reads_of_parts(on_read):
            for _ in range(3):
                rows.clear()
                page = list(
                    islice(
                        store.meter_events.list(customer="cus_1", starting_after=after),
                        10,
                    )
                )
                assert len(page) == 10
                after = page[-1].position
                decoded.append(sum(rows))
    return decoded


@contextmanager
def reads_of_parts(on_read: Callable[[pa.Table], pa.Table]) -> Iterator[None]:
    """See every table that is decoded of a segment's file."""
    read = PartsFile.read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PartsFile, "read", lambda *given: on_read(read(*given)))
        yield


def test_a_page_of_sealed_events_decodes_a_group_of_rows_once(tmp_path: Path) -> None:
    first, *next_pages = rows_decoded(str(tmp_path / "usage"), customers=2)

    # Where the customer's rows are, and one group of them; the next pages are there.
    assert first <= 70_000 + ROWS_IN_A_GROUP
    assert next_pages == [0, 0]
