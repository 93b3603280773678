"""Burn-down: the grants that the lines of an invoice draw from, one account at a time.

Grants are drawn in the order of priority, expiry (never last), category (promotional
first), effective time and creation, and those of pools behind all of the customer's own.
Each line takes what it can of each eligible grant before the next line takes any.
Source: https://docs.stripe.com/billing/subscriptions/usage-based/billing-credits
"""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from ledger.facts.credits.grants import Draw, GrantCategory, InvoiceLine
from projections.kernels.credits.grants import Grant, drawn
from projections.kernels.credits.pools import PoolShare

NEVER = sys.maxsize
"""An expiry later than every other."""


def draw_order(grant: Grant) -> tuple[bool, int, int, bool, int, int]:
    """Return a grant's key in the order of drawing."""
    return (
        grant.pool is not None,
        grant.priority,
        NEVER if grant.expires_at is None else grant.expires_at,
        grant.category is GrantCategory.PAID,
        grant.effective_at,
        grant.position,
    )


def is_usable(grant: Grant, *, period_end: int, now: int) -> bool:
    """Whether a grant is usable for a period and at the instant of applying."""
    return (
        not grant.is_voided(now)
        and grant.effective_at <= min(period_end, now)
        and not grant.is_expired(max(period_end, now))
        and grant.free > 0
        # Of a pool, only a member draws.
        and (grant.pool is None or grant.share is not None)
    )


def burn_down(
    grants: Iterable[Grant],
    currency: str,
    lines: Sequence[InvoiceLine],
    *,
    period_end: int,
    now: int,
) -> tuple[Draw, ...]:
    """Return what the lines of one invoice draw.

    Args:
        grants: of the invoice's customer and of its pools, in any order.
        currency: of the lines.
        lines: in the order in which they are settled.
        period_end: of the invoice.
        now: the instant of applying.

    Returns:
        Draws in the order of the lines, then of the grants.
    """
    usable = sorted(
        (
            grant
            for grant in grants
            if grant.currency == currency
            and is_usable(grant, period_end=period_end, now=now)
        ),
        key=draw_order,
    )
    left = {grant.position: grant.free for grant in usable}
    shares = {
        grant.pool: grant.share.left
        for grant in usable
        if grant.share is not None and grant.share.left is not None
    }
    draws = []
    for number, line in enumerate(lines):
        due = line.amount
        for grant in usable:
            amount = min(due, left[grant.position])
            if grant.pool in shares:
                amount = min(amount, shares[grant.pool])
            if amount and (grant.prices is None or line.price in grant.prices):
                draws.append(Draw(number, grant.position, amount))
                left[grant.position] -= amount
                due -= amount
                if grant.pool in shares:
                    shares[grant.pool] -= amount
    return tuple(draws)


def after_draws(grants: Iterable[Grant], draws: Iterable[Draw]) -> list[Grant]:
    """Return grants once draws were made of them, with what is left of shares of pools."""
    amounts = drawn(draws)
    found = with_drawn(grants, amounts)
    of_shares: Counter[PoolShare] = Counter()
    for grant in found:
        if grant.share is not None:
            of_shares[grant.share] += amounts.get(grant.position, 0)
    return [
        replace(grant, share=grant.share.after_return(-of_shares[grant.share]))
        if grant.share is not None
        else grant
        for grant in found
    ]


def with_drawn(grants: Iterable[Grant], amounts: Mapping[int, int]) -> list[Grant]:
    """Return grants once so much more was drawn of them, by position."""
    return [
        replace(grant, applied=grant.applied + amounts[grant.position])
        if grant.position in amounts
        else grant
        for grant in grants
    ]


def free_together(grants: Iterable[Grant]) -> int:
    """Return what is free of some usable grants, as far as shares of pools let it."""
    free: Counter[PoolShare | None] = Counter()
    for grant in grants:
        free[grant.share] += grant.free
    return sum(
        amount if share is None or share.left is None else min(amount, share.left)
        for share, amount in free.items()
    )
