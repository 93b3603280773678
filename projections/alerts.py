"""Alerts as one database transaction sees them: the questions that are asked of them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, or_, select

from ledger.alerts import AlertStatus
from projections.credits import Page
from projections.kernels.alerts import Alert, AlertBook, Trigger, Watch
from projections.tables.alerts import (
    alert,
    alert_of,
    alert_period,
    alert_trigger,
    move_checkpoint,
    read_checkpoint,
    trigger_of,
)
from projections.tables.bulk import is_among_numbers

_ALERTS = select(alert)
_ALERT = _ALERTS.where(alert.c.alert_id == bindparam("alert_id"))
_NOT_ARCHIVED = alert.c.status != AlertStatus.ARCHIVED.value
_CUSTOMERS = select(alert.c.customer, func.count()).where(
    alert.c.meter_id == bindparam("meter_id"), _NOT_ARCHIVED
)
_WATCHES = (
    select(alert, alert_period.c.period.label("after"), alert_period.c.ended)
    .join(alert_period, alert_period.c.alert_id == alert.c.alert_id)
    .where(or_(alert_period.c.ended.is_(None), alert_period.c.ended > bindparam("at")))
    .order_by(alert_period.c.period)
)
_FIRED = select(
    alert_trigger.c.period, alert_trigger.c.customer, alert_trigger.c.window_start
)
_TRIGGERS = select(alert_trigger).order_by(alert_trigger.c.position)

Fired = tuple[int, str, int | None]
"""A period, a customer and the start of a window: triggers but once."""


class Alerts:
    """Alerts, periods and triggers, as a database transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def alert(self, alert_id: str) -> Alert | None:
        """Find an alert by its id."""
        row = self.connection.execute(_ALERT, {"alert_id": alert_id}).first()
        return None if row is None else alert_of(row)

    def all(self) -> list[Alert]:
        """Read every alert, in the order of their creation."""
        return self._alerts(_ALERTS.order_by(alert.c.position))

    def stored(self) -> AlertBook:
        """Read every alert, period and trigger."""
        return AlertBook(
            alerts={each.alert_id: each for each in self.all()},
            periods=self.all_periods(),
            triggers=self.triggers(),
        )

    def page(self, meter_id: str | None, page: Page) -> list[Alert]:
        """Read some alerts that are not archived, of one meter or all, newest first."""
        wanted, position = _ALERTS.where(_NOT_ARCHIVED), alert.c.position
        if meter_id is not None:
            wanted = wanted.where(alert.c.meter_id == meter_id)
        if page.before is not None:
            wanted = wanted.where(position < page.before)
        if page.after is not None:
            wanted = wanted.where(position > page.after).order_by(position)
        else:
            wanted = wanted.order_by(position.desc())
        found = self._alerts(wanted.limit(page.limit))
        return found if page.after is None else found[::-1]

    def applying_count(self, meter_id: str, customer: str | None) -> int:
        """Count the alerts that apply to a customer, or to whom most apply to.

        Those that are archived do not count.
        """
        grouped = _CUSTOMERS.group_by(alert.c.customer)
        rows = self.connection.execute(grouped, {"meter_id": meter_id})
        counts: Counter[str | None] = Counter(dict(map(tuple, rows)))
        of_everybody = counts.pop(None, 0)
        if customer is None:
            return of_everybody + max(counts.values(), default=0)
        return of_everybody + counts[customer]

    def watches(self, at: int) -> list[Watch]:
        """Read the periods that have not ended before a position, with their alerts."""
        return [
            Watch(alert=alert_of(row), after=row.after, before=row.ended)
            for row in self.connection.execute(_WATCHES, {"at": at})
        ]

    def all_periods(self) -> dict[int, tuple[str, int | None]]:
        """Read where each period begins, with its alert's id and where it ends."""
        rows = self.connection.execute(
            select(alert_period).order_by(alert_period.c.period)
        )
        return {row.period: (row.alert_id, row.ended) for row in rows}

    def fired(self, periods: Sequence[int]) -> set[Fired]:
        """Read for whom alerts have triggered in some periods."""
        is_wanted = is_among_numbers(
            self.connection, alert_trigger.c.period, sorted(periods)
        )
        rows = self.connection.execute(_FIRED.where(is_wanted))
        return {(row.period, row.customer, row.window_start) for row in rows}

    def triggers(
        self, alert_id: str | None = None, customer: str | None = None
    ) -> list[Trigger]:
        """Read triggers, of one alert or all, of one customer or all, in their order."""
        wanted = _TRIGGERS
        if alert_id is not None:
            wanted = wanted.where(alert_trigger.c.alert_id == alert_id)
        if customer is not None:
            wanted = wanted.where(alert_trigger.c.customer == customer)
        return [trigger_of(row) for row in self.connection.execute(wanted)]

    def checkpoint(self) -> int | None:
        """Tell up to where triggers are recorded; None where there never was an alert."""
        return read_checkpoint(self.connection)

    def move_checkpoint(self, position: int) -> None:
        """Say up to where triggers are recorded."""
        move_checkpoint(self.connection, position)

    def _alerts(self, wanted: Select[Any]) -> list[Alert]:
        return [alert_of(row) for row in self.connection.execute(wanted)]
