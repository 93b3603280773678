"""The commits of a billing run: which invoices are new, and what they draw.

An invoice that is replaced gives back first what it drew. A customer's invoices from
there on draw in a later round than those before it; customers do not matter to each
other, unless they share a pool.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from dataclasses import replace as replace_fields

import numpy as np

from metering.credits.invoices import (
    Invoice,
    check_is_no_hold,
    check_is_no_statement,
    is_settled,
)
from metering.credits.settlement.invoices import InvoiceBatch
from metering.credits.settlement.receipts import InvoiceRejection
from metering.errors import InvalidRequestError
from projections.credits.queries import CreditQueries
from projections.credits.spendable import Spendable
from projections.kernels.credits.burn_down_many import InvoiceLines, burn_down_many
from projections.kernels.credits.grants import Application, applied
from projections.statements.queries import StatementQueries


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
        given_back: the ids of the invoices that are replaced, in their order.
        new: by index in the batch, the invoices to be settled, new or anew (int64).
        draws: what they draw.
        repeated: by index in the batch, what invoices drew that were settled before.
        copies: by index in the batch, the index of an equal new invoice before it.
        grant_ids: of the grants that invoices settled before drew from, by position.
        rejections: the invoices that contradict what was settled before.
    """

    given_back: list[str]
    new: np.ndarray
    draws: BatchDraws
    repeated: dict[int, Application]
    copies: dict[int, int]
    grant_ids: dict[int, str]
    rejections: list[InvoiceRejection]


@dataclass(frozen=True, slots=True)
class Replacing:
    """Which invoices a run settles anew: those that others settled, and not itself.

    Attributes:
        is_asked_for: whether it replaces any.
        own: positions of what it has settled already.
    """

    is_asked_for: bool
    own: list[range] = field(default_factory=list)

    def may_replace(self, known: Application) -> bool:
        """Whether it may settle an invoice anew."""
        is_own = any(known.position in each for each in self.own)
        return self.is_asked_for and not is_own


def settle(
    batch: InvoiceBatch,
    spendable: Spendable,
    seen: CreditQueries,
    now: int,
    replacing: Replacing,
) -> Settled:
    """Decide what becomes of the invoices of a batch, one by one in their order.

    Args:
        batch: the invoices.
        spendable: the grants of the run, which the draws are taken from.
        seen: under the write lock.
        now: the instant of the commit.
        replacing: which invoices are settled anew.
    """
    sorted_out = _sort_out(batch, seen, replacing)
    new = np.array(sorted_out.new, np.int64)
    customers = batch.customers
    names = [customers.names[code] for code in np.unique(customers.codes[new])]
    spendable.read(seen.connection, names, now)
    draws = _draw_in_rounds(batch, sorted_out, new, spendable, now)
    positions = {
        draw.grant_position
        for each in sorted_out.repeated.values()
        for draw in each.draws
    }
    return Settled(
        given_back=[each.invoice for each in sorted_out.replaced.values()],
        new=new,
        draws=draws,
        repeated=sorted_out.repeated,
        copies=sorted_out.copies,
        grant_ids=seen.grant_ids(sorted(positions)) if positions else {},
        rejections=sorted_out.rejections,
    )


@dataclass(frozen=True, slots=True)
class _SortedOut:
    new: Sequence[int]
    replaced: dict[int, Application]
    repeated: dict[int, Application]
    copies: dict[int, int]
    rejections: list[InvoiceRejection]


def _sort_out(
    batch: InvoiceBatch, seen: CreditQueries, replacing: Replacing
) -> _SortedOut:
    """Return which invoices are to be settled, and which were settled before."""
    known = seen.applications_to(batch.ids)
    hold_ids = seen.holds.known(batch.ids)
    if not known and not hold_ids and len(set(batch.ids)) == len(batch):
        return _SortedOut(range(len(batch)), {}, {}, {}, [])
    first: dict[str, int] = {}
    found = _SortedOut([], {}, {}, {}, [])
    time = seen.log_time()
    # Only what is settled anew could change one.
    stated = [*known] if replacing.is_asked_for else []
    statement_ids = StatementQueries(seen.connection).known_among(stated)
    for at, invoice_id in enumerate(batch.ids):
        is_again = invoice_id in first
        before = known.get(invoice_id)
        if is_again:
            before = _as_settled(batch.invoice(first[invoice_id]))
        if before is None and invoice_id not in hold_ids:
            first[invoice_id] = at
            continue
        try:
            check_is_no_hold(hold_ids, invoice_id)
            assert before is not None, "it was settled, or is a hold"
            replace = not is_again and replacing.may_replace(before)
            is_same = is_settled(before, batch.invoice(at), time, replace=replace)
            check_is_no_statement(() if is_same else statement_ids, invoice_id)
        except InvalidRequestError as error:
            row = int(batch.rows[at])
            found.rejections.append(
                InvoiceRejection(row, invoice_id, error.code, error.message)
            )
            continue
        if is_again:
            found.copies[at] = first[invoice_id]
        elif is_same:
            found.repeated[at] = before
        else:
            first[invoice_id], found.replaced[at] = at, before
    return replace_fields(found, new=[*first.values()])


