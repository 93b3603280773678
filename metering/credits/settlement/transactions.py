"""The transactions of a billing run, as a table."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ledger.facts.credits import Draw, InvoiceLine
from metering.credits.settlement.commits import Settled
from metering.credits.settlement.invoices import InvoiceBatch
from metering.credits.settlement.receipts import TRANSACTIONS
from metering.credits.transactions import id_prefix
from projections.credits.spendable import Spendable
from projections.kernels.credits.timeline import TransactionKind

_KIND = TransactionKind.APPLIED.value


def transactions_of(
    batch: InvoiceBatch,
    settled: Settled,
    spendable: Spendable,
    first_position: int,
    *,
    livemode: bool,
) -> pa.Table:
    """Return the transactions of a committed batch, by invoice and draw.

    Args:
        batch: the invoices.
        settled: what was decided on them.
        spendable: the grants of the run.
        first_position: of the first new invoice; the others follow it.
        livemode: of the ids.
    """
    prefix = id_prefix(livemode=livemode)
    draws = settled.draws
    grant_ids = spendable.grant_ids
    ids = [
        f"{prefix}_{position:x}{_KIND}{number:x}"
        for position, number in zip(
            (draws.fact + first_position).tolist(), draws.number.tolist(), strict=True
        )
    ]
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
    rows, invoices = _of_before(batch, settled, prefix, first_position)
    table = pa.concat_tables([table, rows])
    order = np.argsort(np.concatenate([draws.invoice, invoices]), kind="stable")
    return table.take(pa.array(order))


def _of_before(
    batch: InvoiceBatch, settled: Settled, prefix: str, first_position: int
) -> tuple[pa.Table, np.ndarray]:
    """Return those of invoices settled before, and the invoice of each (int64)."""
    rows: list[tuple[object, ...]] = []
    invoices: list[int] = []

    def add(
        at: int, position: int, lines: Sequence[InvoiceLine], draws: Sequence[Draw]
    ) -> None:
        invoices.extend([at] * len(draws))
        rows.extend(
            (
                f"{prefix}_{position:x}{_KIND}{number:x}",
                batch.ids[at],
                lines[draw.line].id,
                settled.grant_ids[draw.grant_position],
                batch.customers[at],
                batch.currencies[at],
                draw.amount,
            )
            for number, draw in enumerate(draws)
        )

    for at, application in settled.repeated.items():
        add(at, application.position, application.lines, application.draws)
    facts = {fact.invoice: number for number, fact in enumerate(settled.facts)}
    for at in settled.copies:
        number = facts[batch.ids[at]]
        fact = settled.facts[number]
        add(at, first_position + number, fact.lines, fact.draws)
    columns = zip(*rows, strict=True) if rows else ([] for _ in TRANSACTIONS)
    table = pa.table([list(column) for column in columns], schema=TRANSACTIONS)
    return table, np.array(invoices, np.int64)
