"""Resources as they were at a position of the log, by the facts that changed them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import dropwhile, takewhile
from typing import Any

from msgspec import structs
from sqlalchemy import Connection, Row, bindparam, select

from ledger.commits import commit_holding, facts_recorded_by, log_time
from ledger.database.bulk import is_among
from ledger.database.rows import RowsByKey, missing_row
from ledger.entries import CommitKind
from ledger.errors import LogDamagedError, StoreDamagedError
from ledger.facts.alerts import AlertStatus, TransitionFact
from ledger.facts.credits.grants import CreditGrantCreated, GrantFact
from ledger.facts.credits.schedules import CreditScheduleCreated, ScheduleChange
from ledger.facts.customers import CustomerCreated, CustomerUpdated
from ledger.facts.instants import LogTime
from ledger.facts.prices import (
    PriceCreated,
    PriceUpdated,
    ProductCreated,
    ProductUpdated,
)
from ledger.facts.statements import StatementVoided
from ledger.facts.subscriptions import SubscriptionChange, SubscriptionCreated
from ledger.facts.union import Fact
from ledger.facts.webhooks import WebhookEndpointCreated, WebhookEndpointUpdated
from ledger.reading import decode_commit, facts_of, read_facts
from projections.alerts.queries import AlertQueries
from projections.alerts.tables import alert as alert_table
from projections.credits.queries import CreditQueries
from projections.credits.schedule_queries import ScheduleQueries
from projections.credits.schedule_tables import credit_schedule
from projections.credits.tables import (
    credit_grant,
)
from projections.customers.queries import CustomerQueries
from projections.customers.tables import customer as customer_table
from projections.kernels.alerts.book import AlertDefinition, changed
from projections.kernels.credits.grants import Grant, changes, granted
from projections.kernels.credits.schedules import (
    Schedule,
    first_period,
    schedule_changed,
    schedule_created,
)
from projections.kernels.customers import (
    CustomerDefinition,
    customer_created,
    customer_updated,
)
from projections.kernels.endpoints import Endpoint, created, updated
from projections.kernels.meters import MeterDefinition, apply_fact
from projections.kernels.prices import (
    PriceDefinition,
    ProductDefinition,
    price_created,
    price_updated,
    product_created,
    product_updated,
)
from projections.kernels.statements import StatementRecord
from projections.kernels.subscriptions.changes import (
    subscription_changed,
    subscription_created,
)
from projections.kernels.subscriptions.definitions import SubscriptionDefinition
from projections.meters.tables import meter as meter_table
from projections.meters.tables import read_definitions
from projections.prices.queries import PriceQueries
from projections.prices.tables import price as price_table
from projections.prices.tables import product as product_table
from projections.schema import RecordedFact
from projections.statements.queries import StatementQueries
from projections.statements.tables import statement as statement_table
from projections.subscriptions.queries import SubscriptionQueries
from projections.subscriptions.tables import subscription as subscription_table
from projections.test_clocks.clocked import ClockedCustomers
from projections.test_clocks.queries import read_clocked
from projections.webhooks.event_facts import facts_at, facts_next_to
from projections.webhooks.tables import (
    change_of,
    resource_change,
)

_CHANGES = (
    select(resource_change)
    .where(
        resource_change.c.resource_id == bindparam("resource_id"),
        resource_change.c.position > bindparam("after"),
        resource_change.c.position <= bindparam("up_to"),
    )
    .order_by(resource_change.c.position)
)


class Past:
    """Queries of resources as they were at a position of the log.

    Several events show one resource, and those of subscriptions the same prices. What was
    read of one is kept until the next are read ahead.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._grants: dict[str, Grant] = {}
        self._alerts: dict[str, AlertDefinition] = {}
        self._changes_of: dict[str, list[RecordedFact]] = {}
        self._made: dict[int, RecordedFact] = {}
        self._rows_read: dict[str, tuple[int, Sequence[Row[Any]]]] = {}

    @cached_property
    def _time(self) -> LogTime:
        return log_time(self.connection)

    @cached_property
    def clocked(self) -> ClockedCustomers:
        """Who lives by a test clock."""
        return ClockedCustomers(read_clocked(self.connection))

    def read_ahead(
        self, grant_ids: Collection[str], alert_ids: Collection[str]
    ) -> None:
        """Read grants and alerts, and all their changes, in few statements."""
        self._made.clear()
        self._rows_read.clear()
        wanted = sorted({*grant_ids, *alert_ids} - self._changes_of.keys())
        if not wanted:
            return
        grants = CreditQueries(self.connection).grants_named(sorted(grant_ids))
        self._grants |= grants
        if alert_ids:
            self._alerts |= AlertQueries(self.connection).named(alert_ids)
        is_among_them = is_among(self.connection, resource_change.c.resource_id, wanted)
        changes = select(resource_change).where(is_among_them)
        self._changes_of |= {each: [] for each in wanted}
        for row in self.connection.execute(
            changes.order_by(resource_change.c.position)
        ).all():
            self._changes_of[row.resource_id].append(change_of(row))

    def grant_now(self, grant_id: str) -> Grant:
        """Return a grant as it is."""
        known = self._grants.get(grant_id)
        grant = known or CreditQueries(self.connection).grant(grant_id)
        if grant is None:
            raise missing_row(credit_grant, grant_id)
        return grant

    def facts(self, after: int, up_to: int) -> Iterator[RecordedFact]:
        """Yield the facts of ``(after, up_to]``, which may begin and end within commits."""
        start, row = after, commit_holding(self.connection, after + 1)
        if row is not None and CommitKind(row.kind) is CommitKind.FACTS:
            start = min(after, row.first_position - 1)
        found = dropwhile(
            lambda each: each[0] <= after, read_facts(self.connection, start, up_to)
        )
        # The last commit may go on beyond it.
        return takewhile(lambda each: each[0] <= up_to, found)

    def event_facts(
        self,
        kinds: frozenset[type[Fact]],
        place: int,
        at_most: int,
        *,
        newest_first: bool,
    ) -> list[RecordedFact]:
        """Return facts that have events, next to a position; see `event_facts`."""
        return facts_next_to(
            self.connection, kinds, place, at_most, newest_first=newest_first
        )

    def event_facts_at(
        self, kinds: frozenset[type[Fact]], positions: Sequence[int]
    ) -> list[RecordedFact]:
        """Return those of the facts that are at some positions, in log order."""
        return facts_at(self.connection, kinds, positions)

    def facts_recorded_by(self, instant: int) -> int:
        """Return a position up to which facts were recorded by an instant."""
        return facts_recorded_by(self.connection, instant)

    def fact(self, position: int) -> RecordedFact | None:
        """Return the fact at a position; None where there is no fact."""
        row = commit_holding(self.connection, position)
        if row is None or CommitKind(row.kind) is not CommitKind.FACTS:
            return None
        facts = facts_of(decode_commit(row), self._time)
        return next((each for each in facts if each[0] == position), None)

    def meter(self, meter_id: str, at: int) -> MeterDefinition:
        """Return a meter as it was after the entry at a position."""
        start = read_definitions(self.connection)[meter_id].position
        made: RowsByKey[str, MeterDefinition] = RowsByKey(meter_table, ())
        for position, recorded_at, fact in self.facts_about(meter_id, start, at):
            meter = apply_fact(made, fact, position=position, recorded_at=recorded_at)
            if meter is None:
                raise _not_about(meter_id, position)
            made[meter_id] = meter
        return made[meter_id]

    def product(self, product_id: str, at: int) -> ProductDefinition:
        """Return a product as it was after the entry at a position."""
        product = PriceQueries(self.connection).product_or_deleted(product_id)
        if product is None:
            raise missing_row(product_table, product_id)
        for position, recorded_at, fact in self.facts_about(
            product_id, product.position, at
        ):
            if isinstance(fact, ProductCreated):
                product = product_created(fact, position, recorded_at)
            elif isinstance(fact, ProductUpdated):
                product = product_updated(product, fact, recorded_at)
        return product

    def price(self, price_id: str, at: int) -> PriceDefinition:
        """Return a price as it was after the entry at a position."""
        price = PriceQueries(self.connection).price(price_id)
        if price is None:
            raise missing_row(price_table, price_id)
        for position, recorded_at, fact in self.facts_about(
            price_id, price.position, at
        ):
            if isinstance(fact, PriceCreated):
                price = price_created(fact, position, recorded_at)
            elif isinstance(fact, PriceUpdated):
                price = price_updated(price, fact)
        return price

    def statement(self, statement_id: str, at: int) -> StatementRecord:
        """Return a statement as it was after the entry at a position."""
        found = StatementQueries(self.connection).statement(statement_id)
        if found is None:
            raise missing_row(statement_table, statement_id)
        # Of its caller's own, the id may be that of a pool or a schedule as well.
        changes = self._changes(statement_id, at)
        is_void = any(isinstance(fact, StatementVoided) for _, _, fact in changes)
        return found if is_void else replace(found, voided_at=None)

    def customer(self, customer_id: str, at: int) -> CustomerDefinition:
        """Return a customer as it was after the entry at a position."""
        customer = CustomerQueries(self.connection).customer(customer_id)
        if customer is None:
            raise missing_row(customer_table, customer_id)
        for position, recorded_at, fact in self.facts_about(
            customer_id, customer.position, at
        ):
            if isinstance(fact, CustomerCreated):
                customer = customer_created(fact, position, recorded_at)
            elif isinstance(fact, CustomerUpdated):
                customer = customer_updated(customer, fact)
        return customer

    def subscription(self, subscription_id: str, at: int) -> SubscriptionDefinition:
        """Return a subscription as it was after the entry at a position."""
        found = SubscriptionQueries(self.connection).subscription(subscription_id)
        if found is None:
            raise missing_row(subscription_table, subscription_id)
        for position, recorded_at, fact in self.facts_about(
            subscription_id, found.position, at
        ):
            if isinstance(fact, SubscriptionCreated):
                found = subscription_created(fact, position, recorded_at)
            elif isinstance(fact, SubscriptionChange):
                found = subscription_changed(found, fact, position, recorded_at)
        return found

    def schedule(self, schedule_id: str, at: int, seen_by: RecordedFact) -> Schedule:
        """Return a credit schedule as it was after the entry at a position.

        Args:
            schedule_id: its id.
            at: the position.
            seen_by: the fact about it, before which all that was due was granted.
        """
        found = ScheduleQueries(self.connection).schedule(schedule_id)
        if found is None:
            raise missing_row(credit_schedule, schedule_id)
        for position, recorded_at, fact in self.facts_about(
            schedule_id, found.position, at
        ):
            if isinstance(fact, CreditScheduleCreated):
                found = schedule_created(fact, position, recorded_at)
            elif isinstance(fact, ScheduleChange):
                found = schedule_changed(found, fact, recorded_at)
        made, instant, fact = seen_by
        if made == found.position:
            return found
        following = first_period(found.repetition, instant + 1)
        return replace(found, next_period=max(found.next_period, following))

    def endpoint(self, endpoint: Endpoint, after: int, up_to: int) -> list[Endpoint]:
        """Return the states of an endpoint between two positions, in order.

        Returns:
            The state after the entry at `after`, or after its creation if that came
            later; then the state after each change before `up_to`.
        """
        if endpoint.changed <= max(after, endpoint.position):
            return [endpoint]
        found: list[Endpoint] = []
        for position, _, state in self._endpoints(endpoint, up_to - 1):
            found = [*found, state] if position > after else [state]
        return found

    def endpoint_at(self, endpoint: Endpoint, instant: int) -> Endpoint | None:
        """Return an endpoint as it was at an instant; None before its creation."""
        # The log does not go back in time.
        found = None
        for _, began_at, state in self._endpoints(endpoint, endpoint.changed):
            if began_at > instant:
                break
            found = state
        return found

    def _endpoints(
        self, endpoint: Endpoint, up_to: int
    ) -> Iterator[tuple[int, int, Endpoint]]:
        """Yield an endpoint's states, each with where and when it began."""
        facts = self.facts_about(endpoint.endpoint_id, endpoint.position, up_to)
        state = endpoint
        for position, recorded_at, fact in facts:
            if isinstance(fact, WebhookEndpointCreated):
                state = created(fact, position, recorded_at)
            elif isinstance(fact, WebhookEndpointUpdated):
                state = updated(state, fact, position)
            yield position, recorded_at, state

    def grant(self, grant_id: str, at: int) -> Grant:
        """Return a grant as it was after the entry at a position, draws left out."""
        now = self.grant_now(grant_id)
        if self._changes_of.get(grant_id) == []:
            return structs.replace(
                now, applied=0, reinstated_late=0, held=0, outliving=0
            )
        grant = now
        for position, recorded_at, fact in self.facts_about(grant_id, now.position, at):
            if isinstance(fact, CreditGrantCreated):
                grant = granted(fact, position, recorded_at)
            elif isinstance(fact, GrantFact):
                grant = structs.replace(grant, **changes(fact, position, recorded_at))
        return grant

    def alert(self, alert_id: str, at: int) -> AlertDefinition:
        """Return an alert as it was after the entry at a position."""
        known = self._alerts.get(alert_id)
        now = known or AlertQueries(self.connection).alert(alert_id)
        if now is None:
            raise missing_row(alert_table, alert_id)
        alert = replace(now, status=AlertStatus.ACTIVE, period=now.position)
        for position, _, fact in self._changes(alert_id, at):
            if not isinstance(fact, TransitionFact):
                raise _not_about(alert_id, position)
            alert = changed(alert, fact, position)
        return alert

    def facts_about(
        self, resource_id: str, start: int, at: int
    ) -> Iterator[RecordedFact]:
        """Yield the fact that made a resource, and its changes up to a position."""
        made = self._made.get(start) or self.fact(start)
        if made is None:
            raise LogDamagedError(start, f"the fact that made {resource_id} is missing")
        self._made[start] = made
        yield made
        yield from self._changes(resource_id, at)

    def _changes(self, resource_id: str, at: int) -> Iterator[RecordedFact]:
        known = self._changes_of.get(resource_id)
        if known is not None:
            return takewhile(lambda each: each[0] <= at, known)
        rows = takewhile(lambda row: row.position <= at, self._rows(resource_id, at))
        return map(change_of, rows)

    def _rows(self, resource_id: str, at: int) -> Sequence[Row[Any]]:
        """Return the changes of a resource up to a position, or further."""
        reached, known = self._rows_read.get(resource_id, (0, ()))
        if at > reached:
            given = {"resource_id": resource_id, "after": reached, "up_to": at}
            known = [*known, *self.connection.execute(_CHANGES, given)]
            self._rows_read[resource_id] = at, known
        return known


def _not_about(resource_id: str, position: int) -> StoreDamagedError:
    place = f"table resource_change, row position = {position}"
    return StoreDamagedError(place, f"its fact does not change {resource_id}")
