"""The commits of a billing run: which invoices are new, and what they draw."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ledger.facts.credits import CreditsApplied, Draw
from metering.credits.invoices import Invoice, check_same
from metering.credits.settlement.invoices import InvoiceBatch
from metering.credits.settlement.receipts import InvoiceRejection
from metering.errors import InvalidRequestError
from projections.credits.queries import CreditQueries
from projections.credits.spendable import Spendable
from projections.kernels.credits.burn_down_many import InvoiceLines, burn_down_many
from projections.kernels.credits.grants import Application, applied


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDraws:
    """What the new invoices of a batch drew, by invoice and line; arrays of int64.

    Attributes:
        invoice: index in the batch.
        fact: index of the invoice among the new ones.
        line: index among the lines of the batch.
        number: of the draw in its invoice.
        grant: index among the grants of the run.
        amount: more than 0.
    """

    invoice: np.ndarray
    fact: np.ndarray
    line: np.ndarray
    number: np.ndarray
    grant: np.ndarray
    amount: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What was decided on the invoices of a batch.

    Attributes:
        facts: of the new invoices, in their order.
        draws: what they draw.
        repeated: by index in the batch, what invoices drew that were settled before.
        copies: by index in the batch, the index of an equal new invoice before it.
        grant_ids: of the grants that these drew from, by position.
        rejections: the invoices that contradict what was settled before.
    """

    facts: list[CreditsApplied]
    draws: BatchDraws
    repeated: dict[int, Application]
    copies: dict[int, int]
    grant_ids: dict[int, str]
    rejections: list[InvoiceRejection]


def settle(
    batch: InvoiceBatch, spendable: Spendable, seen: CreditQueries, now: int
) -> Settled:
    """Decide what becomes of the invoices of a batch, one by one in their order.

    Args:
        batch: the invoices.
        spendable: the grants of the run, which the draws are not yet taken from.
        seen: under the write lock.
        now: the instant of the commit.
    """
    sorted_out = _sort_out(batch, seen)
    new = np.array(sorted_out.new, np.int64)
    draws = _draw(batch, new, spendable, seen, now)
    facts = _facts(batch, new, draws, spendable)
    before = [each.draws for each in sorted_out.repeated.values()]
    if sorted_out.copies:
        before += [fact.draws for fact in facts]
    positions = {draw.grant_position for each in before for draw in each}
    return Settled(
        facts=facts,
        draws=draws,
        repeated=sorted_out.repeated,
        copies=sorted_out.copies,
        grant_ids=seen.grant_ids(sorted(positions)) if positions else {},
        rejections=sorted_out.rejections,
    )


@dataclass(frozen=True, slots=True)
class _SortedOut:
    new: Sequence[int]
    repeated: dict[int, Application]
    copies: dict[int, int]
    rejections: list[InvoiceRejection]


def _sort_out(batch: InvoiceBatch, seen: CreditQueries) -> _SortedOut:
    """Return which invoices are new, and which were settled before."""
    known = seen.applications_to(batch.ids)
    if not known and len(set(batch.ids)) == len(batch):
        return _SortedOut(range(len(batch)), {}, {}, [])
    found = _SortedOut([], {}, {}, [])
    first: dict[str, int] = {}
    for at, invoice_id in enumerate(batch.ids):
        before = known.get(invoice_id)
        if before is None and invoice_id in first:
            before = _as_settled(batch.invoice(first[invoice_id]))
        if before is None:
            first[invoice_id] = at
            continue
        try:
            check_same(before, batch.invoice(at))
        except InvalidRequestError as error:
            row = int(batch.rows[at])
            found.rejections.append(
                InvoiceRejection(row, invoice_id, error.code, error.message)
            )
        else:
            if invoice_id in first:
                found.copies[at] = first[invoice_id]
            else:
                found.repeated[at] = before
    return _SortedOut([*first.values()], found.repeated, found.copies, found.rejections)


def _as_settled(invoice: Invoice) -> Application:
    return applied(invoice.settled(()), 0, 0)


def _draw(
    batch: InvoiceBatch,
    new: np.ndarray,
    spendable: Spendable,
    seen: CreditQueries,
    now: int,
) -> BatchDraws:
    counts = np.diff(batch.first_line)
    is_new = np.zeros(len(batch), bool)
    is_new[new] = True
    of_line = np.repeat(np.arange(len(batch)), counts)
    line = np.flatnonzero(is_new[of_line])
    invoice = of_line[line]
    customers = [batch.customers[each] for each in new.tolist()]
    currencies = [batch.currencies[each] for each in new.tolist()]
    spendable.read(seen.connection, customers, now)
    accounts = spendable.accounts(customers, currencies)
    grants, at = spendable.credits(accounts, now)
    lines = [batch.lines[each] for each in line.tolist()]
    drawn = burn_down_many(
        InvoiceLines(
            account=np.repeat(accounts, counts[new]),
            amount=np.array([each.amount for each in lines], np.int64),
            period_end=batch.period_ends[invoice],
            price=spendable.price_codes([each.price for each in lines]),
        ),
        grants,
    )
    of_draw = invoice[drawn.line]
    starts = np.searchsorted(of_draw, of_draw)
    return BatchDraws(
        invoice=of_draw,
        fact=np.searchsorted(new, of_draw),
        line=line[drawn.line],
        number=np.arange(len(of_draw)) - starts,
        grant=at[drawn.credit],
        amount=drawn.amount,
    )


def _facts(
    batch: InvoiceBatch, new: np.ndarray, drawn: BatchDraws, spendable: Spendable
) -> list[CreditsApplied]:
    draws = list(
        map(
            Draw,
            (drawn.line - batch.first_line[drawn.invoice]).tolist(),
            spendable.positions[drawn.grant].tolist(),
            drawn.amount.tolist(),
        )
    )
    bounds = np.searchsorted(drawn.fact, np.arange(len(new) + 1)).tolist()
    lines, first_line = batch.lines, batch.first_line.tolist()
    period_ends = batch.period_ends.tolist()
    return [
        CreditsApplied(
            invoice=batch.ids[at],
            customer=batch.customers[at],
            currency=batch.currencies[at],
            period_end=period_ends[at],
            lines=tuple(lines[first_line[at] : first_line[at + 1]]),
            draws=tuple(draws[first:last]),
        )
        for at, (first, last) in zip(new.tolist(), pairwise(bounds), strict=True)
    ]
