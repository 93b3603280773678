"""Own faults that are planted in a store: what its totals, tables and checkpoints hold."""

from collections.abc import Callable
from contextlib import ExitStack
from random import Random

import numpy as np
import pyarrow as pa
from sqlalchemy import Table, func, insert, select, update

import metering
from ledger.database.addresses import open_database
from ledger.runs.files import MappedRun, RunColumns, open_run, write_run
from projections.alerts.tables import alert_checkpoint, credit_alert_checkpoint
from projections.credits.tables import credit_application
from tests.faults.edited.stores import opened
from tests.metering.alerts.test_alerts import create_alert
from tests.metering.alerts.test_alerts_on_credits import watch
from tests.metering.usual_credits import apply, grant, line
from tests.metering.usual_usage import (
    NOW,
    batch,
    cancel_event,
    create_event,
    create_meter,
)
from tests.segment_places import runs_of

_WORDS = ("name", "customer")
_CELLS = {
    "total": ("key", "count", "sum"),
    "last": ("key", "count", "timestamp", "position", "value"),
}
_CANCELLED = ("cancelled_event", "cancellation")


def make_audited(target: str) -> None:
    """Make a store with three segments, a tail, credits, and alerts still to trigger."""
    with opened(target, NOW) as store:
        tokens = create_meter(store)
        create_meter(store, "level", "last")
        watch(store, 950)
        grant(store, 1_000)
        grant(store, 500, customer="cus_2")
        for first in (0, 40, 80):
            store.meter_events.ingest(batch(first, 40, "{}.5"))
            for number in range(3):
                payload = {"stripe_customer_id": f"cus_{number}", "value": f"{first}"}
                create_event(store, "level", payload, timestamp=NOW)
            cancel_event(store, f"event-{first + 7}")
            store.catch_up()
            store.seal()
        apply(store, "in_1", line(30))
        apply(store, "in_2", line(10), customer="cus_2")
        create_alert(store, tokens, 5)
        store.catch_up()
        store.meter_events.ingest(batch(120, 12, "7"))
        apply(store, "in_3", line(40))


class Planted:
    """A copy of a store with a fault in it; `m` is a connection that meets it."""

    def __init__(self, target: str, kind: str, random: Random) -> None:
        self._closing = ExitStack()
        self._random = random
        self._runs = sorted(runs_of(target).rglob("usage-*.arrow"))
        if kind == "a changed word in a run":
            # Where it is mapped: changed before, it would be made anew.
            self.m = self._open(target)
            self._change_word()
        else:
            _KINDS[kind](self, target)
            self.m = self._open(target)

    def __enter__(self) -> metering.Metering:
        return self.m

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _open(self, target: str) -> metering.Metering:
        m = self._closing.enter_context(opened(target))
        m.status()
        return m

    # Runs.

    def _change_word(self) -> None:
        path = self._random.choice(self._runs)
        content = path.read_bytes()
        at = self._random.randrange(len(content) // 8) * 8
        word = bytes(
            byte ^ self._random.randrange(1, 256) for byte in content[at : at + 8]
        )
        with path.open("r+b") as file:
            file.seek(at)
            file.write(word)

    def total_off_by_one(self, _: str) -> None:
        def change(columns: dict[str, np.ndarray | pa.Array], kind: str) -> None:
            name = f"{kind}_{'sum' if kind == 'total' else 'value'}"
            numbers = np.array(columns[name])
            at = self._random.randrange(len(columns[f"{kind}_key"]))
            numbers[at] += self._random.choice((-1, 1))
            columns[name] = numbers

        self._rewrite(change)

    def missing_cell(self, _: str) -> None:
        def change(columns: dict[str, np.ndarray | pa.Array], kind: str) -> None:
            count = len(columns[f"{kind}_key"])
            at = self._random.randrange(count)
            for each in _CELLS[kind]:
                words = np.array(columns[f"{kind}_{each}"]).reshape(-1, count)
                columns[f"{kind}_{each}"] = np.delete(words, at, axis=1).reshape(-1)

        self._rewrite(change)

    def _rewrite(
        self, change: Callable[[dict[str, np.ndarray | pa.Array], str], None]
    ) -> None:
        """Write a run as if it had been made so."""
        path = self._random.choice(self._runs)
        run = open_run(path)
        assert run is not None, "it is as it was written"
        columns = _columns_of(run)
        kinds = [kind for kind in _CELLS if len(columns[f"{kind}_key"])]
        change(columns, self._random.choice(kinds))
        write_run(path.parent, run.identity, columns)
        path.unlink()

    # Tables.

    def stale_checkpoint(self, target: str) -> None:
        table = self._random.choice((alert_checkpoint, credit_alert_checkpoint))
        _move_ahead(target, table, self._random)

    def doubled_transaction(self, target: str) -> None:
        database = open_database(target, creates=False)
        with database.write() as connection:
            rows = connection.execute(
                select(credit_application).order_by(credit_application.c.position)
            ).all()
            row = dict(self._random.choice(rows)._mapping)  # noqa: SLF001  # SQLAlchemy's
            last = connection.execute(select(func.max(credit_application.c.position)))
            row["position"] = last.scalar_one() + self._random.randrange(1, 1_000)
            row["invoice"] = f"in_{self._random.randrange(10, 1_000)}"
            connection.execute(insert(credit_application), row)
        database.close()


def _columns_of(run: MappedRun) -> dict[str, np.ndarray | pa.Array]:
    names = [f"{kind}_{name}" for kind, ends in _CELLS.items() for name in ends]
    words: RunColumns = {name: run.array(name) for name in _WORDS}
    return {**words, **{name: run.numbers(name) for name in (*names, *_CANCELLED)}}


def _move_ahead(target: str, table: Table, random: Random) -> None:
    """Say that alerts were evaluated further than they were."""
    database = open_database(target, creates=False)
    with database.write() as connection:
        reached = connection.execute(select(table.c.position)).scalar_one()
        values = {"position": reached + random.randrange(12, 10_000)}
        connection.execute(update(table).values(values))
    database.close()


_KINDS: dict[str, Callable[[Planted, str], None]] = {
    "a total off by one unit": Planted.total_off_by_one,
    "a missing cell": Planted.missing_cell,
    "a stale checkpoint": Planted.stale_checkpoint,
    "a doubled transaction": Planted.doubled_transaction,
}
KINDS = ("a changed word in a run", *_KINDS)
