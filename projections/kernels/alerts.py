"""Alerts, the periods in which they are active, and what they triggered.

A period begins when an alert is created or activated and ends when it is deactivated or
archived. It is named by the position that it begins at: what triggered in one period is
not remembered in the next.
"""

from dataclasses import dataclass, field, replace

from ledger.alerts import (
    AlertActivated,
    AlertArchived,
    AlertCreated,
    AlertDeactivated,
    AlertStatus,
    AlertTriggered,
    Recurrence,
)
from ledger.facts import Fact

TransitionFact = AlertActivated | AlertDeactivated | AlertArchived
AlertFact = AlertCreated | TransitionFact | AlertTriggered

_STATUSES: dict[type[TransitionFact], AlertStatus] = {
    AlertActivated: AlertStatus.ACTIVE,
    AlertDeactivated: AlertStatus.INACTIVE,
    AlertArchived: AlertStatus.ARCHIVED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert as it is at some position of the log.

    Attributes:
        position: that of the fact that created it.
        customer: the one whose usage is watched; None is everybody, each by itself.
        timezone: see `ledger.alerts.AlertCreated`.
        period: the position that its period begins at, None while it is not active.
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
class Trigger:
    """A customer's usage that reached an alert's threshold.

    Attributes:
        position: that of the fact that says so.
        period: of the alert, see `projections.kernels.alerts`.
        recorded_at: microseconds since 1970 UTC.
    """

    position: int
    recorded_at: int
    period: int
    fact: AlertTriggered


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """An alert in one of its periods: it triggers at events in between.

    Attributes:
        alert: as it is now.
        after: where the period begins, a position.
        before: where it ends, None where it has not.
    """

    alert: Alert
    after: int
    before: int | None

    def covers(self, position: int) -> bool:
        """Tell whether an event at a position lies in the period."""
        return self.after < position and (self.before is None or position < self.before)


def created(fact: AlertCreated, position: int) -> Alert:
    """Make the alert that a fact created."""
    return Alert(
        position=position,
        alert_id=fact.alert_id,
        title=fact.title,
        meter_id=fact.meter_id,
        gte=fact.gte,
        customer=fact.customer,
        recurrence=fact.recurrence,
        timezone=fact.timezone,
        status=AlertStatus.ACTIVE,
        period=position,
    )


def changed(alert: Alert, fact: TransitionFact, position: int) -> Alert:
    """Find out how a fact leaves its alert."""
    status = _STATUSES[type(fact)]
    period = position if status is AlertStatus.ACTIVE else None
    return replace(alert, status=status, period=period)


@dataclass(slots=True)
class AlertBook:
    """All alerts, periods and triggers, folded fact by fact.

    Attributes:
        alerts: by id.
        periods: where each begins, with the id of its alert and where it ends.
        triggers: in the order of the log.
    """

    alerts: dict[str, Alert] = field(default_factory=dict)
    periods: dict[int, tuple[str, int | None]] = field(default_factory=dict)
    triggers: list[Trigger] = field(default_factory=list)

    def take_in(self, fact: Fact, position: int, recorded_at: int) -> None:
        """Fold the next fact; one about anything else changes nothing."""
        match fact:
            case AlertCreated():
                self.alerts[fact.alert_id] = created(fact, position)
                self.periods[position] = fact.alert_id, None
            case AlertActivated() | AlertDeactivated() | AlertArchived():
                before = self.alerts[fact.alert_id]
                after = changed(before, fact, position)
                self.alerts[fact.alert_id] = after
                if before.period is not None:
                    self.periods[before.period] = fact.alert_id, position
                if after.period is not None:
                    self.periods[after.period] = fact.alert_id, None
            case AlertTriggered():
                trigger = Trigger(
                    position=position,
                    recorded_at=recorded_at,
                    period=self._period_of(fact),
                    fact=fact,
                )
                self.triggers.append(trigger)
            case _:
                pass

    def _period_of(self, fact: AlertTriggered) -> int:
        return max(
            period
            for period, (alert_id, _) in self.periods.items()
            if alert_id == fact.alert_id and period < fact.event_position
        )