def _as_settled(invoice: Invoice) -> Application:
    return applied(invoice.settled(()), 0, 0)


def _draw_in_rounds(
    batch: InvoiceBatch,
    sorted_out: _SortedOut,
    new: np.ndarray,
    spendable: Spendable,
    now: int,
) -> BatchDraws:
    """Return what invoices draw, after those that are replaced gave back."""
    rounds = []
    for invoices in _rounds(batch, sorted_out, spendable):
        given_back: Counter[tuple[str, int]] = Counter()
        for at in invoices:
            if at in sorted_out.replaced:
                before = sorted_out.replaced[at]
                for draw in before.draws:
                    given_back[before.customer, draw.grant_position] += draw.amount
        if given_back:
            spendable.give_back(given_back)
        draws = _draw(batch, np.array(invoices, np.int64), spendable, now)
        spendable.draw(draws.grant, draws.amount)
        rounds.append(draws)
    if len(rounds) == 1:
        return rounds[0]
    arrays = {
        each.name: np.concatenate([getattr(draws, each.name) for draws in rounds])
        for each in fields(BatchDraws)
    }
    order = np.argsort(arrays["invoice"], kind="stable")
    arrays = {name: array[order] for name, array in arrays.items()}
    return BatchDraws(**{**arrays, "fact": np.searchsorted(new, arrays["invoice"])})


def _rounds(
    batch: InvoiceBatch, sorted_out: _SortedOut, spendable: Spendable
) -> Iterator[Sequence[int]]:
    """Yield the invoices to be settled; each that is replaced begins its customer's next.

    Customers that share a pool count as one.
    """
    if not sorted_out.replaced:
        yield sorted_out.new
        return
    sharing = spendable.sharing(sorted_out.replaced.values())
    number: Counter[str] = Counter()
    rounds: list[list[int]] = [[]]
    for at in sorted_out.new:
        customer = batch.customers[at]
        if customer in sharing:
            customer = ""
        if at in sorted_out.replaced:
            number[customer] += 1
            if number[customer] == len(rounds):
                rounds.append([])
        rounds[number[customer]].append(at)
    yield from rounds


def _draw(
    batch: InvoiceBatch, new: np.ndarray, spendable: Spendable, now: int
) -> BatchDraws:
    # Nothing here is as long as the batch: a round may have few of its invoices.
    first = batch.first_line[new]
    counts = batch.first_line[new + 1] - first
    invoice = np.repeat(new, counts)
    line = np.arange(len(invoice)) + np.repeat(
        first - (counts.cumsum() - counts), counts
    )
    customers, currencies = batch.customers, batch.currencies
    accounts = spendable.accounts(
        spendable.customer_codes(customers.names)[customers.codes[new]],
        spendable.currency_codes(currencies.names)[currencies.codes[new]],
    )
    grants, at = spendable.credits(accounts, now)
    prices = spendable.price_codes(batch.prices.names)
    lines = InvoiceLines(
        account=np.repeat(accounts, counts),
        amount=batch.amounts[line],
        period_end=batch.period_ends[invoice],
        price=prices[batch.prices.codes[line]],
    )
    own = burn_down_many(lines, grants)
    own = replace_fields(own, credit=at[own.credit])
    drawn = spendable.draw_shared(lines, own, now)
    of_draw = invoice[drawn.line]
    starts = np.searchsorted(of_draw, of_draw)
    return BatchDraws(
        invoice=of_draw,
        fact=np.searchsorted(new, of_draw),
        line=line[drawn.line],
        number=np.arange(len(of_draw)) - starts,
        grant=drawn.credit,
        amount=drawn.amount,
    )
