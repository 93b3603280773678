"""The transactions of a billing run, as a table."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ledger.usage.arrow import compute as pc
from ledger.usage.columns import rows_table
from metering.credits.settlement.commits import BatchDraws, Settled
from metering.credits.settlement.invoices import InvoiceBatch
from metering.credits.settlement.receipts import TRANSACTIONS
from metering.credits.transactions import id_prefix
from projections.credits.spendable import Spendable
from projections.kernels.credits.timeline import TransactionKind

_KIND = TransactionKind.APPLIED.value


def ids_of(draws: BatchDraws, first_position: int, *, livemode: bool) -> pa.Array:
    """Return the ids (string) of the draws of a committed batch.

    Args:
        draws: of the new invoices.
        first_position: of the first new invoice; the others follow it.
        livemode: of the ids.
    """
    prefix = id_prefix(livemode=livemode)
    count = int(draws.fact.max(initial=-1)) + 1
    heads = pa.array(
        [f"{prefix}_{first_position + fact:x}{_KIND}" for fact in range(count)],
        pa.string(),
    )
    most = int(draws.number.max(initial=-1)) + 1
    ends = pa.array([f"{number:x}" for number in range(most)], pa.string())
    return pc.binary_join_element_wise(
        heads.take(pa.array(draws.fact)), ends.take(pa.array(draws.number)), ""
    )


def transactions_of(
    batch: InvoiceBatch,
    settled: Settled,
    spendable: Spendable,
    ids: Sequence[str] | pa.Array,
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
    table = pa.table(
        [
            ids,
            pa.array(batch.ids, pa.string()).take(pa.array(draws.invoice)),
            batch.line_ids.take(draws.line),
            pa.array(spendable.grant_ids, pa.string()).take(pa.array(draws.grant)),
            batch.customers.take(draws.invoice),
            batch.currencies.take(draws.invoice),
            draws.amount,
        ],
        schema=TRANSACTIONS,
    )
    if not settled.repeated and not settled.copies:
        return table
    repeated, of_repeated = _of_before(batch, settled, livemode=livemode)
    copied, of_copied = _copies(settled)
    table = pa.concat_tables([table, table.take(pa.array(copied)), repeated])
    of_rows = np.concatenate([draws.invoice, of_copied, of_repeated])
    return table.take(pa.array(np.argsort(of_rows, kind="stable")))


def _copies(settled: Settled) -> tuple[np.ndarray, np.ndarray]:
    """Return the draws that invoices repeat, and the invoice of each (int64)."""
    of_draws = settled.draws.invoice
    rows, invoices = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for at, original in settled.copies.items():
        first, last = np.searchsorted(of_draws, [original, original + 1]).tolist()
        rows.append(np.arange(first, last))
        invoices.append(np.full(last - first, at))
    return np.concatenate(rows), np.concatenate(invoices)


def _of_before(
    batch: InvoiceBatch, settled: Settled, *, livemode: bool
) -> tuple[pa.Table, np.ndarray]:
    """Return those of invoices settled before, and the invoice of each (int64)."""
    prefix = id_prefix(livemode=livemode)
    rows: list[tuple[object, ...]] = []
    invoices: list[int] = []
    for at, application in settled.repeated.items():
        invoices.extend([at] * len(application.draws))
        rows.extend(
            (
                f"{prefix}_{application.position:x}{_KIND}{number:x}",
                batch.ids[at],
                application.lines[draw.line].id,
                settled.grant_ids[draw.grant_position],
                batch.customers[at],
                batch.currencies[at],
                draw.amount,
            )
            for number, draw in enumerate(application.draws)
        )
    return rows_table(rows, TRANSACTIONS), np.array(invoices, np.int64)
