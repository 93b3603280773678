"""Alerts, the periods in which they are active, and their triggers.

A period begins when an alert is created or activated, and ends when it is deactivated or
archived. The position at which it begins names it. An alert triggers once a period and
customer, and forgets its triggers with the next period.
"""

from dataclasses import dataclass, replace

from msgspec.structs import asdict

from ledger.facts.alerts import (
    AlertActivated,
    AlertArchived,
    AlertDeactivated,
    AlertStatus,
    Allowance,
    CreationFact,
    CreditAlertCreated,
    CreditAlertRecovered,
    CreditAlertTriggered,
    LimitShare,
    Recurrence,
    Spend,
    SpendAlertCreated,
    SubscribedPeriods,
    TransitionFact,
    TriggerFact,
    UsageAlertCreated,
)
from projections.kernels.credits.falls import CreditChange, Occurrence

_STATUSES: dict[type[TransitionFact], AlertStatus] = {
    AlertActivated: AlertStatus.ACTIVE,
    AlertDeactivated: AlertStatus.INACTIVE,
    AlertArchived: AlertStatus.ARCHIVED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageAlert:
    """An alert on usage at some position of the log.

    Attributes:
        position: of the fact that created it.
        customer: whose usage counts; None is every customer's, each by itself.
        timezone, percent_of: see `ledger.facts.alerts.UsageAlertCreated`.
        period: where its period begins; None while it is not active.
    """

    position: int
    alert_id: str
    title: str
    meter_id: str
    gte: int
    customer: str | None
    recurrence: Recurrence
    timezone: str | None
    percent_of: Allowance | None
    status: AlertStatus
    period: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendAlert:
    """An alert on what usage costs at some position of the log.

    Attributes:
        position: of the fact that created it.
        gte: in minor units of the currency.
        spend: the prices.
        customer: whose usage counts; None is every customer's, each by itself.
        timezone, subscribed, of_limit: see `ledger.facts.alerts.SpendAlertCreated`.
        period: where its period begins; None while it is not active.
    """

    position: int
    alert_id: str
    title: str
    gte: int
    spend: Spend
    customer: str | None
    recurrence: Recurrence
    timezone: str | None
    subscribed: SubscribedPeriods | None
    of_limit: LimitShare | None
    status: AlertStatus
    period: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditAlert:
    """An alert on available credits at some position of the log.

    Attributes:
        position: of the fact that created it.
        lte: in minor units of the currency.
        customer: whose credits count; None is every customer's, each by itself.
        includes_unbilled_usage: whether what that will draw counts as drawn.
        period: where its period begins; None while it is not active.
    """

    position: int
    alert_id: str
    title: str
    lte: int
    currency: str
    customer: str | None
    includes_unbilled_usage: bool
    status: AlertStatus
    period: int | None


AlertDefinition = UsageAlert | SpendAlert | CreditAlert


_KINDS: dict[type[CreationFact], type[AlertDefinition]] = {
    UsageAlertCreated: UsageAlert,
    SpendAlertCreated: SpendAlert,
    CreditAlertCreated: CreditAlert,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A usage or a balance of credits that reached an alert's threshold.

    Attributes:
        position: of the fact that recorded it.
        period: of the alert.
        recorded_at: microseconds since 1970 UTC.
    """

    position: int
    recorded_at: int
    period: int
    fact: TriggerFact


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """An alert on usage in one of its periods: it triggers at events within.

    Attributes:
        alert: as it is now.
        after: position at which the period begins.
        before: position at which it ends; None where it has not.
    """

    alert: UsageAlert
    after: int
    before: int | None

    def covers(self, position: int) -> bool:
        """Whether an event at a position lies in the period."""
        return self.after < position and (self.before is None or position < self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendWatch:
    """An alert on what usage costs in one of its periods; see `Watch`."""

    alert: SpendAlert
    after: int
    before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditWatch:
    """An alert on credits in one of its periods: it triggers at falls within.

    Attributes:
        alert: as it is now.
        after: where the period begins.
        before: where it ends; None where it has not.
    """

    alert: CreditAlert
    after: Occurrence
    before: Occurrence | None

    def triggers_at(self, customer: str, step: CreditChange) -> bool:
        """Whether it triggers at a change of a customer's available credits."""
        alert = self.alert
        return (
            alert.customer in {None, customer}
            and alert.currency == step.currency
            and step.falls_to(alert.lte)
            and self.after < step.place
            and (self.before is None or step.place < self.before)
        )


def meters_of(alert: AlertDefinition) -> list[str]:
    """Return the meters whose usage an alert watches; none of one on credits."""
    match alert:
        case UsageAlert():
            return [alert.meter_id]
        case SpendAlert():
            return alert.spend.meter_ids
        case CreditAlert():
            return []


def created(fact: CreationFact, position: int) -> AlertDefinition:
    """Return the alert that a fact created: active, in its first period."""
    return _KINDS[type(fact)](
        **asdict(fact), position=position, status=AlertStatus.ACTIVE, period=position
    )


def changed(
    alert: AlertDefinition, fact: TransitionFact, position: int
) -> AlertDefinition:
    """Return an alert as it is after a fact about it."""
    status = _STATUSES[type(fact)]
    period = position if status is AlertStatus.ACTIVE else None
    return replace(alert, status=status, period=period)


def cause_of(
    fact: CreditAlertTriggered | CreditAlertRecovered, place: Occurrence
) -> Occurrence:
    """Return where credits fell, given where the trigger was recorded.

    If the log's time was wrong then, and was corrected since, the cause has yet to come.
    """
    return min(Occurrence(fact.instant, fact.cause_position), place)
