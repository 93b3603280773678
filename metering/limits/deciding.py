"""What is decided about spend limits, and the alerts that warn of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.facts.alerts import (
    AlertArchived,
    AlertStatus,
    LimitShare,
    Recurrence,
    Spend,
    SpendAlertCreated,
    SubscribedPeriods,
)
from ledger.facts.credits.limits import SpendLimitCreated
from metering.alerts.priced import ALERTABLE, named_prices, spend_by, subscribed_prices
from metering.arguments.metadata import merge_metadata
from metering.arguments.refusals import exclusive, invalid, missing
from metering.credits.amounts import money_of
from metering.errors import InvalidRequestError
from metering.limits.requests import RECURRENCES, SpendLimitCreate
from metering.limits.standing import LimitStanding
from projections.alerts.queries import AlertQueries
from projections.kernels.limits import LimitDefinition, warned_at
from projections.kernels.prices import PriceDefinition
from projections.meters.catalog import Definitions
from projections.prices.queries import PriceQueries
from projections.subscriptions.queries import SubscriptionQueries

_OF_CALENDAR = {Recurrence.CALENDAR_DAY, Recurrence.CALENDAR_MONTH}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """Which usage counts, and in which windows."""

    spend: Spend
    recurrence: Recurrence
    timezone: str | None
    subscribed: SubscribedPeriods | None


def limit_definition(
    asked: SpendLimitCreate,
    limit_id: str,
    meters: Definitions,
    seen: PriceQueries,
    now: int,
) -> SpendLimitCreated:
    """Return the fact that creates a limit, without the alerts that warn of it.

    Raises:
        ResourceMissingError: there is no such price or subscription.
        InvalidRequestError: it is refused.
    """
    amount, currency = money_of(asked.amount, "amount")
    counted = _counted(asked, currency, meters, seen, now)
    return SpendLimitCreated(
        limit_id=limit_id,
        customer=asked.customer,
        amount=amount,
        spend=counted.spend,
        recurrence=counted.recurrence,
        timezone=counted.timezone,
        subscribed=counted.subscribed,
        warn_at=percentages(asked.warn_at),
        alerts=(),
        metadata=merge_metadata({}, asked.metadata or None),
    )


def percentages(given: Sequence[int]) -> tuple[int, ...]:
    """Return percentages in ascending order.

    Raises:
        InvalidRequestError: one is given twice.
    """
    for number, each in enumerate(given):
        if each in given[:number]:
            raise invalid(f"warn_at[{number}]", each, "another than those before it")
    return tuple(sorted(given))


def check_same(known: LimitDefinition, asked: SpendLimitCreate) -> None:
    """Check that a limit is what is asked for under its id.

    What was left out was decided when it was made, by prices and subscriptions of then.

    Raises:
        InvalidRequestError: it differs, was changed since, or is canceled.
    """
    money, of = asked.amount["monetary"], known.subscribed
    recurrence = RECURRENCES[asked.window]
    same = {
        "customer": known.customer == asked.customer,
        "amount": (known.amount, known.currency) == (money["value"], money["currency"]),
        "prices": asked.prices is None or _price_ids(known) == {*asked.prices},
        "subscription": of is None or of.subscription_id == asked.subscription,
        "window": known.recurrence is recurrence,
        "timezone": known.timezone == _zone_of(recurrence, asked.timezone),
        "warn_at": known.warn_at == percentages(asked.warn_at),
        "metadata": known.metadata == merge_metadata({}, asked.metadata or None),
        "status": known.canceled_at is None,
    }
    differing = [name for name, is_same in same.items() if not is_same]
    if differing:
        raise InvalidRequestError(
            f"Spend limit {known.limit_id} was made already, and differs in"
            f" {', '.join(differing)}; update it, or make one under another id",
            code="limit_conflict",
            param="id",
        )


def _price_ids(limit: LimitDefinition) -> set[str]:
    return {each.price_id for each in limit.spend.prices}


def _zone_of(recurrence: Recurrence, given: str | None) -> str | None:
    """Return the zone of windows, UTC where days or months are given none."""
    return given or ("UTC" if recurrence in _OF_CALENDAR else None)


def check_above(standing: LimitStanding) -> None:
    """Check that a limit is not below what is spent.

    Raises:
        InvalidRequestError: it is.
    """
    limit, spent = standing.limit, standing.spent + standing.held
    if limit.amount < spent:
        raise InvalidRequestError(
            f"Customer {limit.customer} has spent {spent} {limit.currency} in this window"
            f" already, and a limit of {limit.amount} is below that; give at least"
            f" {spent}",
            code="limit_below_spent",
            param="amount",
        )


def check_alert_count(
    seen: AlertQueries, limit: LimitDefinition, replaced: int, most: int
) -> None:
    """Check that the warnings of a limit are not too many alerts of one customer.

    Args:
        seen: under the write lock.
        limit: as it is to become.
        replaced: how many of its alerts are archived.
        most: how many may apply.

    Raises:
        InvalidRequestError: they are.
    """
    applying = seen.applying_count(limit.customer) - replaced
    if limit.alerts and applying + len(limit.alerts) > most:
        raise InvalidRequestError(
            f"{applying} alerts on spend apply to one customer, and each of"
            f" {len(limit.alerts)} percentages is one more; must be at most {most}, so"
            " archive one first",
            code="alert_limit_reached",
            param="warn_at",
        )


def warnings_of(limit: LimitDefinition) -> list[SpendAlertCreated]:
    """Return the alerts that warn of a limit, one a percentage, if usage counts."""
    return [
        SpendAlertCreated(
            alert_id=alert_id,
            title=f"{percentage} % of spend limit {limit.limit_id}",
            gte=warned_at(limit.amount, percentage),
            spend=limit.spend,
            customer=limit.customer,
            recurrence=limit.recurrence,
            timezone=limit.timezone,
            subscribed=limit.subscribed,
            of_limit=LimitShare(
                limit_id=limit.limit_id, amount=limit.amount, percentage=percentage
            ),
        )
        # There are none where holds alone count.
        for alert_id, percentage in zip(limit.alerts, limit.warn_at, strict=False)
    ]


def archived(limit: LimitDefinition, seen: AlertQueries) -> list[AlertArchived]:
    """Return the facts that end the warnings of a limit."""
    known = seen.named(limit.alerts)
    return [
        AlertArchived(alert_id=each)
        for each in limit.alerts
        if known[each].status is not AlertStatus.ARCHIVED
    ]


def _counted(
    asked: SpendLimitCreate,
    currency: str,
    meters: Definitions,
    seen: PriceQueries,
    now: int,
) -> _Counted:
    """Return what counts of usage."""
    recurrence, timezone = RECURRENCES[asked.window], asked.timezone
    if timezone is not None and recurrence not in _OF_CALENDAR:
        raise invalid("timezone", timezone, f"left out where window is {asked.window}")
    if asked.subscription is None and recurrence is Recurrence.BILLING_PERIOD:
        raise missing("subscription")
    prices: dict[str, PriceDefinition] = {}
    subscribed = None
    if asked.subscription is not None:
        if asked.prices is not None:
            raise exclusive("prices", "prices", "subscription")
        found = subscribed_prices(
            asked.subscription, seen, meters.clocked, now, "subscription"
        )
        if found.customer != asked.customer:
            allowed = f"a subscription of customer {asked.customer}"
            raise invalid("subscription", asked.subscription, allowed)
        prices |= found.prices
        if recurrence is Recurrence.BILLING_PERIOD:
            subscribed = found.subscribed
    elif asked.prices is not None:
        prices |= named_prices(asked.prices, seen, "prices")
    else:
        prices |= _subscribed_to(asked.customer, currency, meters, seen, now)
    return _Counted(
        spend=spend_by(prices, currency, meters),
        recurrence=recurrence,
        timezone=_zone_of(recurrence, timezone),
        subscribed=subscribed,
    )


def _subscribed_to(
    customer: str, currency: str, meters: Definitions, seen: PriceQueries, now: int
) -> dict[str, PriceDefinition]:
    """Return the metered prices of all subscriptions of a customer that can be limited.

    Those in other currencies are left out, and those on meters that nothing can watch.
    """
    ids = {
        item.price.price_id: None
        for each in SubscriptionQueries(seen.connection).of_customer(customer)
        if not each.is_ended(now)
        for item in each.items_at(now)
        if item.price.quantity is None
    }
    prices = seen.prices_named(set(ids))
    return {
        f"prices[{each}]": prices[each]
        for each in ids
        if currency in prices[each].amounts
        and meters.by_id[str(prices[each].meter_id)].formula in ALERTABLE
    }
