"""Alerts on usage, on what it costs, and on credits: what may be done to them.

What they trigger is found by evaluation; see `metering.store.evaluation`.
"""

from collections.abc import Sequence
from typing import cast

from ledger.facts.alerts import (
    AlertActivated,
    AlertArchived,
    AlertDeactivated,
    AlertStatus,
    CreationFact,
    CreditAlertCreated,
    SpendAlertCreated,
    TransitionFact,
)
from metering.alerts.definitions import alert_definition
from metering.alerts.requests import (
    AlertCreate,
    AlertList,
    CreditBalanceThresholdParams,
    SpendThresholdParams,
    TriggerList,
    UsageThresholdParams,
)
from metering.alerts.resources import (
    Alert,
    AlertTriggered,
    AlertTypeName,
    alert_resource,
    triggered_resource,
)
from metering.arguments.ids import found_by_id
from metering.arguments.pages import LIMIT, ListObject, listed, page_of
from metering.arguments.schema import checked, checked_customer
from metering.errors import InvalidRequestError
from metering.meters.meters import meter_of
from metering.store.engine import Engine
from projections.alerts.queries import AlertQueries
from projections.kernels.alerts import book as kernel
from projections.prices.queries import PriceQueries
from projections.rows import Page


class Alerts:
    """The alerts of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self,
        *,
        title: str,
        alert_type: AlertTypeName = "usage_threshold",
        usage_threshold: UsageThresholdParams | None = None,
        spend_threshold: SpendThresholdParams | None = None,
        credit_balance_threshold: CreditBalanceThresholdParams | None = None,
    ) -> Alert:
        """Watch the usage on a meter, what usage costs, or credits.

        An alert on usage triggers at the first event, recorded after this call, with which a
        customer's usage is at the threshold or above it; usage recorded before counts.
        `Metering.catch_up` finds it. Once triggered for a customer, it does not trigger
        for that customer again, or not before another month or day, unless it is
        deactivated and activated. The event counts as it did when it was recorded: one
        that is cancelled later, even before alerts are evaluated, triggers all the
        same, so that an alert may name an event that counts no more.

        An alert on spend triggers likewise, at the first event with which what a
        customer's usage costs is at the threshold or above it. Each price is rated as
        `Metering.rate` does, by itself and at quantity 0 as well, so what it costs is
        what a bill of these prices would say at that event.

        An alert on credits triggers each time that a customer's available credits fall
        from above the threshold to it or below: by a fact recorded after this call, or
        at an instant after it at which they expire. A customer who has none does not
        fall.

        With unbilled usage, what is watched is what that leaves of the available
        credits, as `CreditBalanceSummaries.retrieve` says it, at each evaluation of what
        was recorded since. It triggers where that is at the threshold or below it, and
        again only once an evaluation has found it above: once a fall, whichever process
        evaluates and however often. The first fall is from credits that were above
        without usage, since the alert was created or activated: usage recorded before
        counts. Whatever changes credits, prices, subscriptions or statements is preceded
        by such a look, so that none of it hides a fall by usage; only time, and usage
        itself, can lift what is left between two looks unseen.

        Args:
            title: 1 to 256 characters, for people.
            alert_type: usage_threshold, spend_threshold or credit_balance_threshold;
                the argument of that name is needed, and no other.
            usage_threshold: ``{"gte": 1000, "meter": id, "recurrence": "one_time"}``,
                on a meter of formula sum, count or last; with ``"filters": [{"type":
                "customer", "customer": …}]`` for one customer, without for each.
                Beyond Stripe: recurrence ``"calendar_month"`` or ``"calendar_day"``
                compares the usage since the month or day of the event's timestamp
                began, by the clocks of ``"timezone"``, an IANA name, by default UTC.
                ``"percent_of": {"quantity": "1000", "customers": {…: "5000"}}`` makes
                `gte` a percentage of what each customer may use.
            spend_threshold: ``{"gte": 5000, "currency": "usd", "prices": [id, …]}``, in
                minor units, of up to 20 metered prices on meters of such formulas; with
                ``"filters"``, ``"recurrence"`` and ``"timezone"`` as above, but of the
                calendar month by default. What the prices are now counts for ever.
                ``"subscription": id`` in place of prices and of all of these watches
                its customer by its metered prices, once in each of its billing
                periods, as all of them are now.
            credit_balance_threshold: ``{"lte": {"balance_type": "monetary", "monetary":
                {"currency": "usd", "value": 500}}}``, in minor units, with ``"filters"``
                as above. All grants of the currency count, whatever they are usable
                for. Beyond Stripe: ``"include_unbilled_usage": True`` watches what is
                left once usage that no finalised statement covers has drawn.

        Raises:
            ResourceMissingError: there is no such meter, price or subscription.
            InvalidRequestError: an argument is malformed, a meter has another formula,
                a price is not metered or not in the currency, or too many alerts apply
                to the customer already.
        """
        asked = checked(
            AlertCreate,
            alert_type=alert_type,
            title=title,
            usage_threshold=usage_threshold,
            spend_threshold=spend_threshold,
            credit_balance_threshold=credit_balance_threshold,
        )
        alert_id, meters = self._engine.new_id("alrt"), self._engine.definitions()

        with self._engine.writing() as writing:
            prices = PriceQueries(writing.connection)
            created = alert_definition(asked, alert_id, meters, prices, writing.now)
            self._check_count(created, AlertQueries(writing.connection))
            writing.record([created])
        return self.retrieve(alert_id)

    def activate(self, alert_id: str) -> Alert:
        """Let an inactive alert trigger again, also for customers for whom it has triggered.

        Raises:
            ResourceMissingError: there is no such alert.
            InvalidRequestError: it is active already, or archived.
        """
        fact = AlertActivated(alert_id=alert_id)
        return self._transition(fact, {AlertStatus.INACTIVE})

    def deactivate(self, alert_id: str) -> Alert:
        """Stop an alert from triggering at events recorded from now on.

        Raises:
            ResourceMissingError: there is no such alert.
            InvalidRequestError: it is inactive already, or archived.
        """
        fact = AlertDeactivated(alert_id=alert_id)
        return self._transition(fact, {AlertStatus.ACTIVE})

    def archive(self, alert_id: str) -> Alert:
        """Stop an alert from triggering for ever, and leave it out of lists.

        Raises:
            ResourceMissingError: there is no such alert.
            InvalidRequestError: it is archived already.
        """
        fact = AlertArchived(alert_id=alert_id)
        return self._transition(fact, {AlertStatus.ACTIVE, AlertStatus.INACTIVE})

    def retrieve(self, alert_id: str) -> Alert:
        """Return an alert by its id, also one that is archived.

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
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[Alert]:
        """Return alerts that are not archived, newest first.

        Args:
            meter: id of the meter whose alerts to list, those on spend left out; None is
                every alert.
            alert_type: of which type; None is every one.
            limit: 1 to 100.
            starting_after: id of the alert before the first one to list.
            ending_before: id of the alert behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no alert, or the meter of none.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                AlertList,
                meter=meter,
                alert_type=alert_type,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def _page(self, asked: AlertList) -> ListObject[Alert]:
        if asked.meter is not None:
            meter_of(self._engine.definitions(), asked.meter, "meter")
        wanted = None if asked.alert_type is None else _CLASSES[asked.alert_type]
        with self._engine.log.read() as connection:
            seen = AlertQueries(connection)
            page = page_of(asked, lambda each, at: alert_of(seen, each, at).position)
            found = seen.page(page, meter_id=asked.meter, alert_class=wanted)
        livemode = self._engine.settings.livemode
        alerts = [alert_resource(each, livemode=livemode) for each in found]
        return listed(asked, alerts, self._page)

    def triggered(
        self,
        alert: str | None = None,
        customer: str | None = None,
        *,
        limit: int | None = None,
        starting_after: int | None = None,
        ending_before: int | None = None,
    ) -> Sequence[AlertTriggered]:
        """Return what has triggered so far, in the order of the log.

        `Metering.catch_up` evaluates what was recorded since. The event that is named may
        have been cancelled, before or after it was evaluated.

        Args:
            alert: id of the alert; None is every one.
            customer: for whom; None is every customer.
            limit: how many at most, 1 to 100: the last ones, or the first ones of those
                that follow `starting_after`; None is all of them.
            starting_after: position of the trigger before the first one to list.
            ending_before: position of the trigger behind the last one to list.

        Raises:
            ResourceMissingError: there is no such alert.
            InvalidRequestError: an argument is malformed.
        """
        of_customer = None if customer is None else checked_customer(customer)
        asked = checked(
            TriggerList,
            limit=limit,
            starting_after=starting_after,
            ending_before=ending_before,
        )
        page = Page(
            limit=asked.limit, before=asked.ending_before, after=asked.starting_after
        )
        with self._engine.log.read() as connection:
            seen = AlertQueries(connection)
            if alert is not None:
                alert_of(seen, alert, "alert")
            triggers = seen.triggers(alert, of_customer, page)
            alerts = seen.named({each.fact.alert_id for each in triggers})
        livemode = self._engine.settings.livemode
        return [
            triggered_resource(each, alerts[each.fact.alert_id], livemode=livemode)
            for each in triggers
        ]

    def _transition(
        self,
        fact: TransitionFact,
        from_statuses: set[AlertStatus],
    ) -> Alert:
        with self._engine.writing() as writing:
            seen = AlertQueries(writing.connection)
            known = alert_of(seen, fact.alert_id)
            _check_own(known)
            status = known.status
            if status not in from_statuses:
                raise InvalidRequestError(
                    f"Alert {fact.alert_id} is {status.value}"
                    f"{_AND_SO[status is AlertStatus.ARCHIVED]}",
                    code="alert_status_invalid",
                    param="id",
                )
            writing.record([fact])
        return self.retrieve(fact.alert_id)

    def _check_count(self, created: CreationFact, seen: AlertQueries) -> None:
        most = self._engine.settings.alerts_max
        customer = created.customer
        if isinstance(created, CreditAlertCreated):
            currency = created.currency
            applying = seen.applying_count(customer, currency=currency)
            what, param = f"credits in {currency}", "credit_balance_threshold"
        elif isinstance(created, SpendAlertCreated):
            applying = seen.applying_count(customer)
            what, param = "spend", "spend_threshold"
        else:
            meter_id = created.meter_id
            applying = seen.applying_count(customer, meter_id=meter_id)
            what, param = f"meter {meter_id}", "usage_threshold"
        if applying >= most:
            raise InvalidRequestError(
                f"{applying} alerts on {what} apply to one customer;"
                f" must be at most {most}, so archive one first",
                code="alert_limit_reached",
                param=f"{param}[filters]",
            )


def _check_own(alert: kernel.AlertDefinition) -> None:
    """Check that an alert is not part of something else.

    Raises:
        InvalidRequestError: a spend limit has made it.
    """
    if isinstance(alert, kernel.SpendAlert) and alert.of_limit is not None:
        raise InvalidRequestError(
            f"Alert {alert.alert_id} warns of spend limit {alert.of_limit.limit_id};"
            " change the percentages of that, or cancel it",
            code="alert_of_limit",
            param="id",
        )


_CLASSES: dict[str, type[kernel.AlertDefinition]] = {
    "usage_threshold": kernel.UsageAlert,
    "spend_threshold": kernel.SpendAlert,
    "credit_balance_threshold": kernel.CreditAlert,
}
_AND_SO = {False: " already", True: ", which is final"}


def alert_of(
    seen: AlertQueries, alert_id: object, param: str = "id"
) -> kernel.AlertDefinition:
    """Return an alert by its id, or refuse the parameter that holds it."""
    found = found_by_id(seen.alert, alert_id, "billing alert", param)
    # mypy joins the members of a union that is solved for.
    return cast("kernel.AlertDefinition", found)
