"""What a portion of a billing run records, by columns."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from ledger.facts.settlements import (
    INVOICES_IN_A_BLOCK,
    InvoiceBlock,
    SettledColumns,
    SettledInvoices,
)
from metering.credits.settlement.commits import Settled
from metering.credits.settlement.invoices import InvoiceBatch
from projections.credits.spendable import Spendable


def facts_of(
    batch: InvoiceBatch, settled: Settled, spendable: Spendable
) -> SettledInvoices:
    """Return the facts that settle the invoices of a batch.

    Args:
        batch: the invoices.
        settled: what was decided on them.
        spendable: the grants of the run.
    """
    return SettledInvoices(
        tuple(settled.given_back),
        tuple(map(InvoiceBlock.of, _blocks(batch, settled, spendable))),
    )


def _blocks(
    batch: InvoiceBatch, settled: Settled, spendable: Spendable
) -> Iterator[SettledColumns]:
    new, draws = settled.new, settled.draws
    line_counts = batch.first_line[new + 1] - batch.first_line[new]
    draw_bounds = np.searchsorted(draws.fact, np.arange(len(new) + 1))
    draw_counts = np.diff(draw_bounds)
    of_line = draws.line - batch.first_line[draws.invoice]
    grants = spendable.positions[draws.grant]
    cuts = [*range(0, len(new), INVOICES_IN_A_BLOCK), len(new)]
    for start, end in pairwise(cuts):
        of_block = new[start:end]
        invoices = _stretch(of_block)
        lines = _stretch(_lines(batch, of_block, line_counts[start:end]))
        drawn = slice(*draw_bounds[[start, end]].tolist())
        yield SettledColumns(
            invoices=[batch.ids[at] for at in of_block.tolist()],
            customers=batch.customers.at(invoices),
            currencies=batch.currencies.at(invoices),
            period_ends=batch.period_ends[invoices].tolist(),
            line_counts=line_counts[start:end].tolist(),
            draw_counts=draw_counts[start:end].tolist(),
            line_ids=batch.line_ids.at(lines),
            line_amounts=batch.amounts[lines].tolist(),
            line_prices=batch.prices.at(lines),
            draw_lines=of_line[drawn].tolist(),
            draw_grants=grants[drawn].tolist(),
            draw_amounts=draws.amount[drawn].tolist(),
        )


def _stretch(rows: np.ndarray) -> np.ndarray | slice:
    """Return ascending rows as a slice, where they are consecutive."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def _lines(batch: InvoiceBatch, invoices: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the indices of the lines of some invoices, one behind the other."""
    before = np.cumsum(counts) - counts
    firsts = batch.first_line[invoices] - before
    lines: np.ndarray = np.repeat(firsts, counts) + np.arange(int(counts.sum()))
    return lines
