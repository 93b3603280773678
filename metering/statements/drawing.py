"""Credits of statements: what the lines of one draw, and how it is recorded."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.facts.credits import CreditsApplied, Draw, InvoiceLine
from ledger.facts.statements import BilledCredit, BilledLine
from metering.statements.plans import StatementPlan
from projections.credits.queries import CreditQueries
from projections.kernels.credits.burn_down import burn_down


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What the lines of a statement draw.

    Attributes:
        lines: those that may draw, of metered prices.
        draws: of these lines, in their order.
        credits: the same as the statement says it.
    """

    lines: tuple[InvoiceLine, ...]
    draws: tuple[Draw, ...]
    credits: tuple[BilledCredit, ...]

    def facts(self, statement_id: str, plan: StatementPlan) -> list[CreditsApplied]:
        """Return the fact that credits were drawn; none where no line may draw any."""
        if not self.lines:
            return []
        return [
            CreditsApplied(
                invoice=statement_id,
                customer=plan.customer,
                currency=plan.currency,
                period_end=plan.period_end,
                lines=self.lines,
                draws=self.draws,
            )
        ]


def drawing_of(
    seen: CreditQueries, plan: StatementPlan, billed: Sequence[BilledLine], now: int
) -> Drawing:
    """Return what the lines of a statement draw at an instant.

    They draw as those of an invoice do; see `CreditApplications.apply`.
    """
    eligible = [
        number for number, line in enumerate(billed) if line.meter_id is not None
    ]
    lines = tuple(
        InvoiceLine(billed[number].id, billed[number].amount, billed[number].price_id)
        for number in eligible
    )
    grants = {grant.position: grant for grant in seen.spendable_of(plan.customer, now)}
    draws = burn_down(
        grants.values(), plan.currency, lines, period_end=plan.period_end, now=now
    )
    return Drawing(
        lines=lines,
        draws=draws,
        credits=tuple(
            BilledCredit(
                eligible[draw.line], grants[draw.grant_position].grant_id, draw.amount
            )
            for draw in draws
        ),
    )
