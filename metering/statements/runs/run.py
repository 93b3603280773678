"""A billing run: every period that has ended is stated, and draws its credits, in bulk.

Statements are recorded in portions, each in one commit with the credits that its
statements draw. A run that broke off is repeated whole: what is stated stays, and the
rest follows under the ids that it would have had.
"""

from collections.abc import Mapping, Sequence
from functools import cache

import msgspec
import pyarrow as pa

from ledger.facts.credits.grants import CreditsApplied
from ledger.facts.statements import BilledLine, StatementContent, StatementFinalized
from ledger.sealing import StepCallback
from metering.arguments.clock import at_microseconds
from metering.arguments.refusals import invalid
from metering.arguments.times import time_of
from metering.errors import InvalidRequestError
from metering.statements.drawing import content_of, facts_of
from metering.statements.lines import rated_plan
from metering.statements.plans import StatementPlan, doubly_refused
from metering.statements.runs.candidates import Candidate, StatedPeriods, candidates
from metering.statements.runs.counting import CountedLines, counted_lines
from metering.statements.runs.drawing import RunCredits
from metering.statements.runs.receipts import (
    NotStatedRow,
    StatedRow,
    StatementsReceipt,
    StatementsTally,
)
from metering.statements.subscribed import plan_of_periods
from metering.store.customer_time import shared_time
from metering.store.engine import Engine, on_nobodys_behalf
from projections.kernels.prices import PriceDefinition
from projections.prices.queries import PriceQueries
from projections.statements.queries import StatementQueries
from projections.subscriptions.queries import SubscriptionQueries

STATEMENTS_AT_A_TIME = 5_000
"""So many are in a commit."""
_BEGINNING = 0


class _Planned(msgspec.Struct, frozen=True, gc=False):
    """A statement that is to be made."""

    statement_id: str
    plan: StatementPlan


def run_statements(
    engine: Engine,
    until: int,
    since: int | None,
    customers: Sequence[str] | None,
    progress: StepCallback | None,
) -> StatementsReceipt:
    """State every period that has ended; see `Statements.run`."""
    tally = StatementsTally()
    planned = _planned(engine, until, since, customers, tally)
    definitions = engine.definitions(engine.log.catch_up())
    view = engine.usage.view()
    lines = [(each.plan.customer, line) for each in planned for line in each.plan.lines]
    recorded = cache(lambda: engine.recorded(view.position))
    counted = counted_lines(engine, definitions, view, recorded, lines)
    drawn, first = RunCredits(), 0
    with on_nobodys_behalf():
        for start in range(0, len(planned), STATEMENTS_AT_A_TIME):
            portion = planned[start : start + STATEMENTS_AT_A_TIME]
            size = sum(len(each.plan.lines) for each in portion)
            stated = _Stated(portion, counted, first, view.position)
            _commit(engine, stated, drawn, tally)
            first += size
            if progress is not None:
                progress(start + len(portion), len(planned))
    return tally.receipt(view.position)


def _planned(
    engine: Engine,
    until: int,
    since: int | None,
    customers: Sequence[str] | None,
    tally: StatementsTally,
) -> list[_Planned]:
    """Return the statements that are to be made, in order."""
    prefix = "st" if engine.settings.livemode else "st_test"
    with engine.log.read() as connection:
        seen = StatementQueries(connection)
        clocked = engine.clocked(seen)
        if customers is not None:
            shared_time(clocked, customers)
        now = engine.present(seen, *(customers or ()))
        if until > now:
            at = time_of(at_microseconds(now))
            raise invalid(
                "period_end", time_of(at_microseconds(until)), f"{at} or before"
            )
        after = _BEGINNING if since is None else since
        stated = StatedPeriods(seen.stated_periods(until, customers))
        prices = _KnownPrices(PriceQueries(connection))
        planned = []
        for each in candidates(
            SubscriptionQueries(connection), after, until, customers
        ):
            if customers is None and each.customer in clocked.times:
                # It lives by another time, at which it is stated where it is named.
                continue
            if each in stated:
                tally.repeated += 1
                continue
            try:
                plan = plan_of_periods(
                    each.subscription, each.items, prices.of(each), None
                )
            except InvalidRequestError as refusal:
                tally.not_stated.append(_not_stated(*each.key, each.customer, refusal))
            else:
                statement_id = each.statement_id(prefix, stated.voided(each))
                planned.append(_Planned(statement_id, plan))
    # Stable, so that subscriptions stay in their order.
    return sorted(planned, key=lambda each: each.plan.period_end)


