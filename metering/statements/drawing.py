"""Credits of statements: what the lines of one draw, and how it is recorded."""

from collections.abc import Sequence

import msgspec

from ledger.facts.credits.grants import CreditsApplied, Draw, InvoiceLine
from ledger.facts.statements import (
    BilledCredit,
    BilledLine,
    StatementContent,
    StatementFinalized,
)
from metering.statements.plans import StatementPlan
from projections.credits.queries import CreditQueries
from projections.kernels.credits.burn_down import burn_down
from projections.kernels.statements import digest_of


class Drawing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the lines of a statement draw.

    Attributes:
        lines: those that may draw, of metered prices.
        draws: of these lines, in their order.
        credits: the same as the statement says it.
    """

    lines: tuple[InvoiceLine, ...]
    draws: tuple[Draw, ...]
    credits: tuple[BilledCredit, ...]

    @classmethod
    def of(
        cls,
        eligible: Sequence[tuple[int, InvoiceLine]],
        drawn: Sequence[tuple[Draw, str]],
    ) -> "Drawing":
        """Return what lines draw.

        Args:
            eligible: the lines that may draw, each with its index in the statement.
            drawn: draws of these, each with the id of its grant.
        """
        return cls(
            lines=tuple(line for _, line in eligible),
            draws=tuple(draw for draw, _ in drawn),
            credits=tuple(
                BilledCredit(eligible[draw.line][0], grant_id, draw.amount)
                for draw, grant_id in drawn
            ),
        )


def content_of(
    plan: StatementPlan, position: int, lines: Sequence[BilledLine], drawing: Drawing
) -> StatementContent:
    """Return what a statement says."""
    return StatementContent(
        customer=plan.customer,
        subscription_id=plan.subscription_id,
        currency=plan.currency,
        period_start=plan.period_start,
        period_end=plan.period_end,
        at=plan.at,
        position=position,
        lines=tuple(lines),
        credits=drawing.credits,
    )


def facts_of(
    statement_id: str, content: StatementContent, drawing: Drawing
) -> list[CreditsApplied | StatementFinalized]:
    """Return the facts that a statement is made for good: first, where any, its credits."""
    finalized = StatementFinalized(
        statement_id=statement_id, content=content, digest=digest_of(content)
    )
    if not drawing.draws:
        return [finalized]
    applied = CreditsApplied(
        invoice=statement_id,
        customer=content.customer,
        currency=content.currency,
        period_end=content.period_end,
        lines=drawing.lines,
        draws=drawing.draws,
    )
    return [applied, finalized]


NOTHING = Drawing(lines=(), draws=(), credits=())
"""What is drawn where there is nothing to draw."""


def lines_that_draw(billed: Sequence[BilledLine]) -> list[tuple[int, InvoiceLine]]:
    """Return the lines that may draw credits, each with its index in its statement."""
    return [
        (number, InvoiceLine(line.id, line.amount, line.price_id))
        for number, line in enumerate(billed)
        if line.meter_id is not None
    ]


def drawing_of(
    seen: CreditQueries, plan: StatementPlan, billed: Sequence[BilledLine], now: int
) -> Drawing:
    """Return what the lines of a statement draw at an instant.

    They draw as those of an invoice do; see `CreditApplications.apply`.
    """
    eligible = lines_that_draw(billed)
    grants = {grant.position: grant for grant in seen.spendable_of(plan.customer, now)}
    draws = burn_down(
        grants.values(),
        plan.currency,
        [line for _, line in eligible],
        period_end=plan.period_end,
        now=now,
    )
    return Drawing.of(
        eligible, [(draw, grants[draw.grant_position].grant_id) for draw in draws]
    )
