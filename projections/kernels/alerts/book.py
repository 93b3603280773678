"""Alerts, the periods in which they are active, and their triggers.

A period begins when an alert is created or activated, and ends when it is deactivated or
archived. The position at which it begins names it. An alert triggers once a period and
customer, and forgets its triggers with the next period.
"""

from dataclasses import dataclass, field, replace

from msgspec.structs import asdict

from ledger.facts.alerts import (
    AlertActivated,
    AlertArchived,
    AlertDeactivated,
    AlertStatus,
    CreditAlertCreated,
    CreditAlertTriggered,
    Recurrence,
    UsageAlertCreated,
    UsageAlertTriggered,
)
from ledger.facts.union import Fact
from projections.kernels.credits.falls import CreditChange, Occurrence

TransitionFact = AlertActivated | AlertDeactivated | AlertArchived
CreationFact = UsageAlertCreated | CreditAlertCreated
TriggerFact = UsageAlertTriggered | CreditAlertTriggered
AlertFact = CreationFact | TransitionFact | TriggerFact

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
        timezone: see `ledger.facts.alerts.UsageAlertCreated`.
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
    status: AlertStatus
    period: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditAlert:
    """An alert on available credits at some position of the log.

    Attributes:
        position: of the fact that created it.
        lte: in minor units of the currency.
        customer: whose credits count; None is every customer's, each by itself.
        period: where its period begins; None while it is not active.
    """

    position: int
    alert_id: str
    title: str
    lte: int
    currency: str
    customer: str | None
    status: AlertStatus
    period: int | None


AlertDefinition = UsageAlert | CreditAlert


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A time in which an alert is active, both ends exclusive.

    Attributes:
        began: where its alert was created or activated.
        ended: where it was deactivated or archived; None while it is active.
    """

    alert_id: str
    began: Occurrence
    ended: Occurrence | None


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


def created(fact: CreationFact, position: int) -> AlertDefinition:
    """Return the alert that a fact created: active, in its first period."""
    kind = CreditAlert if isinstance(fact, CreditAlertCreated) else UsageAlert
    return kind(
        **asdict(fact), position=position, status=AlertStatus.ACTIVE, period=position
    )


def changed(
    alert: AlertDefinition, fact: TransitionFact, position: int
) -> AlertDefinition:
    """Return an alert as it is after a fact about it."""
    status = _STATUSES[type(fact)]
    period = position if status is AlertStatus.ACTIVE else None
    return replace(alert, status=status, period=period)


@dataclass(slots=True)
class AlertBook:
    """All alerts, periods and triggers, folded fact by fact.

    Attributes:
        alerts: by id.
        periods: by the position that each begins at.
        triggers: in the order of the log.
    """

    alerts: dict[str, AlertDefinition] = field(default_factory=dict)
    periods: dict[int, Period] = field(default_factory=dict)
    triggers: list[Trigger] = field(default_factory=list)

    def take_in(self, fact: Fact, position: int, recorded_at: int) -> None:
        """Fold the next fact; facts about anything but alerts change nothing."""
        place = Occurrence(recorded_at, position)
        match fact:
            case UsageAlertCreated() | CreditAlertCreated():
                self.alerts[fact.alert_id] = created(fact, position)
                self._begin(fact.alert_id, place)
            case AlertActivated() | AlertDeactivated() | AlertArchived():
                before = self.alerts[fact.alert_id]
                after = changed(before, fact, position)
                self.alerts[fact.alert_id] = after
                if before.period is not None:
                    period = self.periods[before.period]
                    self.periods[before.period] = replace(period, ended=place)
                if after.period is not None:
                    self._begin(fact.alert_id, place)
            case UsageAlertTriggered() | CreditAlertTriggered():
                trigger = Trigger(
                    position=position,
                    recorded_at=recorded_at,
                    period=self._period_of(fact),
                    fact=fact,
                )
                self.triggers.append(trigger)
            case _:
                pass

    def _begin(self, alert_id: str, place: Occurrence) -> None:
        period = Period(alert_id=alert_id, began=place, ended=None)
        self.periods[place.position] = period

    def _period_of(self, fact: TriggerFact) -> int:
        began = [each.began for each in self.periods.values() if _is_of(each, fact)]
        return max(began).position


def _is_of(period: Period, fact: TriggerFact) -> bool:
    """Whether a period is of a trigger's alert and began before its cause."""
    if period.alert_id != fact.alert_id:
        return False
    if isinstance(fact, CreditAlertTriggered):
        return period.began < Occurrence(fact.instant, fact.cause_position)
    return period.began.position < fact.event_position
