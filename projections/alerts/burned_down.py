"""Alerts on what unbilled usage leaves of credits: whom to look at, and how they stand.

What was left at an entry that lies back would need the prices, subscriptions and statements
of then. So it is looked at as it is, by whoever evaluates, and what was found is recorded:
that it fell to a threshold, and that it is above again. Only then another fall is one, so
each triggers once, whoever looks and however often.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, or_, select, update

from ledger.commits import read_head
from ledger.database.bulk import is_among
from ledger.errors import StoreDamagedError
from ledger.facts.adjustments import AdjustmentFact
from ledger.facts.prices import PriceUpdated
from ledger.facts.statements import StatementFinalized, StatementVoided
from ledger.facts.subscriptions import SubscriptionChange, SubscriptionCreated
from ledger.facts.test_clocks import TestClockReady
from ledger.facts.union import Fact
from ledger.reading import read_facts
from projections.alerts.credit_crossings import touched_by
from projections.alerts.queries import AlertQueries
from projections.alerts.tables import (
    CHECKPOINT_ID,
    burn_down_checkpoint,
    credit_alert_fallen,
)
from projections.credits.hold_tables import IS_UNENDED, credit_hold
from projections.credits.pools.moved import grants_moved
from projections.credits.queries import CreditQueries
from projections.credits.tables import credit_grant
from projections.credits.turns import turning
from projections.kernels.alerts.book import CreditAlert, CreditWatch
from projections.kernels.credits.falls import Occurrence, steps
from projections.statements.tables import statement
from projections.subscriptions.tables import subscription
from projections.test_clocks.clocked import ClockedCustomers
from projections.test_clocks.queries import ClockQueries, by_clock

_OPEN_UNTIL = select(credit_hold.c.customer).where(
    IS_UNENDED,
    credit_hold.c.expires_at > bindparam("after"),
    credit_hold.c.expires_at <= bindparam("up_to"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """Since a place, who may have more or less left.

    Attributes:
        customers: those; None is everybody.
        is_news: whether anything happened that is to be looked at.
    """

    customers: Collection[str] | None
    is_news: bool


class BurnDownQueries:
    """Queries of alerts on what unbilled usage leaves, in one database transaction.

    Args:
        credit: the credits, in that transaction.
    """

    def __init__(self, credit: CreditQueries) -> None:
        self._connection: Connection = credit.connection
        self._credit = credit
        self._alerts = AlertQueries(credit.connection)

    def is_any(self) -> bool:
        """Whether there ever was such an alert."""
        return self._alerts.credit_checkpoint(burn_down_checkpoint) is not None

    def checkpoint(self) -> Occurrence:
        """Return up to where everybody was looked at."""
        found = self._alerts.credit_checkpoint(burn_down_checkpoint)
        if found is None:
            raise StoreDamagedError("table burn_down_checkpoint", "it has no row")
        return found

    def move_checkpoint(self, place: Occurrence) -> None:
        """Move the checkpoint, which never goes back."""
        columns = burn_down_checkpoint.c
        self._connection.execute(
            update(burn_down_checkpoint)
            .where(
                columns.checkpoint_id == CHECKPOINT_ID,
                or_(
                    columns.position < place.position,
                    columns.recorded_at < place.instant,
                ),
            )
            .values(position=place.position, recorded_at=place.instant)
        )

    def watches(self, test_clock_id: str | None) -> list[CreditWatch]:
        """Return the alerts that are active, with their periods.

        Args:
            test_clock_id: of the clock by which they begin; None is the log's time.
        """
        head = read_head(self._connection)
        found = self._alerts.credit_watches(head.position, with_unbilled_usage=True)
        if test_clock_id is None:
            return found
        times = ClockQueries(self._connection).times(test_clock_id)
        return [
            CreditWatch(
                alert=each.alert,
                after=by_clock(times, each.after.position),
                before=None,
            )
            for each in found
        ]

    def fallen(self, customers: Sequence[str]) -> set[tuple[str, int]]:
        """Return whose credits have fallen and not recovered, and in which periods."""
        its = credit_alert_fallen.c
        wanted = select(its.customer, its.period)
        rows = self._connection.execute(
            wanted.where(is_among(self._connection, its.customer, customers))
        )
        return {(row.customer, row.period) for row in rows}

    def was_above(self, customer: str, watch: CreditWatch, instant: int) -> bool:
        """Whether credits without usage were above a threshold since its period began.

        Args:
            customer: whose.
            watch: the alert, in a period.
            instant: the present one.
        """
        alert, since = watch.alert, watch.after.instant
        one = [customer]
        applications = self._credit.applications_of_many_since(one, since - 1)
        moves = self._credit.holds.moves_since(one, since - 1)
        grants = grants_moved(self._credit, one, applications, moves)
        for step in steps(
            grants.get(customer, ()),
            applications.get(customer, ()),
            moves.get(customer, ()),
            since,
            instant,
        ):
            is_of_it = step.currency == alert.currency and watch.after < step.place
            if is_of_it and max(step.before, step.after) > alert.lte:
                return True
        return False

    def touched(
        self, after: Occurrence, up_to: Occurrence, clocked: ClockedCustomers
    ) -> Touched:
        """Return who has more or less left by facts and by time, in a span of the log.

        Args:
            after: where it begins, exclusive.
            up_to: where it ends, inclusive.
            clocked: who lives by a test clock.
        """
        connection = self._connection
        facts: list[Fact] = []
        if up_to.position > after.position:
            read = read_facts(connection, after.position, up_to.position)
            facts = [fact for _, _, fact in read]
        if any(isinstance(fact, PriceUpdated) for fact in facts):
            return Touched(customers=None, is_news=True)
        customers = touched_by(facts, self._credit) | self._billed_by(facts)
        customers.update(turning(connection, after.instant, up_to.instant))
        span = {"after": after.instant, "up_to": up_to.instant}
        customers.update(connection.execute(_OPEN_UNTIL, span).scalars())
        for fact in facts:
            if isinstance(fact, AdjustmentFact):
                customers.add(fact.customer)
            elif isinstance(fact, TestClockReady):
                customers.update(clocked.of_clock(fact.test_clock_id))
        return Touched(customers=customers, is_news=bool(customers))

    def _billed_by(self, facts: Sequence[Fact]) -> set[str]:
        """Return the customers whose statements and subscriptions some facts are about."""
        customers = set[str]()
        statements, subscriptions = list[str](), list[str]()
        for fact in facts:
            match fact:
                case SubscriptionCreated():
                    customers.add(fact.customer)
                case StatementFinalized():
                    customers.add(fact.content.customer)
                case StatementVoided():
                    statements.append(fact.statement_id)
                case _ if isinstance(fact, SubscriptionChange):
                    subscriptions.append(fact.subscription_id)
                case _:
                    pass
        for named, of, ids in (
            (statement.c.statement_id, statement.c.customer, statements),
            (subscription.c.subscription_id, subscription.c.customer, subscriptions),
        ):
            if ids:
                wanted = select(of).where(is_among(self._connection, named, ids))
                customers.update(self._connection.execute(wanted).scalars())
        return customers

    def owners_among(
        self, customers: Collection[str] | None, alerts: Collection[CreditAlert]
    ) -> list[str]:
        """Return those of some customers whom alerts watch and who have a grant, sorted.

        Args:
            customers: any; None is everybody.
            alerts: active ones.
        """
        named = {alert.customer for alert in alerts}
        if None not in named:
            known = {each for each in named if each is not None}
            customers = known if customers is None else known.intersection(customers)
        currencies = sorted({alert.currency for alert in alerts})
        its = credit_grant.c
        wanted = (
            select(its.customer)
            .where(its.currency.in_(currencies), its.customer != "")
            .distinct()
            .order_by(its.customer)
        )
        if customers is not None:
            among = sorted(customers)
            wanted = wanted.where(is_among(self._connection, its.customer, among))
        return list(self._connection.execute(wanted).scalars())
