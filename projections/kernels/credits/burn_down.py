"""Burn-down: the grants that the lines of an invoice draw from, one account at a time.

Grants are drawn in the order of priority, expiry (never last), category (promotional
first), effective time and creation. Each line takes what it can of each eligible grant
before the next line takes any.
Source: https://docs.stripe.com/billing/subscriptions/usage-based/billing-credits
"""

import sys
from collections.abc import Iterable, Sequence

from ledger.facts.credits.grants import Draw, GrantCategory, InvoiceLine
from projections.kernels.credits.grants import Grant

NEVER = sys.maxsize
"""An expiry later than every other."""


def draw_order(grant: Grant) -> tuple[int, int, bool, int, int]:
    """Return a grant's key in the order of drawing."""
    return (
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
        grants: of the invoice's customer, in any order.
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
    draws = []
    for number, line in enumerate(lines):
        due = line.amount
        for grant in usable:
            amount = min(due, left[grant.position])
            if amount and (grant.prices is None or line.price in grant.prices):
                draws.append(Draw(number, grant.position, amount))
                left[grant.position] -= amount
                due -= amount
    return tuple(draws)
