"""Burn-down of many accounts at once, equal to settling line by line in order.

Consecutive lines of an account with the same eligible grants form a block. With the
cumulated amounts of its lines and the cumulated credits of its grants on one axis, each
overlap of a line and a grant is a draw. The first blocks of all accounts are settled
together, then the second ones, and so on. An account with very many blocks is settled
line by line, since a round costs the same however few accounts are in it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

NO_PRICE = -1
EVERY_PRICE = -1
PAIRS_AT_MOST = 1 << 20
_ROUNDS_AT_MOST = 64
_KEYS_MARKED_AT_MOST = 1 << 20
_SUM_LIMIT = 2.0**63

_Part = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Draws: the index of the line, the index of the grant, the amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLines:
    """Lines of invoices, in the order in which they are settled; arrays of int64.

    Attributes:
        account: a code of the customer and currency whose credits a line may draw.
        amount: 0 or more.
        period_end: of the invoice.
        price: a code, or `NO_PRICE`.
    """

    account: np.ndarray
    amount: np.ndarray
    period_end: np.ndarray
    price: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class UsableGrants:
    """Grants usable now, by account and then in the order of drawing; int64.

    Attributes:
        account: ascending.
        remaining: more than 0.
        effective_at, expires_at: the half-open span in which a period may end.
        scope: a code, or `EVERY_PRICE` where every line may draw.
        scope_prices: a scope and a price in it, a row each.
    """

    account: np.ndarray
    remaining: np.ndarray
    effective_at: np.ndarray
    expires_at: np.ndarray
    scope: np.ndarray
    scope_prices: np.ndarray


@dataclass(frozen=True, slots=True)
class Draws:
    """Draws by line, then in the order of the grants; arrays of int64.

    Attributes:
        line: index of the line.
        credit: index of the grant.
        amount: more than 0.
    """

    line: np.ndarray
    credit: np.ndarray
    amount: np.ndarray


def burn_down_many(
    lines: InvoiceLines, grants: UsableGrants, *, pairs_at_most: int = PAIRS_AT_MOST
) -> Draws:
    """Return what lines draw of the credits of their accounts.

    The sum of all amounts and that of all credits must fit 63 bits each.

    Args:
        lines: in the order in which they are settled.
        grants: of the accounts.
        pairs_at_most: how many pairs of a line and a grant are in memory at once, but
            for all pairs of one line.
    """
    assert lines.amount.sum(dtype=np.float64) < _SUM_LIMIT, "amounts are in 63 bits"
    assert grants.remaining.sum(dtype=np.float64) < _SUM_LIMIT, "so are credits"
    order = np.argsort(lines.account, kind="stable")
    order = order[_are_in(grants.account, lines.account[order])]
    if not len(order):
        return Draws(*(np.zeros(0, np.int64) for _ in range(3)))
    left, parts = grants.remaining.copy(), list[_Part]()
    # Each portion draws from what is left, so the result does not depend on the cuts.
    for portion in _portions(lines.account[order], grants.account, pairs_at_most):
        blocks = _Blocks(lines, grants, order[portion])
        settled = [_settle(blocks, each, left) for each in blocks.rounds()]
        settled += [
            _settle_one_by_one(blocks, each, left) for each in blocks.long_accounts()
        ]
        parts += [(order[portion][at], *drawn) for at, *drawn in settled]
    line, credit, amount = (np.concatenate(each) for each in zip(*parts, strict=True))
    in_order = np.argsort(line, kind="stable")
    return Draws(line[in_order], credit[in_order], amount[in_order])


def _portions(
    account: np.ndarray, of_grants: np.ndarray, pairs_at_most: int
) -> Iterator[slice]:
    """Yield portions of lines, sorted by account, with that many pairs at most."""
    ends = np.searchsorted(of_grants, account, side="right")
    pairs = np.cumsum(ends - np.searchsorted(of_grants, account))
    number = (pairs - 1) // pairs_at_most
    cuts = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(account)]
    for first, last in pairwise(cuts):
        yield slice(first, last)


class _Blocks:
    """Lines sorted by account, each with the grants of its account, cut into blocks.

    Attributes:
        amount: of each line.
        credit: of each pair of a line and a grant of its account, by line and then in
            the order of the grants.
        is_eligible: whether the pair may draw.
        first_pair, pair_count: of each line.
        first_line: of each block, and the number of lines behind the last.
    """

    def __init__(
        self, lines: InvoiceLines, grants: UsableGrants, order: np.ndarray
    ) -> None:
        account = lines.account[order]
        self.amount = lines.amount[order]
        first_credit = np.searchsorted(grants.account, account)
        ends = np.searchsorted(grants.account, account, side="right")
        self.pair_count = ends - first_credit
        self.first_pair = np.cumsum(self.pair_count) - self.pair_count
        self.credit = _ranges(first_credit, self.pair_count)
        self.is_eligible = _eligibility(
            grants,
            self.credit,
            np.repeat(lines.period_end[order], self.pair_count),
            np.repeat(lines.price[order], self.pair_count),
        )
        is_first = np.append(True, account[1:] != account[:-1])
        starts = np.flatnonzero(is_first | self._differs_from_line_before())
        self.first_line = np.append(starts, len(account))
        # The number of each block among those of its account.
        firsts = np.flatnonzero(is_first[starts])
        self._account_blocks = np.append(firsts, len(starts))
        counts = np.diff(self._account_blocks)
        self._number = np.arange(len(starts)) - np.repeat(firsts, counts)
        self._is_long = np.repeat(counts > _ROUNDS_AT_MOST, counts)

    def _differs_from_line_before(self) -> np.ndarray:
        """Return (bool) which lines have other eligible grants than the line before.

        Meaningless for the first line of an account.
        """
        before = np.arange(len(self.credit)) - np.repeat(
            self.pair_count, self.pair_count
        )
        differs = self.is_eligible != self.is_eligible[np.maximum(before, 0)]
        is_any: np.ndarray = np.logical_or.reduceat(differs, self.first_pair)
        return is_any

    def rounds(self) -> Iterator[np.ndarray]:
        """Yield the first blocks of all accounts, then the second ones, and so on."""
        blocks = np.flatnonzero(~self._is_long)
        blocks = blocks[np.argsort(self._number[blocks], kind="stable")]
        counts = np.bincount(self._number[blocks])
        yield from np.split(blocks, np.cumsum(counts)[:-1]) if len(blocks) else ()

    def long_accounts(self) -> Iterator[np.ndarray]:
        """Yield the blocks of each account that has too many for rounds."""
        for first, last in pairwise(self._account_blocks):
            if last - first > _ROUNDS_AT_MOST:
                yield np.arange(first, last)


def _eligibility(
    grants: UsableGrants, credit: np.ndarray, period_end: np.ndarray, price: np.ndarray
) -> np.ndarray:
    """Return (bool) which pairs of a line and a grant may draw."""
    is_effective = grants.effective_at[credit] <= period_end
    is_effective &= period_end < grants.expires_at[credit]
    scope = grants.scope[credit]
    is_listed = scope == EVERY_PRICE
    if len(grants.scope_prices):
        # Wide enough that pairs of a scope and a price have different keys.
        width = int(max(grants.scope_prices[:, 1].max(), price.max())) + 2
        keys = grants.scope_prices @ np.array([width, 1]) + 1
        wanted = scope * width + price + 1
        size = int(max(keys.max(), wanted.max())) + 1
        if size <= _KEYS_MARKED_AT_MOST:
            # The key of no scope may be negative, and then means nothing.
            marked = np.zeros(size, bool)
            marked[keys] = True
            is_among = marked[np.maximum(wanted, 0)]
        else:
            is_among = _are_in(np.sort(keys), wanted)
        is_listed |= is_among & (price != NO_PRICE)
    eligible: np.ndarray = is_effective & is_listed
    return eligible


def _settle(blocks: _Blocks, chosen: np.ndarray, left: np.ndarray) -> _Part:
    """Return what blocks of different accounts draw, and take it from what is left."""
    first_line = blocks.first_line[chosen]
    line_counts = blocks.first_line[chosen + 1] - first_line
    line = _ranges(first_line, line_counts)
    pair_counts = blocks.pair_count[first_line]
    pair = _ranges(blocks.first_pair[first_line], pair_counts)
    is_eligible = blocks.is_eligible[pair]
    credit = blocks.credit[pair[is_eligible]]
    of_line = np.repeat(np.arange(len(chosen)), line_counts)
    of_credit = np.repeat(np.arange(len(chosen)), pair_counts)[is_eligible]
    credit_counts = np.bincount(of_credit, minlength=len(chosen))

    due, due_total = _cumulated(blocks.amount[line], line_counts)
    held, held_total = _cumulated(left[credit], credit_counts)
    # The blocks lie on one axis, each as long as what it draws.
    drawn = np.minimum(due_total, held_total)
    origin = np.cumsum(drawn) - drawn
    line_ends = origin[of_line] + np.minimum(due, drawn[of_line])
    credit_ends = origin[of_credit] + np.minimum(held, drawn[of_credit])
    both = np.concatenate([line_ends, credit_ends])
    # Each is in order, so that a stable sort only merges them.
    order = np.argsort(both, kind="stable")
    ends = both[order]
    is_last = np.append(ends[1:] != ends[:-1], True)[: len(ends)]  # an element, no flag
    ends = ends[is_last]
    lines_ended = np.cumsum(order < len(line_ends))[is_last]
    credits_ended = np.flatnonzero(is_last) + 1 - lines_ended
    starts, *ended = (
        np.append(0, each)[:-1] for each in (ends, lines_ended, credits_ended)
    )
    is_draw = ends > 0
    at_line, at_credit = line[ended[0][is_draw]], credit[ended[1][is_draw]]
    amount = (ends - starts)[is_draw]
    np.subtract.at(left, at_credit, amount)
    return at_line, at_credit, amount


def _settle_one_by_one(blocks: _Blocks, chosen: np.ndarray, left: np.ndarray) -> _Part:
    """Return what all blocks of one account draw, and take it from what is left."""
    found: list[tuple[int, int, int]] = []
    for block in chosen.tolist():
        first, last = blocks.first_line[block : block + 2].tolist()
        pairs = slice(
            blocks.first_pair[first],
            blocks.first_pair[first] + blocks.pair_count[first],
        )
        eligible = blocks.credit[pairs][blocks.is_eligible[pairs]]
        eligible = eligible[left[eligible] > 0]
        for line, due in enumerate(blocks.amount[first:last].tolist(), first):
            wanted = due
            for credit in eligible.tolist() if wanted else ():
                amount = min(wanted, int(left[credit]))
                if amount:
                    found.append((line, credit, amount))
                    left[credit] -= amount
                    wanted -= amount
                if not wanted:
                    break
    columns = np.array(found, np.int64).reshape(-1, 3)
    return columns[:, 0], columns[:, 1], columns[:, 2]


def _are_in(ascending: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return (bool) which values are among ascending ones."""
    if not len(ascending):
        return np.zeros(len(values), bool)
    at = np.searchsorted(ascending, values)
    found: np.ndarray = ascending[np.minimum(at, len(ascending) - 1)] == values
    return found


def _cumulated(
    amounts: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add up amounts within their groups.

    Args:
        amounts: by group.
        counts: how many are of each group.

    Returns:
        The sum up to each amount, inclusive, and the sum of each group.
    """
    sums = np.append(0, np.cumsum(amounts))
    at_edges = sums[np.append(0, np.cumsum(counts))]
    return sums[1:] - np.repeat(at_edges[:-1], counts), np.diff(at_edges)


def _ranges(firsts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return ranges of consecutive numbers as one column."""
    before = np.cumsum(counts) - counts
    return np.repeat(firsts - before, counts) + np.arange(int(counts.sum()))
