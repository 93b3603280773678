"""Unbilled periods: of a customer's subscriptions, what no finalised statement covers.

They are stated as a billing run would state them, each when it has ended: the periods of
a subscription's items that end at one instant together, the earliest end first. A period
that goes on counts up to its last event.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from metering.statements.plans import PlannedLine, StatementPlan
from metering.statements.subscribed import ItemPeriod, plan_of_periods
from projections.kernels.periods import Period, united
from projections.kernels.statements import StatementRecord, counted_span
from projections.kernels.subscriptions.definitions import SubscriptionDefinition
from projections.kernels.subscriptions.schedule import cycles
from projections.prices.queries import PriceQueries
from projections.statements.queries import StatementQueries
from projections.subscriptions.queries import SubscriptionQueries
from projections.windows import END

_Times = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class UnbilledPlans:
    """The statements of a customer that are to come, of metered prices alone.

    Attributes:
        plans: in the order in which they will draw credits.
        until: at this instant time makes them others; what is recorded may before.
    """

    plans: tuple[StatementPlan, ...]
    until: int


class UnbilledQueries:
    """Finds unbilled periods in one database transaction.

    Args:
        subscriptions: of any customers.
        prices: of their items.
        statements: those that may cover a period.
    """

    def __init__(
        self,
        subscriptions: SubscriptionQueries,
        prices: PriceQueries,
        statements: StatementQueries,
    ) -> None:
        self._subscriptions = subscriptions
        self._prices = prices
        self._statements = statements

    def plans_of(self, customer: str, now: int) -> UnbilledPlans:
        """Return what is unbilled of a customer at the present instant."""
        found = self._subscriptions.of_customer(customer)
        if not found:
            return UnbilledPlans((), END)
        stated = _StatedTimes(self._statements.standing_of(customer, 0, END))
        turns = [END]
        groups = [
            (subscription, items)
            for subscription in found
            for items in _groups(subscription, stated, now, turns)
        ]
        ids = {
            price.price_id
            for _, items in groups
            for each in items
            for price in each.item.prices
        }
        prices = self._prices.prices_named(ids) if ids else {}
        plans = [
            rest
            for subscription, items in groups
            for rest in _unstated(
                plan_of_periods(subscription, items, prices, None), stated
            )
        ]
        # Stable, so that subscriptions stay in their order.
        plans.sort(key=lambda each: each.period_end)
        return UnbilledPlans(tuple(plans), min(turns))


class _StatedTimes:
    """The times that statements cover, by item, and by price where they are of none."""

    def __init__(self, standing: Iterable[StatementRecord]) -> None:
        self._of_items: dict[str, _Times] = {}
        self._of_prices: dict[str, _Times] = {}
        for record in standing:
            content = record.content
            for line in content.lines:
                span = counted_span(line.period_start, line.period_end, content.at)
                if line.item_id is None:
                    self._of_prices.setdefault(line.price_id, []).append(span)
                else:
                    self._of_items.setdefault(line.item_id, []).append(span)
        for spans in (*self._of_items.values(), *self._of_prices.values()):
            spans.sort()
        self._covered = {item: united(each) for item, each in self._of_items.items()}

    def covers(self, item_id: str, period: Period) -> bool:
        """Whether a period of an item is stated whole."""
        return any(
            start <= period.start and period.end <= end
            for start, end in self._covered.get(item_id, ())
        )

    def rests_of(self, line: PlannedLine) -> Iterator[PlannedLine]:
        """Yield the parts of a line that are not stated, the earliest first."""
        of_item = self._of_items.get(line.item_id or "", [])
        spans = sorted([*of_item, *self._of_prices.get(line.price.price_id, [])])
        start = line.start
        for covered_from, covered_until in spans:
            if covered_from >= line.end:
                break
            if start < covered_from:
                yield replace(line, start=start, end=covered_from)
            start = max(start, covered_until)
        if start < line.end:
            yield line if start == line.start else replace(line, start=start)


def _groups(
    subscription: SubscriptionDefinition,
    stated: _StatedTimes,
    now: int,
    turns: list[int],
) -> Iterable[Sequence[ItemPeriod]]:
    """Return periods that are not stated whole, those that end together together.

    When another one begins is added to `turns`.
    """
    ending: dict[int, list[ItemPeriod]] = {}
    for item in subscription.items:
        for cycle in cycles(subscription, item):
            start = cycle.start
            for period in cycle.periods_begun(now):
                start = period.end
                if not stated.covers(item.item_id, period):
                    billed = ItemPeriod(item, period, cycle.repetition is None)
                    ending.setdefault(period.end, []).append(billed)
            if start > now:
                turns.append(start)
    return ending.values()


def _unstated(plan: StatementPlan, stated: _StatedTimes) -> Iterator[StatementPlan]:
    """Yield the plan with what of its metered lines is not stated, if anything."""
    lines = tuple(
        rest
        for line in plan.lines
        if line.price.meter_id is not None
        for rest in stated.rests_of(line)
    )
    if lines:
        yield replace(plan, lines=lines)
