"""Credits of a billing run: what the lines of many statements draw, by columns."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, pairwise

import numpy as np

from ledger.facts.credits.grants import Draw
from ledger.facts.statements import BilledLine
from metering.statements.drawing import NOTHING, Drawing, lines_that_draw
from metering.statements.plans import StatementPlan
from projections.credits.queries import CreditQueries
from projections.credits.spendable import Spendable
from projections.kernels.credits.burn_down_many import (
    InvoiceLines,
    UsableGrants,
    burn_down_many,
)

Made = tuple[StatementPlan, tuple[BilledLine, ...]]
"""A statement that is made, but for its credits."""


class RunCredits:
    """The credits that a run can draw, kept up to date from commit to commit."""

    def __init__(self) -> None:
        self._spendable = Spendable()

    def recorded(self, position: int) -> None:
        """Go on from a commit of this run; `position` is its last."""
        self._spendable.recorded(position)

    def drawn(
        self, seen: CreditQueries, made: Sequence[Made], now: int
    ) -> list[Drawing]:
        """Return what statements draw, as if made one by one in order.

        Args:
            seen: credits, under the write lock.
            made: the statements.
            now: the instant of the database transaction.
        """
        if not made:
            return []
        spendable = self._spendable
        spendable.read(seen.connection, [plan.customer for plan, _ in made], now)
        eligible = [
            [line for line in lines if line.meter_id is not None] for _, lines in made
        ]
        counts = [*map(len, eligible)]
        flat = [*chain.from_iterable(eligible)]
        whose = np.repeat(
            spendable.accounts(
                spendable.customer_codes([plan.customer for plan, _ in made]),
                spendable.currency_codes([plan.currency for plan, _ in made]),
            ),
            counts,
        )
        grants, at = spendable.credits(whose, now)
        ends = np.array([plan.period_end for plan, _ in made], np.int64)
        amounts = np.array([line.amount for line in flat], np.int64)
        lines = InvoiceLines(
            account=whose,
            amount=amounts,
            period_end=np.repeat(ends, counts),
            price=spendable.price_codes([line.price_id for line in flat]),
        )
        own = burn_down_many(
            replace(lines, amount=_capped(amounts, whose, grants)), grants
        )
        own = replace(own, credit=at[own.credit])
        draws = spendable.draw_shared(lines, own, now)
        spendable.draw(draws.credit, draws.amount)
        bounds = np.cumsum([0, *counts])
        cuts = np.searchsorted(draws.line, bounds).tolist()
        every = [
            *zip(
                draws.line.tolist(),
                draws.credit.tolist(),
                draws.amount.tolist(),
                strict=True,
            )
        ]
        return [
            self._drawing(own, first, every[start:end]) if start < end else NOTHING
            for (_, own), first, (start, end) in zip(
                made, bounds[:-1].tolist(), pairwise(cuts), strict=True
            )
        ]

    def _drawing(
        self,
        lines: Sequence[BilledLine],
        first: int,
        drawn: Sequence[tuple[int, int, int]],
    ) -> Drawing:
        """Return what the lines of a statement draw.

        Args:
            lines: all of them.
            first: the number of the first among the lines of all that may draw.
            drawn: the number of a line, the index of a grant, and an amount.
        """
        spendable = self._spendable
        return Drawing.of(
            lines_that_draw(lines),
            [
                (
                    Draw(line - first, int(spendable.positions[grant]), amount),
                    spendable.grant_ids[grant],
                )
                for line, grant, amount in drawn
            ],
        )


def _capped(amounts: np.ndarray, whose: np.ndarray, grants: UsableGrants) -> np.ndarray:
    """Return amounts, of which none is more than all the credits of its account.

    So their sum fits, whatever usage came to, and they draw the same.
    """
    accounts, places = np.unique(grants.account, return_inverse=True)
    totals = np.zeros(len(accounts) + 1, np.int64)
    np.add.at(totals, places, grants.remaining)
    at = np.searchsorted(accounts, whose)
    # Behind the last account there are no credits either.
    padded = np.append(accounts, -1)
    caps = np.where(padded[at] == whose, totals[at], 0)
    capped: np.ndarray = np.minimum(amounts, caps)
    return capped