class _KnownPrices:
    """Prices, each of which is read once."""

    def __init__(self, seen: PriceQueries) -> None:
        self._seen = seen
        self._known: dict[str, PriceDefinition] = {}

    def of(self, candidate: Candidate) -> Mapping[str, PriceDefinition]:
        """Return the prices of a candidate, and others."""
        wanted = {
            price.price_id for each in candidate.items for price in each.item.prices
        }
        if unknown := wanted.difference(self._known):
            self._known |= self._seen.prices_named(unknown)
        return self._known


class _Stated:
    """The statements of a portion with their lines, but for credits.

    Attributes:
        planned: those that can be made.
        lines: of each.
        refused: the others, and why.
        position: up to which usage counts.
    """

    def __init__(
        self,
        portion: Sequence[_Planned],
        counted: CountedLines,
        first: int,
        position: int,
    ) -> None:
        lines = [line for each in portion for line in each.plan.lines]
        rows = slice(first, first + len(lines))
        ids = [
            f"il_{number}"
            for each in portion
            for number in range(1, len(each.plan.lines) + 1)
        ]
        quantities: pa.Array = counted.quantities[rows]
        rated = rated_plan(lines, ids, quantities, counted.is_too_large[rows])
        self.planned: list[_Planned] = []
        self.lines: list[tuple[BilledLine, ...]] = []
        self.refused: list[tuple[_Planned, InvalidRequestError]] = []
        self.position = position
        at = 0
        for each in portion:
            own = range(at, at + len(each.plan.lines))
            at = own.stop
            refusal = next(
                (rated.refusals[n] for n in own if n in rated.refusals), None
            )
            if refusal is None:
                self.planned.append(each)
                self.lines.append(tuple(rated.lines[own.start : own.stop]))
            else:
                self.refused.append((each, refusal))


def _commit(
    engine: Engine, stated: _Stated, credits_of_run: RunCredits, tally: StatementsTally
) -> None:
    """Record the statements of a portion, and the credits that they draw."""
    rows: list[StatedRow] = []
    refused = [_refused(each.plan, why) for each, why in stated.refused]
    repeated = 0
    customers = {each.plan.customer for each in stated.planned}
    with engine.writing_credits(lambda _: customers) as (writing, drawn_from):
        seen = StatementQueries(writing.connection)
        known = seen.known_among([each.statement_id for each in stated.planned])
        others = seen.standing_of_many(_spans(stated.planned))
        chosen: list[tuple[_Planned, tuple[BilledLine, ...]]] = []
        for each, lines in zip(stated.planned, stated.lines, strict=True):
            plan = each.plan
            if each.statement_id in known:
                repeated += 1
                continue
            in_the_way = others.get(plan.customer, ())
            if refusal := doubly_refused(plan, lines, in_the_way):
                refused.append(_refused(plan, refusal))
                continue
            chosen.append((each, lines))
        drawings = credits_of_run.drawn(
            drawn_from,
            [(each.plan, lines) for each, lines in chosen],
            writing.now,
        )
        facts: list[CreditsApplied | StatementFinalized] = []
        for (each, lines), drawing in zip(chosen, drawings, strict=True):
            content = content_of(each.plan, stated.position, lines, drawing)
            facts += facts_of(each.statement_id, content, drawing)
            rows.append(_row(each.statement_id, content))
        writing.record(facts)
    if writing.commit is not None:
        credits_of_run.recorded(writing.commit.last_position)
    tally.repeated += repeated
    tally.stated += rows
    tally.not_stated += refused


def _spans(planned: Sequence[_Planned]) -> dict[str, tuple[int, int]]:
    """Return of each customer the time that its statements state."""
    spans: dict[str, tuple[int, int]] = {}
    for each in planned:
        plan = each.plan
        start, end = spans.get(plan.customer, (plan.period_start, plan.period_end))
        spans[plan.customer] = (
            min(start, plan.period_start),
            max(end, plan.period_end),
        )
    return spans


def _row(statement_id: str, content: StatementContent) -> StatedRow:
    assert content.subscription_id is not None, "it states a subscription"
    subtotal = sum(line.amount for line in content.lines)
    applied = sum(credit.amount for credit in content.credits)
    return StatedRow(
        id=statement_id,
        subscription=content.subscription_id,
        customer=content.customer,
        currency=content.currency,
        period_start=content.period_start,
        period_end=content.period_end,
        subtotal=subtotal,
        credits_applied=applied,
        amount_due=subtotal - applied,
    )


def _refused(plan: StatementPlan, refusal: InvalidRequestError) -> NotStatedRow:
    assert plan.subscription_id is not None, "it states a subscription"
    return _not_stated(plan.subscription_id, plan.period_end, plan.customer, refusal)


def _not_stated(
    subscription_id: str, period_end: int, customer: str, refusal: InvalidRequestError
) -> NotStatedRow:
    return NotStatedRow(
        subscription=subscription_id,
        customer=customer,
        period_end=period_end,
        code=refusal.code,
        message=refusal.message,
    )
