"""The transactions of a billing run, as a table."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ledger.facts.credits import Draw, InvoiceLine
from metering.credits.settlement.commits import BatchDraws, Settled
from metering.credits.settlement.invoices import InvoiceBatch
from metering.credits.settlement.receipts import TRANSACTIONS
from metering.credits.transactions import id_prefix
from projections.credits.spendable import Spendable
from projections.kernels.credits.timeline import TransactionKind

_KIND = TransactionKind.APPLIED.value


def ids_of(draws: BatchDraws, first_position: int, *, livemode: bool) -> list[str]:
    """Return the ids of the draws of a committed batch.

    Args:
        draws: of the new invoices.
        first_position: of the first new invoice; the others follow it.
        livemode: of the ids.
    """
    prefix = id_prefix(livemode=livemode)
    return [
        f"{prefix}_{position:x}{_KIND}{number:x}"
        for position, number in zip(
            (draws.fact + first_position).tolist(), draws.number.tolist(), strict=True
        )
    ]


def transactions_of(
    batch: InvoiceBatch,
    settled: Settled,
    spendable: Spendable,
    ids: Sequence[str],
    *,
    livemode: bool,
) -> pa.Table:
    """Return the transactions of a batch, by invoice and draw.

    Args:
        batch: the invoices.
        settled: what was decided on them.
        spendable: the grants of the run.
        ids: of the draws of the new invoices.
        livemode: of the ids of invoices settled before.
    """
    draws = settled.draws
    grant_ids = spendable.grant_ids
    lines = batch.lines
    table = pa.table(
        [
            ids,
            pa.array(batch.ids, pa.string()).take(pa.array(draws.invoice)),
            [lines[at].id for at in draws.line.tolist()],
            [grant_ids[at] for at in draws.grant.tolist()],
            pa.array(batch.customers, pa.string()).take(pa.array(draws.invoice)),
            pa.array(batch.currencies, pa.string()).take(pa.array(draws.invoice)),
            draws.amount,
        ],
        schema=TRANSACTIONS,
    )
    if not settled.repeated and not settled.copies:
        return table
    rows, invoices = _of_before(batch, settled, ids, livemode=livemode)
    table = pa.concat_tables([table, rows])
    order = np.argsort(np.concatenate([draws.invoice, invoices]), kind="stable")
    return table.take(pa.array(order))


def _of_before(
    batch: InvoiceBatch, settled: Settled, ids: Sequence[str], *, livemode: bool
) -> tuple[pa.Table, np.ndarray]:
    """Return those of invoices settled before, and the invoice of each (int64)."""
    prefix = id_prefix(livemode=livemode)
    rows: list[tuple[object, ...]] = []
    invoices: list[int] = []

    def add(
        at: int,
        names: Sequence[str],
        lines: Sequence[InvoiceLine],
        draws: Sequence[Draw],
    ) -> None:
        invoices.extend([at] * len(draws))
        rows.extend(
            (
                name,
                batch.ids[at],
                lines[draw.line].id,
                settled.grant_ids[draw.grant_position],
                batch.customers[at],
                batch.currencies[at],
                draw.amount,
            )
            for name, draw in zip(names, draws, strict=True)
        )

    for at, application in settled.repeated.items():
        names = [
            f"{prefix}_{application.position:x}{_KIND}{number:x}"
            for number in range(len(application.draws))
        ]
        add(at, names, application.lines, application.draws)
    facts = {fact.invoice: number for number, fact in enumerate(settled.facts)}
    for at in settled.copies:
        number = facts[batch.ids[at]]
        first, last = np.searchsorted(settled.draws.fact, [number, number + 1]).tolist()
        fact = settled.facts[number]
        add(at, ids[first:last], fact.lines, fact.draws)
    columns = zip(*rows, strict=True) if rows else ([] for _ in TRANSACTIONS)
    table = pa.table([list(column) for column in columns], schema=TRANSACTIONS)
    return table, np.array(invoices, np.int64)
