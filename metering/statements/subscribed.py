"""Plans of statements of subscriptions: a line for each price that an item had.

An item keeps its id when its price is replaced. Usage is rated by the price of its own
time, so that a line is split there. Pauses are not billed, and trials are free.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from ledger.facts.prices import UsageType
from metering.arguments.ids import found_by_id
from metering.arguments.refusals import invalid
from metering.arguments.times import instant
from metering.errors import InvalidRequestError
from metering.statements.plans import (
    PlannedLine,
    StatementPlan,
    counted_until,
    span_given,
)
from metering.statements.requests import StatementPreview
from projections.kernels.periods import Period
from projections.kernels.prices import PriceDefinition
from projections.kernels.subscriptions.definitions import (
    ItemDefinition,
    SubscriptionDefinition,
)
from projections.kernels.subscriptions.schedule import (
    PricedSpan,
    current_period,
    cycles,
    priced_spans,
)
from projections.prices.queries import PriceQueries
from projections.subscriptions.queries import SubscriptionQueries


class ItemPeriod(NamedTuple):
    """An item of a subscription, and a time that is stated, in which no pause lies."""

    item: ItemDefinition
    period: Period
    is_trial: bool


def subscription_asked_for(
    asked: StatementPreview, subscriptions: SubscriptionQueries
) -> SubscriptionDefinition:
    """Return the subscription that a statement is made of.

    Raises:
        ResourceMissingError: there is no such subscription.
        InvalidRequestError: it is another customer's.
    """
    find = subscriptions.subscription
    found = found_by_id(find, asked.subscription, "subscription", "subscription")
    if asked.customer not in {None, found.customer}:
        allowed = f"left out, or {found.customer}, whose subscription it is"
        raise invalid("customer", asked.customer, allowed)
    return found


def plan_of_subscription(
    asked: StatementPreview,
    found: SubscriptionDefinition,
    prices: PriceQueries,
    now: int,
    *,
    goes_on: bool,
) -> StatementPlan:
    """Return the plan of a statement of a subscription.

    Args:
        asked: what the statement is made of.
        found: the subscription.
        prices: finds the prices of its items.
        now: the present instant.
        goes_on: whether a current period counts up to now, if not said otherwise.

    Raises:
        InvalidRequestError: the times do not fit, or it has no item in the period.
    """
    at = asked.at
    if asked.start_time is not None:
        period = Period(*span_given(asked))
        items = [
            billed for each in found.items for billed in _within(found, each, period)
        ]
    else:
        until = now if at is None else instant(at, "at")
        items = [
            billed
            for each in found.items_at(until)
            for billed in _within(found, each, current_period(found, each, until))
        ]
    priced = _prices_of(items, prices)
    is_current = asked.start_time is None and at is None
    if goes_on and is_current and any(each.period.end > now for each in items):
        return plan_of_periods(found, items, priced, now)
    plan = plan_of_periods(found, items, priced, None)
    stops = counted_until(at, plan.period_start, plan.period_end, now)
    if stops is None:
        return plan
    return plan_of_periods(found, items, priced, stops)


def plan_of_periods(
    subscription: SubscriptionDefinition,
    items: Sequence[ItemPeriod],
    prices: Mapping[str, PriceDefinition],
    at: int | None,
) -> StatementPlan:
    """Return the plan of a statement of some periods of a subscription's items.

    Args:
        subscription: whose.
        items: in the order of their creation.
        prices: those that the items had, by id.
        at: where usage stops to count; None is the end of each period.

    Raises:
        InvalidRequestError: nothing was billed in the periods.
    """
    lines = [
        line
        for each in in_invoice_order(items)
        for line in _lines(subscription.currency, each, prices)
        if at is None or line.start < at
    ]
    if not lines:
        raise InvalidRequestError(
            f"Subscription {subscription.subscription_id} has no item that is billed in"
            " the period; give another one",
            code="nothing_to_state",
            param="subscription",
        )
    period_end = max(line.end for line in lines)
    return StatementPlan(
        customer=subscription.customer,
        subscription_id=subscription.subscription_id,
        currency=subscription.currency,
        period_start=min(line.start for line in lines),
        period_end=period_end,
        at=at if at is not None and at < period_end else None,
        lines=tuple(lines),
    )


def in_invoice_order(items: Iterable[ItemPeriod]) -> list[ItemPeriod]:
    """Return items in the order of an invoice: the newest first.

    Args:
        items: in the order of their creation, each with its times in their order.

    Source: https://docs.stripe.com/api/invoice-line-item
    """
    given = list(items)
    ages = {each.item.item_id: age for age, each in enumerate(given)}
    return sorted(given, key=lambda each: -ages[each.item.item_id])


def _prices_of(
    items: Iterable[ItemPeriod], prices: PriceQueries
) -> dict[str, PriceDefinition]:
    return prices.prices_named(
        {price.price_id for each in items for price in each.item.prices}
    )


def _within(
    subscription: SubscriptionDefinition, item: ItemDefinition, period: Period
) -> Iterator[ItemPeriod]:
    """Yield the parts of a time in which an item is billed, the earliest first."""
    for cycle in cycles(subscription, item):
        start = max(cycle.start, period.start)
        end = period.end if cycle.end is None else min(cycle.end, period.end)
        if start < end:
            yield ItemPeriod(item, Period(start, end), cycle.repetition is None)


def _lines(
    currency: str, billed: ItemPeriod, prices: Mapping[str, PriceDefinition]
) -> Iterator[PlannedLine]:
    """Yield the lines of an item in a time, the earliest first."""
    item, period, is_trial = billed
    spans = (
        [PricedSpan(item.price.price_id, item.price.quantity, *period)]
        if len(item.prices) == 1
        else priced_spans(item, period)
    )
    for span in _of_licences_the_last(spans, prices):
        quantity = span.quantity
        yield PlannedLine(
            price=prices[span.price_id],
            currency=currency,
            item_id=item.item_id,
            quantity=None if quantity is None else Decimal(quantity),
            start=span.start,
            end=span.end,
            is_trial=is_trial,
            param="subscription",
        )


def _of_licences_the_last(
    spans: Sequence[PricedSpan], prices: Mapping[str, PriceDefinition]
) -> Iterator[PricedSpan]:
    """Leave out what an item cost by a licence that another one replaced."""
    if len(spans) == 1:
        yield from spans
        return
    since: int | None = None
    for span, following in zip(spans, [*spans[1:], None], strict=True):
        if not _is_licensed(span, prices):
            yield span
            continue
        since = span.start if since is None else since
        if following is None or not _is_licensed(following, prices):
            yield PricedSpan(span.price_id, span.quantity, since, span.end)
            since = None


def _is_licensed(span: PricedSpan, prices: Mapping[str, PriceDefinition]) -> bool:
    recurring = prices[span.price_id].recurring
    return recurring is None or recurring.usage_type is UsageType.LICENSED
