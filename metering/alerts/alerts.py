"""Alerts: which usage, and which credits, are watched. Decides what may be done to them.

What an alert triggered is found by evaluation; see `metering.store.evaluation`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from ledger.facts.alerts import (
    AlertActivated,
    AlertArchived,
    AlertDeactivated,
    AlertStatus,
    CreditAlertCreated,
    CreditAlertTriggered,
)
from ledger.usage.quantities import shortest
from metering.alerts.parameters import (
    check_alert_type,
    check_alone,
    check_credit_threshold,
    check_threshold,
)
from metering.alerts.resources import (
    Alert,
    AlertFilter,
    AlertTriggered,
    AlertTypeName,
    CreditBalanceLimit,
    CreditBalanceThreshold,
    UsageThreshold,
)
from metering.arguments.clock import at_microseconds
from metering.arguments.parameters import name_of
from metering.arguments.strings import is_storable
from metering.credits.parameters import check_customer, check_page
from metering.credits.resources import Monetary
from metering.errors import InvalidRequestError, ResourceMissingError
from metering.meters.meters import meter_of
from metering.store.engine import Engine
from projections.alerts.queries import AlertQueries
from projections.kernels.alerts import book as kernel
from projections.rows import Page

ALERTS_MAX = 25
LONGEST_TITLE = 256


class Alerts:
    """The alerts of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self,
        *,
        title: str,
        alert_type: AlertTypeName = "usage_threshold",
        usage_threshold: Mapping[str, object] | None = None,
        credit_balance_threshold: Mapping[str, object] | None = None,
    ) -> Alert:
        """Watch the usage on a meter, or credits.

        An alert on usage triggers at the first event, recorded after this call, with which a
        customer's usage is at the threshold or above it; usage recorded before counts.
        `Metering.catch_up` finds it. Once triggered for a customer, it does not trigger
        for that customer again, or not before another month or day, unless it is
        deactivated and activated.

        An alert on credits triggers each time that a customer's available credits fall
        from above the threshold to it or below: by a fact recorded after this call, or
        at an instant after it at which they expire. A customer who has none does not
        fall.

        Args:
            title: 1 to 256 characters, for people.
            alert_type: usage_threshold or credit_balance_threshold; the argument of
                that name is needed, and no other.
            usage_threshold: ``{"gte": 1000, "meter": id, "recurrence": "one_time"}``,
                on a meter of formula sum, count or last; with ``"filters": [{"type":
                "customer", "customer": …}]`` for one customer, without for each.
                Beyond Stripe: recurrence ``"calendar_month"`` or ``"calendar_day"``
                compares the usage since the month or day of the event's timestamp
                began, by the clocks of ``"timezone"``, an IANA name, by default UTC.
            credit_balance_threshold: ``{"lte": {"balance_type": "monetary", "monetary":
                {"currency": "usd", "value": 500}}}``, in minor units, with ``"filters"``
                as above. All grants of the currency count, whatever they are usable
                for.

        Raises:
            ResourceMissingError: there is no such meter.
            InvalidRequestError: an argument is malformed, the meter has another
                formula, or too many alerts apply to the customer already.
        """
        thresholds = {
            "usage_threshold": usage_threshold,
            "credit_balance_threshold": credit_balance_threshold,
        }
        check_alone(check_alert_type(alert_type), thresholds)
        name = name_of(title, "title", LONGEST_TITLE)
        alert_id = self._engine.ids.resource(
            "alrt" if self._engine.settings.livemode else "alrt_test"
        )
        created: kernel.CreationFact
        if usage_threshold is None:
            created = check_credit_threshold(
                credit_balance_threshold, alert_id=alert_id, title=name
            )
        else:
            created = check_threshold(
                usage_threshold,
                alert_id=alert_id,
                title=name,
                meters=self._engine.definitions().by_id,
            )

        with self._engine.writing() as writing:
            self._check_count(created, AlertQueries(writing.connection))
            writing.record([created])
        return self.retrieve(created.alert_id)

    def activate(self, alert_id: str) -> Alert:
        """Let an inactive alert trigger again, also for whom it has triggered before.

        Raises:
            ResourceMissingError: there is no such alert.
            InvalidRequestError: it is active already, or archived.
        """
        fact = AlertActivated(alert_id=alert_id)
        return self._transition(fact, {AlertStatus.INACTIVE})

    def deactivate(self, alert_id: str) -> Alert:
        """Keep an alert from triggering at events recorded from now on.

        Raises:
            ResourceMissingError: there is no such alert.
            InvalidRequestError: it is inactive already, or archived.
        """
        fact = AlertDeactivated(alert_id=alert_id)
        return self._transition(fact, {AlertStatus.ACTIVE})

    def archive(self, alert_id: str) -> Alert:
        """Keep an alert from triggering for ever, and leave it out of lists.

        Raises:
            ResourceMissingError: there is no such alert.
            InvalidRequestError: it is archived already.
        """
        fact = AlertArchived(alert_id=alert_id)
        return self._transition(fact, {AlertStatus.ACTIVE, AlertStatus.INACTIVE})

    def retrieve(self, alert_id: str) -> Alert:
        """Get an alert by its id, also one that is archived.

        Raises:
            ResourceMissingError: there is no such alert.
        """
        with self._engine.log.read() as connection:
            alert = alert_of(AlertQueries(connection), alert_id)
        return alert_resource(alert, livemode=self._engine.settings.livemode)

    def list(
        self,
        *,
        meter: str | None = None,
        alert_type: AlertTypeName | None = None,
        limit: int = 10,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> list[Alert]:
        """List the alerts that are not archived, newest first.

        Args:
            meter: id of the meter whose alerts to list; None is all, also on credits.
            alert_type: of which type; None is both.
            limit: 1 to 100.
            starting_after: id of the alert before the first one to list.
            ending_before: id of the alert behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no alert, or the meter of none.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        page_limit = check_page(limit, starting_after, ending_before)
        wanted = None
        if alert_type is not None:
            wanted = _CLASSES[check_alert_type(alert_type)]
        if meter is not None:
            meter_of(self._engine.definitions(), meter, "meter")
        with self._engine.log.read() as connection:
            seen = AlertQueries(connection)
            page = Page(
                limit=page_limit,
                before=_cursor(seen, starting_after, "starting_after"),
                after=_cursor(seen, ending_before, "ending_before"),
            )
            found = seen.page(page, meter_id=meter, alert_class=wanted)
        livemode = self._engine.settings.livemode
        return [alert_resource(each, livemode=livemode) for each in found]

    def triggered(
        self, alert: str | None = None, customer: str | None = None
    ) -> Sequence[AlertTriggered]:
        """Tell what has triggered so far, in the order of the log.

        It is found by `Metering.catch_up`.

        Args:
            alert: id of the alert; None is every one.
            customer: for whom; None is everybody.

        Raises:
            ResourceMissingError: there is no such alert.
        """
        of_customer = None if customer is None else check_customer(customer)
        with self._engine.log.read() as connection:
            seen = AlertQueries(connection)
            if alert is not None:
                alert_of(seen, alert, "alert")
            alerts = {each.alert_id: each for each in seen.all()}
            triggers = seen.triggers(alert, of_customer)
        livemode = self._engine.settings.livemode
        return [
            triggered_resource(each, alerts[each.fact.alert_id], livemode=livemode)
            for each in triggers
        ]

    def _transition(
        self,
        fact: kernel.TransitionFact,
        from_statuses: set[AlertStatus],
    ) -> Alert:
        with self._engine.writing() as writing:
            seen = AlertQueries(writing.connection)
            status = alert_of(seen, fact.alert_id).status
            if status not in from_statuses:
                raise InvalidRequestError(
                    f"Alert {fact.alert_id} is {status.value}"
                    f"{_AND_SO[status is AlertStatus.ARCHIVED]}",
                    code="alert_status_invalid",
                    param="id",
                )
            writing.record([fact])
        return self.retrieve(fact.alert_id)

    def _check_count(self, created: kernel.CreationFact, seen: AlertQueries) -> None:
        most = self._engine.settings.alerts_max
        if isinstance(created, CreditAlertCreated):
            currency = created.currency
            applying = seen.applying_count(created.customer, currency=currency)
            what, param = f"credits in {currency}", "credit_balance_threshold"
        else:
            meter_id = created.meter_id
            applying = seen.applying_count(created.customer, meter_id=meter_id)
            what, param = f"meter {meter_id}", "usage_threshold"
        if applying >= most:
            raise InvalidRequestError(
                f"{applying} alerts on {what} apply to one customer;"
                f" must be at most {most}, so archive one first",
                code="alert_limit_reached",
                param=f"{param}[filters]",
            )


_CLASSES: dict[str, type[kernel.AlertDefinition]] = {
    "usage_threshold": kernel.UsageAlert,
    "credit_balance_threshold": kernel.CreditAlert,
}
_AND_SO = {False: " already", True: ", which is final"}


def alert_of(
    seen: AlertQueries, alert_id: object, param: str = "id"
) -> kernel.AlertDefinition:
    """Find an alert by its id.

    Raises:
        ResourceMissingError: there is no such alert.
    """
    found = None
    if isinstance(alert_id, str) and is_storable(alert_id):
        found = seen.alert(alert_id)
    if found is None:
        raise ResourceMissingError("billing alert", str(alert_id), param=param)
    return found


def alert_resource(alert: kernel.AlertDefinition, *, livemode: bool) -> Alert:
    """Give an alert to the caller."""
    is_on_usage = isinstance(alert, kernel.UsageAlert)
    return Alert(
        id=alert.alert_id,
        alert_type="usage_threshold" if is_on_usage else "credit_balance_threshold",
        livemode=livemode,
        status=alert.status.value,
        title=alert.title,
        usage_threshold=_usage_threshold(alert),
        credit_balance_threshold=_credit_balance_threshold(alert),
    )


def _usage_threshold(alert: kernel.AlertDefinition) -> UsageThreshold | None:
    if not isinstance(alert, kernel.UsageAlert):
        return None
    return UsageThreshold(
        gte=alert.gte,
        meter=alert.meter_id,
        recurrence=alert.recurrence.value,
        filters=_filters(alert),
        timezone=alert.timezone,
    )


def _credit_balance_threshold(
    alert: kernel.AlertDefinition,
) -> CreditBalanceThreshold | None:
    if not isinstance(alert, kernel.CreditAlert):
        return None
    money = Monetary(currency=alert.currency, value=alert.lte)
    return CreditBalanceThreshold(
        lte=CreditBalanceLimit(monetary=money), filters=_filters(alert)
    )


def _filters(alert: kernel.AlertDefinition) -> tuple[AlertFilter, ...] | None:
    customer = alert.customer
    return None if customer is None else (AlertFilter(customer=customer),)


def triggered_resource(
    trigger: kernel.Trigger, alert: kernel.AlertDefinition, *, livemode: bool
) -> AlertTriggered:
    """Give a trigger to the caller, with its alert."""
    fact = trigger.fact
    resource = alert_resource(alert, livemode=livemode)
    if isinstance(fact, CreditAlertTriggered):
        return AlertTriggered(
            alert=resource,
            created=at_microseconds(trigger.recorded_at),
            customer=fact.customer,
            livemode=livemode,
            value=Decimal(fact.value),
            position=trigger.position,
            event_position=fact.cause_position or None,
            timestamp=at_microseconds(fact.instant),
            window_start=None,
        )
    window_start = fact.window_start
    return AlertTriggered(
        alert=resource,
        created=at_microseconds(trigger.recorded_at),
        customer=fact.customer,
        livemode=livemode,
        value=shortest(fact.value),
        position=trigger.position,
        event_position=fact.event_position,
        timestamp=at_microseconds(fact.timestamp),
        window_start=None if window_start is None else at_microseconds(window_start),
    )


def _cursor(seen: AlertQueries, alert_id: str | None, param: str) -> int | None:
    return None if alert_id is None else alert_of(seen, alert_id, param).position
