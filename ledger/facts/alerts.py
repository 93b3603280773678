"""Facts about alerts: which thresholds are watched, and what crossed them.

Times are microseconds since 1970 UTC.
Source of the words: https://docs.stripe.com/api/billing/alert
"""

import enum
from decimal import Decimal

import msgspec

from ledger.facts.prices import (
    BillingInterval,
    CurrencyAmounts,
    Package,
    TiersMode,
)


class Recurrence(enum.Enum):
    """What usage is compared: all there ever was, or that of a window of time.

    The first is Stripe's. Billing periods are those of a subscription.
    """

    ONE_TIME = "one_time"
    CALENDAR_MONTH = "calendar_month"
    CALENDAR_DAY = "calendar_day"
    BILLING_PERIOD = "billing_period"


class AlertStatus(enum.Enum):
    """Whether an alert triggers: an archived one never will again."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    ARCHIVED = "archived"


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """How much customers may use: those that are named, and the others.

    `quantity` is None where no others may be watched.
    """

    quantity: Decimal | None
    customers: dict[str, Decimal]

    def of(self, customer: str) -> Decimal | None:
        """Return how much a customer may use; None where that is not said."""
        return self.customers.get(customer, self.quantity)


class UsageAlertCreated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="fact",
    tag="alert.created",
):
    """A threshold on a meter's usage is watched, for one customer or for each.

    `timezone` is the IANA name of the zone whose months or days count, and None where
    all usage does. `gte` is a percentage where it is of an allowance.
    """

    alert_id: str
    title: str
    meter_id: str
    gte: int
    customer: str | None
    recurrence: Recurrence
    timezone: str | None
    percent_of: Allowance | None = None


class SpentPrice(msgspec.Struct, frozen=True, kw_only=True):
    """A price of a meter's usage, as it is in the currency of an alert.

    It never changes, so an alert needs no other fact to say what usage costs.
    """

    price_id: str
    meter_id: str
    amounts: CurrencyAmounts
    tiers_mode: TiersMode | None
    package: Package | None


class Spend(msgspec.Struct, frozen=True, kw_only=True):
    """What usage is rated by: one price or several, of any meters."""

    currency: str
    prices: tuple[SpentPrice, ...]

    @property
    def meter_ids(self) -> list[str]:
        """The meters, each once, in the order of the prices."""
        return list(dict.fromkeys(each.meter_id for each in self.prices))


class SubscribedPeriods(msgspec.Struct, frozen=True, kw_only=True):
    """The periods of a subscription as they were when an alert was created.

    They begin at the anchor and each interval of the prices before and after it, and the
    first of them no earlier than `since`.
    """

    subscription_id: str
    since: int
    anchor: int
    interval: BillingInterval
    interval_count: int


class LimitShare(msgspec.Struct, frozen=True, kw_only=True):
    """The share of a spend limit at which an alert warns.

    `amount` is the limit, in minor units; it is reached at 100 percent.
    """

    limit_id: str
    amount: int
    percentage: int


class SpendAlertCreated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="fact",
    tag="spend_alert.created",
):
    """An amount that usage costs is watched, for one customer or for each.

    `gte` is in minor units of the currency; `timezone` as for usage. `subscribed` says
    which billing periods count, where those do. `of_limit` says which limit the alert is
    a warning of, where it is one.
    """

    alert_id: str
    title: str
    gte: int
    spend: Spend
    customer: str | None
    recurrence: Recurrence
    timezone: str | None
    subscribed: SubscribedPeriods | None = None
    of_limit: LimitShare | None = None


class CreditAlertCreated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="fact",
    tag="credit_alert.created",
):
    """A threshold on available credits is watched, for one customer or for each.

    `lte` is in minor units of the currency, which is written in lower case. With
    `includes_unbilled_usage`, what is watched is what unbilled usage leaves of them.
    """

    alert_id: str
    title: str
    lte: int
    currency: str
    customer: str | None
    includes_unbilled_usage: bool = False


class AlertActivated(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="alert.activated"
):
    """An inactive alert is active again, and forgets for whom it has triggered."""

    alert_id: str


class AlertDeactivated(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="alert.deactivated"
):
    """An active alert does not trigger any more, for now."""

    alert_id: str


class AlertArchived(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="alert.archived"
):
    """An alert does not trigger any more, for ever."""

    alert_id: str


# One evaluation may make very many: they are left alone by the garbage collector.
class UsageAlertTriggered(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="alert.triggered",
    gc=False,
):
    """A customer's usage, or what it costs, reached an alert's threshold at an event.

    `value` is that with the event, exact; `timestamp` the event's; `window_start`
    that of the window the usage lies in, None where all usage counts.
    """

    alert_id: str
    customer: str
    value: Decimal
    event_position: int
    timestamp: int
    window_start: int | None


class SpendLimitWarned(
    UsageAlertTriggered,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="spend_limit.warned",
    gc=False,
):
    """What a customer's usage costs reached a percentage of a spend limit.

    It is the trigger of the alert that warns at that percentage.
    """

    limit_id: str
    percentage: int


class CreditAlertTriggered(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credit_alert.triggered",
    gc=False,
):
    """A customer's available credits fell to an alert's threshold, or below it.

    `value` is what was available then, in minor units; `instant` when it happened, and
    `cause_position` the position of the fact that did it, 0 where time did. Where unbilled
    usage is included, they are when it was looked for, and up to where.
    """

    alert_id: str
    customer: str
    value: int
    instant: int
    cause_position: int


class CreditAlertRecovered(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credit_alert.recovered",
    gc=False,
):
    """Credits with unbilled usage are above an alert's threshold again: it may trigger.

    The members are those of the trigger before.
    """

    alert_id: str
    customer: str
    value: int
    instant: int
    cause_position: int


CreationFact = UsageAlertCreated | SpendAlertCreated | CreditAlertCreated
TransitionFact = AlertActivated | AlertDeactivated | AlertArchived
TriggerFact = UsageAlertTriggered | SpendLimitWarned | CreditAlertTriggered
AlertFact = CreationFact | TransitionFact | TriggerFact | CreditAlertRecovered
WatchingFact = CreationFact | TransitionFact
"""What is watched from then on, and not what was triggered."""
