"""Queries of alerts, as one database transaction sees them."""

from collections import Counter
from collections.abc import Collection, Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from ledger.database.bulk import is_among
from ledger.database.rows import RowsByKey, without_null
from ledger.facts.instants import TimeCorrection
from projections.alerts.tables import (
    CHECKPOINT_ID,
    CREDIT_ALERTS,
    CREDIT_TRIGGERS,
    HAS_HAPPENED,
    IS_LISTED,
    IS_ON_CREDITS,
    IS_ON_SPEND,
    IS_ON_USAGE,
    USAGE_TRIGGERS,
    alert,
    alert_checkpoint,
    alert_of,
    alert_period,
    alert_trigger,
    burn_down_checkpoint,
    credit_alert_checkpoint,
    credit_alert_trigger,
    trigger_of,
)
from projections.kernels.alerts.book import (
    AlertDefinition,
    CreditAlert,
    CreditWatch,
    SpendAlert,
    SpendWatch,
    Trigger,
    UsageAlert,
    Watch,
)
from projections.kernels.credits.falls import Occurrence
from projections.rows import Page
from projections.test_clocks.clocked import is_not_gone

_ALERTS = select(alert)
_ALERT = _ALERTS.where(alert.c.alert_id == bindparam("alert_id"))
_CUSTOMERS = select(alert.c.customer, func.count()).where(IS_LISTED)
_OF_METER = _CUSTOMERS.where(alert.c.meter_id == bindparam("meter_id"))
_ON_SPEND = _CUSTOMERS.where(alert.c.spend.is_not(None))
_OF_CURRENCY = _CUSTOMERS.where(alert.c.currency == bindparam("currency"))
_PERIODS = (
    select(
        alert,
        alert_period.c.period.label("after"),
        alert_period.c.began_at,
        alert_period.c.ended,
        alert_period.c.ended_at,
    )
    .join(alert_period, alert_period.c.alert_id == alert.c.alert_id)
    .where(or_(alert_period.c.ended.is_(None), alert_period.c.ended > bindparam("at")))
    .order_by(alert_period.c.period)
)
_WATCHES = _PERIODS.where(alert.c.gte.is_not(None))
_CREDIT_WATCHES = _PERIODS.where(alert.c.currency.is_not(None))
_FIRED = select(
    alert_trigger.c.period, alert_trigger.c.customer, alert_trigger.c.window_start
)
_CREDITS_FIRED = select(
    credit_alert_trigger.c.period,
    credit_alert_trigger.c.customer,
    credit_alert_trigger.c.instant,
    credit_alert_trigger.c.cause_position,
).where(credit_alert_trigger.c.instant >= bindparam("since"), HAS_HAPPENED)
_TRIGGERS = (
    (alert_trigger, USAGE_TRIGGERS),
    (credit_alert_trigger, CREDIT_TRIGGERS),
)
_IS_OF_CLASS = {
    None: IS_LISTED,
    UsageAlert: IS_ON_USAGE,
    SpendAlert: IS_ON_SPEND,
    CreditAlert: IS_ON_CREDITS,
}

Fired = tuple[int, str, int | None]
"""A period, a customer and the start of a window, which trigger once together."""
CreditsFired = tuple[int, str, Occurrence]
"""A period, a customer and where credits fell, which trigger once together."""


