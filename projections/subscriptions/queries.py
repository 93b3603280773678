"""Queries of subscriptions, as one database transaction sees them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    false,
    func,
    or_,
    select,
)

from ledger.commits import read_head
from ledger.database.bulk import is_among
from ledger.entries import recording_instant
from projections.kernels.subscriptions.definitions import SubscriptionDefinition
from projections.kernels.subscriptions.schedule import (
    SubscriptionStatus,
)
from projections.rows import Page, compared, within_bounds
from projections.subscriptions.tables import (
    read_subscription,
    subscription,
    subscription_item,
)
from projections.test_clocks.clocked import lives_by, lives_by_the_log

_SUBSCRIPTIONS = select(subscription)
_SUBSCRIPTION = _SUBSCRIPTIONS.where(
    subscription.c.subscription_id == bindparam("subscription_id")
)
_OF_ITEM = _SUBSCRIPTIONS.join(
    subscription_item,
    subscription_item.c.subscription_id == subscription.c.subscription_id,
).where(subscription_item.c.item_id == bindparam("item_id"))
_OF_CUSTOMER = _SUBSCRIPTIONS.where(
    subscription.c.customer == bindparam("customer")
).order_by(subscription.c.position)
_DUE = (
    _SUBSCRIPTIONS.where(
        subscription.c.due_at <= bindparam("instant"),
        lives_by_the_log(subscription.c.customer),
    )
    .order_by(subscription.c.due_at, subscription.c.position)
    .limit(bindparam("limit"))
)

_ROWS_AT_A_TIME = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionFilter:
    """Which subscriptions are listed; None is no condition.

    Attributes:
        statuses: as they are at `instant`; None is every one.
        instant: microseconds since 1970 UTC.
        created: the first inclusive, the last exclusive.
        test_clock: of the customers; without a customer, None is none of any clock.
    """

    customer: str | None = None
    price_id: str | None = None
    collection_method: str | None = None
    statuses: tuple[SubscriptionStatus, ...] | None = None
    instant: int
    created: tuple[int, int] | None = None
    test_clock: str | None = None


class SubscriptionQueries:
    """Queries of subscriptions in one database transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def present(self, now: int) -> int:
        """Return the present instant: `now`, but never before the last recording."""
        return recording_instant(read_head(self.connection), now)

    def subscription(self, subscription_id: str) -> SubscriptionDefinition | None:
        """Return a subscription by its id."""
        given = {"subscription_id": subscription_id}
        row = self.connection.execute(_SUBSCRIPTION, given).first()
        return None if row is None else read_subscription(row)

    def of_item(self, item_id: str) -> SubscriptionDefinition | None:
        """Return the subscription that has or had an item."""
        row = self.connection.execute(_OF_ITEM, {"item_id": item_id}).first()
        return None if row is None else read_subscription(row)

    def of_customer(self, customer: str) -> list[SubscriptionDefinition]:
        """Return every subscription of a customer, oldest first."""
        rows = self.connection.execute(_OF_CUSTOMER, {"customer": customer})
        return [read_subscription(row) for row in rows]

    def of_customers(
        self, customers: Sequence[str]
    ) -> Iterator[SubscriptionDefinition]:
        """Yield every subscription of some customers, oldest first."""
        wanted = _SUBSCRIPTIONS.where(
            is_among(self.connection, subscription.c.customer, list(customers))
        )
        rows = self.connection.execute(wanted.order_by(subscription.c.position))
        yield from map(read_subscription, rows)

    def due(self, instant: int, limit: int) -> list[SubscriptionDefinition]:
        """Return subscriptions of which time brought an end about that nobody noticed.

        Those of customers of test clocks are left out.
        """
        given = {"instant": instant, "limit": limit}
        return [read_subscription(row) for row in self.connection.execute(_DUE, given)]

    def due_of(
        self, customers: Sequence[str], instant: int
    ) -> list[SubscriptionDefinition]:
        """Return those of some customers, the earliest due first."""
        wanted = _SUBSCRIPTIONS.where(
            subscription.c.due_at <= instant,
            is_among(self.connection, subscription.c.customer, customers),
        ).order_by(subscription.c.due_at, subscription.c.position)
        return [read_subscription(row) for row in self.connection.execute(wanted)]

    def next_due_of(self, customers: Sequence[str]) -> int | None:
        """Return when time next brings an end of some customers' about, or did."""
        wanted = select(func.min(subscription.c.due_at)).where(
            is_among(self.connection, subscription.c.customer, customers)
        )
        found: int | None = self.connection.execute(wanted).scalar()
        return found

    def subscriptions(
        self, wanted: SubscriptionFilter, page: Page
    ) -> list[SubscriptionDefinition]:
        """Return a page of subscriptions, newest first."""
        columns = subscription.c
        statement = compared(
            _SUBSCRIPTIONS,
            (columns.customer, wanted.customer),
            (columns.collection_method, wanted.collection_method),
        )
        if wanted.price_id is not None:
            with_price = select(subscription_item.c.subscription_id).where(
                subscription_item.c.price_id == wanted.price_id
            )
            statement = statement.where(columns.subscription_id.in_(with_price))
        if wanted.statuses is not None:
            conditions = [_has_status(each, wanted.instant) for each in wanted.statuses]
            statement = statement.where(or_(false(), *conditions))
        if wanted.test_clock is not None:
            statement = statement.where(lives_by(wanted.test_clock, columns.customer))
        elif wanted.customer is None:
            statement = statement.where(lives_by_the_log(columns.customer))
        statement = within_bounds(statement, columns.created, wanted.created)
        rows = page.read(self.connection, subscription, statement)
        return [read_subscription(row) for row in rows]

    def living_between(
        self, after: int, until: int, customers: Sequence[str] | None
    ) -> Iterator[SubscriptionDefinition]:
        """Yield the subscriptions that began before an instant and ended after another.

        Args:
            after: microseconds since 1970 UTC, exclusive.
            until: exclusive.
            customers: whose they are; None is everyone's.

        Yields:
            In the order of their creation, read by the thousand.
        """
        columns = subscription.c
        wanted = _SUBSCRIPTIONS.where(
            columns.start < until,
            or_(columns.ends_at.is_(None), columns.ends_at > after),
        )
        if customers is not None:
            wanted = wanted.where(
                is_among(self.connection, columns.customer, list(customers))
            )
        wanted = wanted.order_by(columns.position).limit(_ROWS_AT_A_TIME)
        last = 0
        while True:
            rows = self.connection.execute(wanted.where(columns.position > last)).all()
            yield from map(read_subscription, rows)
            if len(rows) < _ROWS_AT_A_TIME:
                return
            last = rows[-1].position


def _has_status(status: SubscriptionStatus, instant: int) -> ColumnElement[bool]:
    """Return the condition that a subscription has a status at the present instant."""
    columns = subscription.c
    lives = or_(columns.ends_at.is_(None), columns.ends_at > instant)
    match status:
        case SubscriptionStatus.CANCELED:
            return columns.ends_at <= instant
        case SubscriptionStatus.PAUSED:
            return and_(lives, columns.is_paused == 1)
        case SubscriptionStatus.TRIALING:
            return and_(lives, columns.is_paused == 0, columns.trial_end > instant)
        case SubscriptionStatus.ACTIVE:
            trial_end = columns.trial_end
            is_tried = or_(trial_end.is_(None), trial_end <= instant)
            return and_(lives, columns.is_paused == 0, is_tried)
