"""What a portion of a billing run records, by columns."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from ledger.facts.credits.settlements import (
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
    lines, line_bounds = _lines_of(batch, new)
    draw_bounds = np.searchsorted(draws.fact, np.arange(len(new) + 1))
    # All at once: to pick few from an array takes as long as to pick hundreds.
    invoices = [batch.ids[at] for at in new.tolist()]
    customers, currencies = batch.customers.at(new), batch.currencies.at(new)
    period_ends = batch.period_ends[new].tolist()
    line_counts, draw_counts = (
        np.diff(bounds).tolist() for bounds in (line_bounds, draw_bounds)
    )
    line_ids, prices = batch.line_ids.at(lines), batch.prices.at(lines)
    amounts = batch.amounts[lines].tolist()
    of_line = (draws.line - batch.first_line[draws.invoice]).tolist()
    grants, drawn = spendable.positions[draws.grant].tolist(), draws.amount.tolist()
    for start, end in pairwise([*range(0, len(new), INVOICES_IN_A_BLOCK), len(new)]):
        own, bounds = slice(start, end), [start, end]
        own_lines = slice(*line_bounds[bounds].tolist())
        own_draws = slice(*draw_bounds[bounds].tolist())
        yield SettledColumns(
            invoices=invoices[own],
            customers=customers[own],
            currencies=currencies[own],
            period_ends=period_ends[own],
            line_counts=line_counts[own],
            draw_counts=draw_counts[own],
            line_ids=line_ids[own_lines],
            line_amounts=amounts[own_lines],
            line_prices=prices[own_lines],
            draw_lines=of_line[own_draws],
            draw_grants=grants[own_draws],
            draw_amounts=drawn[own_draws],
        )


def _lines_of(
    batch: InvoiceBatch, invoices: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lines of some invoices, and where those of each begin among them."""
    firsts = batch.first_line[invoices]
    counts = batch.first_line[invoices + 1] - firsts
    bounds = np.append(0, np.cumsum(counts))
    lines = np.repeat(firsts - bounds[:-1], counts) + np.arange(bounds[-1])
    return lines, bounds