class AlertQueries:
    """Queries of alerts, periods and triggers in one database transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def alert(self, alert_id: str) -> AlertDefinition | None:
        """Return an alert by its id."""
        row = self.connection.execute(_ALERT, {"alert_id": alert_id}).first()
        return None if row is None else alert_of(row)

    def all(self) -> list[AlertDefinition]:
        """Return every alert, in the order of their creation."""
        rows = self.connection.execute(_ALERTS.order_by(alert.c.position))
        return [alert_of(row) for row in rows]

    def named(self, alert_ids: Collection[str]) -> RowsByKey[str, AlertDefinition]:
        """Return alerts by their ids."""
        is_wanted = is_among(self.connection, alert.c.alert_id, sorted(alert_ids))
        rows = self.connection.execute(_ALERTS.where(is_wanted))
        return RowsByKey(alert, ((row.alert_id, alert_of(row)) for row in rows))

    def page(
        self,
        page: Page,
        *,
        meter_id: str | None,
        alert_class: type[AlertDefinition] | None,
    ) -> list[AlertDefinition]:
        """Return a page of the alerts that are not archived.

        Args:
            page: which of them.
            meter_id: only alerts on a meter; None is all.
            alert_class: only alerts on usage, or on credits; None is all.
        """
        wanted = _ALERTS.where(_IS_OF_CLASS[alert_class])
        if meter_id is not None:
            wanted = wanted.where(alert.c.meter_id == meter_id)
        rows = page.read(self.connection, alert, wanted)
        return [alert_of(row) for row in rows]

    def applying_count(
        self,
        customer: str | None,
        *,
        meter_id: str | None = None,
        currency: str | None = None,
    ) -> int:
        """Return how many alerts of a kind apply to a customer.

        They are on a meter, on credits in a currency, or on spend where neither is
        given. Archived alerts do not count. None is the customer to whom most apply.
        """
        wanted, given = _ON_SPEND, dict[str, str]()
        if meter_id is not None:
            wanted, given = _OF_METER, {"meter_id": meter_id}
        elif currency is not None:
            wanted, given = _OF_CURRENCY, {"currency": currency}
        rows = self.connection.execute(wanted.group_by(alert.c.customer), given)
        counts: Counter[str | None] = Counter(dict(map(tuple, rows)))
        of_everybody = counts.pop(None, 0)
        if customer is None:
            return of_everybody + max(counts.values(), default=0)
        return of_everybody + counts[customer]

    def watches(self, at: int) -> list[Watch | SpendWatch]:
        """Return the alerts on usage, and on what it costs, by period.

        These are the periods that ended after a position, or have not.
        """
        found: list[Watch | SpendWatch] = []
        for row in self.connection.execute(_WATCHES, {"at": at}):
            match alert_of(row):
                case UsageAlert() as each:
                    found.append(Watch(alert=each, after=row.after, before=row.ended))
                case SpendAlert() as each:
                    found.append(
                        SpendWatch(alert=each, after=row.after, before=row.ended)
                    )
                case CreditAlert():
                    pass
        return found

    def credit_watches(
        self, at: int, *, with_unbilled_usage: bool = False
    ) -> list[CreditWatch]:
        """Return the alerts on credits with the periods that ended after a position.

        Args:
            at: the position.
            with_unbilled_usage: whether those that include it, or those that do not.
        """
        return [
            CreditWatch(
                alert=CREDIT_ALERTS.read(row),
                after=Occurrence(row.began_at, row.after),
                before=None
                if row.ended is None
                else Occurrence(row.ended_at, row.ended),
            )
            for row in self.connection.execute(_CREDIT_WATCHES, {"at": at})
            if row.includes_unbilled_usage == with_unbilled_usage
        ]

    def fired(self, periods: Sequence[int]) -> set[Fired]:
        """Return for whom alerts on usage have triggered in some periods."""
        is_wanted = is_among(self.connection, alert_trigger.c.period, sorted(periods))
        rows = self.connection.execute(_FIRED.where(is_wanted))
        return {(row.period, row.customer, row.window_start) for row in rows}

    def credits_fired(self, periods: Sequence[int], since: int) -> set[CreditsFired]:
        """Return for whom alerts on credits have triggered since an instant, inclusive."""
        is_wanted = is_among(
            self.connection, credit_alert_trigger.c.period, sorted(periods)
        )
        rows = self.connection.execute(
            _CREDITS_FIRED.where(is_wanted), {"since": since}
        )
        return {
            (row.period, row.customer, Occurrence(row.instant, row.cause_position))
            for row in rows
        }

    def triggers(
        self, alert_id: str | None, customer: str | None, page: Page
    ) -> list[Trigger]:
        """Return triggers of one alert or all, of one customer or all, in log order.

        Args:
            alert_id: of the alert; None is every one.
            customer: for whom; None is everybody.
            page: which of them.
        """
        found = list[Trigger]()
        for table, form in _TRIGGERS:
            wanted = select(table).where(is_not_gone(table.c.customer))
            if alert_id is not None:
                wanted = wanted.where(table.c.alert_id == alert_id)
            if customer is not None:
                wanted = wanted.where(table.c.customer == customer)
            rows = page.read(self.connection, table, wanted)
            found += [trigger_of(table, row, form.read(row)) for row in rows]
        return page.within(sorted(found, key=lambda each: each.position))

    def checkpoint(self) -> int | None:
        """Return the position up to which triggers are recorded; None without alerts."""
        wanted = select(alert_checkpoint.c.position).where(
            alert_checkpoint.c.checkpoint_id == CHECKPOINT_ID
        )
        return self.connection.execute(wanted).scalar()

    def sealable_position(self) -> int | None:
        """Return up to where no alert asks what usage is of the tail; None is any."""
        burned_down = self.credit_checkpoint(burn_down_checkpoint)
        reached = [self.checkpoint(), burned_down and burned_down.position]
        return min((each for each in reached if each is not None), default=None)

    def move_checkpoint(self, position: int) -> None:
        """Move the checkpoint of alerts on usage, which never goes back."""
        self.connection.execute(
            update(alert_checkpoint)
            .where(
                alert_checkpoint.c.checkpoint_id == CHECKPOINT_ID,
                alert_checkpoint.c.position < position,
            )
            .values(position=position)
        )

    def credit_checkpoint(
        self, of: Table = credit_alert_checkpoint
    ) -> Occurrence | None:
        """Return up to where triggers of alerts on credits are recorded; None without.

        Args:
            of: the table: of credits as they are, or as unbilled usage leaves them.
        """
        wanted = select(of).where(of.c.checkpoint_id == CHECKPOINT_ID)
        row = self.connection.execute(wanted).first()
        if row is None:
            return None
        without_null(row, *of.columns)
        return Occurrence(row.recorded_at, row.position)

    def move_credit_checkpoint(self, place: Occurrence) -> None:
        """Move the checkpoint of alerts on credits, which never goes back."""
        self.connection.execute(
            update(credit_alert_checkpoint)
            .where(
                credit_alert_checkpoint.c.checkpoint_id == CHECKPOINT_ID,
                credit_alert_checkpoint.c.position < place.position,
            )
            .values(position=place.position, recorded_at=place.instant)
        )

    def take_credit_checkpoint_back(self, correction: TimeCorrection) -> None:
        """Take the checkpoint of alerts on credits back before what a wrong time recorded.

        What it decided is decided anew, by when it counts as recorded. With unbilled
        usage, what time brings about is looked for again; what has triggered stays so.
        """
        for each in (credit_alert_checkpoint, burn_down_checkpoint):
            self.connection.execute(
                update(each)
                .where(
                    each.c.checkpoint_id == CHECKPOINT_ID,
                    each.c.position < correction.position,
                )
                .values(
                    position=_least(each.c.position, correction.after),
                    recorded_at=_least(each.c.recorded_at, correction.corrected_to),
                )
            )


def _least(column: ColumnElement[int], bound: int) -> ColumnElement[int]:
    return case((column > bound, bound), else_=column)
