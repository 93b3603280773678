"""What a store says of every customer, as rows that another store's are compared with.

Each is one figure: usage of a meter in a window, what a statement or a line of one comes
to, that an alert triggered, or a credit balance. All are exact, and a figure that a store
lacks counts as 0.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from ledger.usage.columns import TIMESTAMP
from ledger.usage.quantities import QUANTITY
from metering.alerts.alerts import Alerts
from metering.arguments.words import UsageWindowName
from metering.comparing.balances import balances_of_everybody
from metering.reaggregation.requests import SumUsage
from metering.reaggregation.usage import used
from metering.statements.statements import Statements
from metering.store.engine import Engine

USAGE, STATEMENT, LINE, ALERT, BALANCE = KINDS = (
    "usage",
    "statement",
    "statement_line",
    "alert",
    "balance",
)
"""The kinds of figures, in the order in which they are shown."""

_STATEMENTS_AT_A_TIME = 100
FIGURES = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("customer", pa.string(), nullable=False),
        pa.field("subject", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("window_start", TIMESTAMP),
        pa.field("window_end", TIMESTAMP),
        pa.field("currency", pa.string()),
        pa.field("value", QUANTITY, nullable=False),
    ]
)


class StoreFigure(NamedTuple):
    """A row of `FIGURES`, all of whose columns but the first two may be absent."""

    kind: str
    customer: str
    subject: str | None
    detail: str | None
    start: datetime | None
    end: datetime | None
    currency: str | None
    value: int


def figures_of(
    engine: Engine, window: UsageWindowName | None, timezone: str
) -> Iterator[pa.Table]:
    """Yield the figures of a store, a kind at a time, with the columns of `FIGURES`.

    A store is read, and alerts are as they were evaluated. Only a rehearsal, of which
    nobody is told, is brought up to the present before.
    """
    if engine.log.lineage.is_rehearsal:
        engine.evaluator.evaluate()
    yield _usage(engine, window, timezone)
    yield _table(_of_statements(engine))
    yield _table(_of_alerts(engine))
    yield _table(_of_balances(engine))


def _usage(engine: Engine, window: UsageWindowName | None, timezone: str) -> pa.Table:
    asked = SumUsage(
        meters=None,
        start_time=None,
        end_time=None,
        window=window,
        timezone=timezone,
        customers=None,
    )
    found = used(engine, asked, None)
    count = found.num_rows
    nothing = pa.nulls(count, pa.string())
    starts, ends = found.column("window_start"), found.column("window_end")
    if window is None:
        # From the first event to the last, which need not be the same in two stores.
        starts = ends = pa.nulls(count, TIMESTAMP)
    columns = [
        pa.repeat(USAGE, count),
        found.column("customer"),
        found.column("event_name"),
        nothing,
        starts,
        ends,
        nothing,
        found.column("value"),
    ]
    return pa.table(columns, schema=FIGURES)


def _of_statements(engine: Engine) -> Iterator[StoreFigure]:
    listed = Statements(engine).list(limit=_STATEMENTS_AT_A_TIME)
    for each in listed.auto_paging_iter():
        # Nothing is due of one that is void, nor of its lines.
        factor = 0 if each.status == "void" else 1
        period, currency = (each.period_start, each.period_end), each.currency
        due = factor * each.amount_due
        yield StoreFigure(
            STATEMENT, each.customer, each.id, None, *period, currency, due
        )
        for line in each.lines:
            yield StoreFigure(
                LINE,
                line.customer,
                each.id,
                line.price,
                line.period_start,
                line.period_end,
                line.currency,
                factor * line.amount,
            )


def _of_alerts(engine: Engine) -> Iterator[StoreFigure]:
    for each in Alerts(engine).triggered():
        alert = each.alert
        # That it triggered then, once; elsewhere it may have at another event.
        yield StoreFigure(
            ALERT, each.customer, alert.id, alert.title, each.timestamp, None, None, 1
        )


def _of_balances(engine: Engine) -> Iterator[StoreFigure]:
    for customer, currency, balance in balances_of_everybody(engine):
        for word, amount in (
            ("ledger", balance.ledger),
            ("available", balance.available),
            ("held", balance.held),
        ):
            yield StoreFigure(
                BALANCE, customer, None, word, None, None, currency, amount
            )


def _table(figures: Iterable[StoreFigure]) -> pa.Table:
    columns = [*zip(*figures, strict=True)] or [()] * len(FIGURES)
    arrays = [
        pa.array(values, field.type if field.name != "value" else pa.int64())
        for values, field in zip(columns, FIGURES, strict=True)
    ]
    return pa.table(
        [each.cast(f.type) for each, f in zip(arrays, FIGURES, strict=True)],
        schema=FIGURES,
    )
