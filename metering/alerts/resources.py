"""Resources of alerts: what callers get back. Frozen values with Stripe's field names.

Times are aware datetimes in UTC, usage values exact decimals.
Source: https://docs.stripe.com/api/billing/alert
"""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Literal

from ledger.facts.alerts import Allowance, CreditAlertTriggered, Recurrence
from ledger.usage.quantities import shortest
from metering.arguments.clock import at_microseconds, at_or_none
from metering.bodies import ResourceObject
from metering.credits.resources import Monetary
from projections.kernels.alerts import book as kernel

AlertStatusName = Literal["active", "inactive", "archived"]
"""Whether an alert triggers."""

RecurrenceName = Literal["one_time", "calendar_month", "calendar_day"]
"""What usage is compared; the first is Stripe's."""


AlertTypeName = Literal[
    "usage_threshold", "spend_threshold", "credit_balance_threshold"
]
"""What is compared with the threshold."""


class AlertFilter(ResourceObject, frozen=True, kw_only=True):
    """Whose usage, or credits, are watched."""

    type: Literal["customer"] = "customer"
    customer: str


class PercentOf(ResourceObject, frozen=True, kw_only=True):
    """How much customers may use, of which a threshold is a percentage.

    Attributes:
        quantity: of each customer that is not named; None of them is watched if None.
        customers: of those that are named, by customer.
    """

    quantity: Decimal | None
    customers: dict[str, Decimal]


class UsageThreshold(ResourceObject, frozen=True, kw_only=True):
    """Usage that is reached, and the meter that measures it.

    Attributes:
        gte: usage of this much or more.
        meter: id of the meter.
        filters: the one customer whose usage is watched; None is everybody, each by
            itself.
        timezone: IANA name of the zone whose months or days count; None where all
            usage does.
        percent_of: how much customers may use, of which `gte` is a percentage; None
            where it is usage.
    """

    absent_where_none: ClassVar = frozenset({"timezone", "percent_of"})

    gte: int
    meter: str
    recurrence: RecurrenceName
    filters: tuple[AlertFilter, ...] | None
    timezone: str | None
    percent_of: PercentOf | None = None


SpendRecurrenceName = Literal[
    "one_time", "calendar_month", "calendar_day", "billing_period"
]
"""Of which time usage costs something; the last is that of a subscription."""


class SpendThreshold(ResourceObject, frozen=True, kw_only=True):
    """What usage costs, and the prices that it is rated by.

    Attributes:
        gte: usage that costs this much or more, in minor units.
        prices: ids of the prices, whose amounts are those of the alert's creation.
        filters: the one customer whose usage is watched; None is everybody, each by
            itself.
        timezone: IANA name of the zone whose months or days count; None where those of
            no zone do.
        subscription: whose billing periods count, as they were then; None where others
            do.
        spend_limit: id of the limit that the alert warns of, where it is of one.
    """

    absent_where_none: ClassVar = frozenset({"timezone", "subscription", "spend_limit"})

    gte: int
    currency: str
    prices: tuple[str, ...]
    recurrence: SpendRecurrenceName
    filters: tuple[AlertFilter, ...] | None
    timezone: str | None
    subscription: str | None = None
    spend_limit: str | None = None


class CreditBalanceLimit(ResourceObject, frozen=True, kw_only=True):
    """What credits fall to: available credits of this much or less."""

    balance_type: Literal["monetary"] = "monetary"
    monetary: Monetary


class CreditBalanceThreshold(ResourceObject, frozen=True, kw_only=True):
    """Available credits that are fallen to.

    Attributes:
        lte: so much, in a currency.
        filters: the one customer whose credits are watched; None is everybody, each by
            itself.
        include_unbilled_usage: True where what is watched is what unbilled usage leaves.
    """

    absent_where_none: ClassVar = frozenset({"include_unbilled_usage"})

    lte: CreditBalanceLimit
    filters: tuple[AlertFilter, ...] | None
    include_unbilled_usage: bool | None = None


class Alert(ResourceObject, frozen=True, kw_only=True):
    """What is watched: usage, or what it costs, once for each customer; or credits.

    Credits trigger it each time that they fall. It has the threshold that its type says.
    """

    absent_where_none: ClassVar = frozenset(
        {"credit_balance_threshold", "spend_threshold"}
    )

    id: str
    object: Literal["billing.alert"] = "billing.alert"
    alert_type: AlertTypeName = "usage_threshold"
    livemode: bool
    status: AlertStatusName
    title: str
    usage_threshold: UsageThreshold | None = None
    spend_threshold: SpendThreshold | None = None
    credit_balance_threshold: CreditBalanceThreshold | None = None


