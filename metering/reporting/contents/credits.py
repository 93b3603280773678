"""The report of credits: the transactions of all grants."""

from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa

from ledger.usage.columns import TIMESTAMP, rows_table
from metering.arguments.clock import microseconds
from metering.credits.transactions import transaction_resource
from metering.reporting.contents.asked import AskedReport, ReportProgress
from metering.store.engine import Engine
from projections.credits.queries import CreditQueries
from projections.credits.transactions import TransactionPage, TransactionReader
from projections.kernels.credits.timeline import CreditTransaction
from projections.rows import Page

CREDITS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("created", TIMESTAMP, nullable=False),
        pa.field("effective_at", TIMESTAMP, nullable=False),
        pa.field("customer", pa.string()),
        pa.field("pool", pa.string()),
        pa.field("credit_grant", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("currency", pa.string(), nullable=False),
        pa.field("amount", pa.int64(), nullable=False),
        pa.field("balance_change", pa.int64(), nullable=False),
        pa.field("invoice", pa.string()),
        pa.field("invoice_line_item", pa.string()),
    ]
)

_AT_A_TIME = 1_000


class _Reached(NamedTuple):
    """Where the next transactions are.

    Attributes:
        after: the position of a grant, all of which were read.
        before: the last one that was read of the next grant.
    """

    after: int
    before: CreditTransaction | None


def credits_activity(
    engine: Engine, asked: AskedReport, advance: ReportProgress
) -> Iterator[pa.RecordBatch]:
    """Yield the transactions of each grant, in the order of grants, newest first.

    What a later fact changes of a grant has a later transaction, so those of the past
    stay as they were.
    """
    livemode = engine.settings.livemode
    place: _Reached | None = _Reached(0, None)
    while place is not None:
        # A pool may have one connection, which whoever takes the rows needs.
        with engine.credits(customers=()) as (seen, _):
            found, place = _portion(seen, asked, place)
        rows = [_row(each, livemode=livemode) for each in found]
        yield from rows_table(rows, CREDITS).to_batches()
        if place is not None:
            advance(place.after, asked.position)


def _portion(
    seen: CreditQueries, asked: AskedReport, place: _Reached
) -> tuple[list[CreditTransaction], _Reached | None]:
    """Read some transactions, and find the place of the next; None is the end."""
    found: list[CreditTransaction] = []
    after, before = place
    grants = seen.page_of_grants(None, Page(limit=_AT_A_TIME, after=after))[::-1]
    for grant in grants:
        if grant.position > asked.position:
            return found, None
        page = TransactionPage(limit=_AT_A_TIME, now=asked.end - 1, before=before)
        read = TransactionReader(seen, page).of_grant(grant)
        found += [
            each
            for each in read
            if each.instant >= asked.start and each.anchor <= asked.position
        ]
        if len(read) == _AT_A_TIME and read[-1].instant >= asked.start:
            return found, _Reached(after, read[-1])
        after, before = grant.position, None
        if len(found) >= _AT_A_TIME:
            break
    return found, _Reached(after, None) if grants else None


def _row(transaction: CreditTransaction, *, livemode: bool) -> tuple[object, ...]:
    made = transaction_resource(transaction, livemode=livemode)
    moved = made.credit or made.debit
    assert moved is not None, "a transaction is one of both"
    application, line = transaction.application, transaction.line
    return (
        made.id,
        microseconds(made.created),
        microseconds(made.effective_at),
        transaction.customer or None,
        made.pool,
        made.credit_grant,
        made.type,
        moved.type,
        transaction.grant.currency,
        transaction.amount,
        transaction.signed_amount,
        None if application is None else application.invoice,
        None if line is None else line.id,
    )