class AlertTriggered(ResourceObject, frozen=True, kw_only=True):
    """A customer reached the threshold of an alert by usage, or fell to it by credits.

    Attributes:
        alert: as it is now.
        created: when it was found.
        customer: whose usage or credits.
        value: the usage with the event that reached the threshold, exact; or what that
            costs, in minor units, 10**18 where it is more; or the credits that were
            available after they fell, in minor units.
        position: its place in the log.
        event_position: that of the event, which may be cancelled by now; of credits that
            of what drew them down, or ended them, and None where they expired by time;
            with unbilled usage, that of the last entry that counts.
        timestamp: when the event happened, or when credits fell.
        window_start: where the month or day began that the usage lies in; None where
            all usage counts, and for credits.
    """

    beyond_stripe: ClassVar = frozenset({"position", "event_position", "timestamp"})
    absent_where_none: ClassVar = frozenset({"window_start"})

    object: Literal["billing.alert_triggered"] = "billing.alert_triggered"
    alert: Alert
    created: datetime
    customer: str
    livemode: bool
    value: Decimal
    position: int
    event_position: int | None
    timestamp: datetime
    window_start: datetime | None


_TYPES: dict[type[kernel.AlertDefinition], AlertTypeName] = {
    kernel.UsageAlert: "usage_threshold",
    kernel.SpendAlert: "spend_threshold",
    kernel.CreditAlert: "credit_balance_threshold",
}


_RECURRENCES: dict[Recurrence, RecurrenceName] = {
    Recurrence.ONE_TIME: "one_time",
    Recurrence.CALENDAR_MONTH: "calendar_month",
    Recurrence.CALENDAR_DAY: "calendar_day",
}
"""Of usage."""


def alert_resource(alert: kernel.AlertDefinition, *, livemode: bool) -> Alert:
    """Return an alert as a resource."""
    return Alert(
        id=alert.alert_id,
        alert_type=_TYPES[type(alert)],
        livemode=livemode,
        status=alert.status.value,
        title=alert.title,
        usage_threshold=_usage_threshold(alert),
        spend_threshold=_spend_threshold(alert),
        credit_balance_threshold=_credit_balance_threshold(alert),
    )


def _usage_threshold(alert: kernel.AlertDefinition) -> UsageThreshold | None:
    if not isinstance(alert, kernel.UsageAlert):
        return None
    return UsageThreshold(
        gte=alert.gte,
        meter=alert.meter_id,
        recurrence=_RECURRENCES[alert.recurrence],
        filters=_filters(alert),
        timezone=alert.timezone,
        percent_of=_percent_of(alert.percent_of),
    )


def _percent_of(allowance: Allowance | None) -> PercentOf | None:
    if allowance is None:
        return None
    return PercentOf(quantity=allowance.quantity, customers=allowance.customers)


def _spend_threshold(alert: kernel.AlertDefinition) -> SpendThreshold | None:
    if not isinstance(alert, kernel.SpendAlert):
        return None
    return SpendThreshold(
        gte=alert.gte,
        currency=alert.spend.currency,
        prices=tuple(each.price_id for each in alert.spend.prices),
        recurrence=alert.recurrence.value,
        filters=_filters(alert),
        timezone=alert.timezone,
        subscription=(
            None if alert.subscribed is None else alert.subscribed.subscription_id
        ),
        spend_limit=None if alert.of_limit is None else alert.of_limit.limit_id,
    )


def _credit_balance_threshold(
    alert: kernel.AlertDefinition,
) -> CreditBalanceThreshold | None:
    if not isinstance(alert, kernel.CreditAlert):
        return None
    money = Monetary(currency=alert.currency, value=alert.lte)
    return CreditBalanceThreshold(
        lte=CreditBalanceLimit(monetary=money),
        filters=_filters(alert),
        include_unbilled_usage=alert.includes_unbilled_usage or None,
    )


def _filters(alert: kernel.AlertDefinition) -> tuple[AlertFilter, ...] | None:
    customer = alert.customer
    return None if customer is None else (AlertFilter(customer=customer),)


def triggered_resource(
    trigger: kernel.Trigger, alert: kernel.AlertDefinition, *, livemode: bool
) -> AlertTriggered:
    """Return a trigger as a resource, with its alert."""
    fact, window_start = trigger.fact, None
    if isinstance(fact, CreditAlertTriggered):
        value, timestamp = Decimal(fact.value), fact.instant
        event_position = fact.cause_position or None
    else:
        value, timestamp = shortest(fact.value), fact.timestamp
        event_position, window_start = fact.event_position, fact.window_start
    return AlertTriggered(
        alert=alert_resource(alert, livemode=livemode),
        created=at_microseconds(trigger.recorded_at),
        customer=fact.customer,
        livemode=livemode,
        value=value,
        position=trigger.position,
        event_position=event_position,
        timestamp=at_microseconds(timestamp),
        window_start=at_or_none(window_start),
    )
