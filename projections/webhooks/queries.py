"""Queries of webhook endpoints, and of expiries that are not recorded yet."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, or_, select

from ledger.database.bulk import is_among
from projections.credits.queries import CreditQueries
from projections.credits.tables import (
    HAS_CREDIT,
    MAY_EXPIRE,
    SELECT_GRANTS,
    credit_grant,
)
from projections.kernels.credits.grants import Grant
from projections.kernels.endpoints import Endpoint
from projections.rows import Page
from projections.test_clocks.clocked import lives_by_the_log
from projections.webhooks.tables import (
    ENDPOINT_ROWS,
    grant_lapse,
    webhook_endpoint,
)

_ENDPOINTS = select(webhook_endpoint)
_ENDPOINT = _ENDPOINTS.where(webhook_endpoint.c.endpoint_id == bindparam("endpoint_id"))
# One that was noticed by a wrong time, which was corrected since, has yet to come.
_HAS_COME = grant_lapse.c.recorded_at >= credit_grant.c.expires_at
# Expiries are noticed in order, and none comes up before one that was noticed.
_LAST_SEEN = (
    select(credit_grant.c.expires_at)
    .join(grant_lapse, grant_lapse.c.grant_id == credit_grant.c.grant_id)
    .where(_HAS_COME, lives_by_the_log(credit_grant.c.customer))
    .order_by(grant_lapse.c.position.desc())
    .limit(1)
)
_IS_UNSEEN = ~(
    select(grant_lapse.c.grant_id)
    .where(grant_lapse.c.grant_id == credit_grant.c.grant_id, _HAS_COME)
    .correlate(credit_grant)
    .exists()
)
_IN_ORDER = (credit_grant.c.expires_at, credit_grant.c.position)
_EXPIRED = (
    SELECT_GRANTS.where(
        MAY_EXPIRE,
        credit_grant.c.expires_at.between(bindparam("start"), bindparam("instant")),
        # Of those that expire at the start, the ones that come later.
        or_(
            credit_grant.c.expires_at > bindparam("start"),
            credit_grant.c.position > bindparam("after"),
        ),
        HAS_CREDIT,
        _IS_UNSEEN,
        lives_by_the_log(credit_grant.c.customer),
    )
    .order_by(*_IN_ORDER)
    .limit(bindparam("limit"))
)


def last_expiry_seen(connection: Connection) -> int:
    """Return an instant up to which all expiries were noticed."""
    found = connection.execute(_LAST_SEEN).scalar()
    return -(2**62) if found is None else int(found)


def expired_unseen(
    connection: Connection, start: int, after: int, instant: int, limit: int
) -> list[Grant]:
    """Return grants whose expiry is not recorded yet, the earliest first.

    Those of customers of test clocks are left out.

    Args:
        connection: to the tables.
        start: the earliest expiry, inclusive.
        after: of grants that expire then, only those at greater positions.
        instant: the latest expiry, inclusive.
        limit: how many at most.
    """
    given = {"start": start, "after": after, "instant": instant, "limit": limit}
    return CreditQueries(connection).grants_in(connection.execute(_EXPIRED, given))


def expired_of(
    connection: Connection, customers: Sequence[str], instant: int
) -> list[Grant]:
    """Return grants of some customers whose expiry is not recorded yet.

    Args:
        connection: to the tables.
        customers: whose.
        instant: the latest expiry, inclusive.
    """
    wanted = SELECT_GRANTS.where(
        MAY_EXPIRE,
        credit_grant.c.expires_at <= instant,
        HAS_CREDIT,
        _IS_UNSEEN,
        is_among(connection, credit_grant.c.customer, customers),
    ).order_by(*_IN_ORDER)
    return CreditQueries(connection).grants_in(connection.execute(wanted))


def next_expiry_of(
    connection: Connection, customers: Sequence[str], after: int
) -> int | None:
    """Return when a grant of some customers next expires after an instant."""
    wanted = SELECT_GRANTS.with_only_columns(func.min(credit_grant.c.expires_at)).where(
        MAY_EXPIRE,
        credit_grant.c.expires_at > after,
        HAS_CREDIT,
        is_among(connection, credit_grant.c.customer, customers),
    )
    found: int | None = connection.execute(wanted).scalar()
    return found


class EndpointQueries:
    """Queries of webhook endpoints in one database transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """Return an endpoint by its id."""
        row = self.connection.execute(_ENDPOINT, {"endpoint_id": endpoint_id}).first()
        return None if row is None else ENDPOINT_ROWS.read(row)

    def all_endpoints(self) -> list[Endpoint]:
        """Return every endpoint, in the order of their creation."""
        wanted = _ENDPOINTS.order_by(webhook_endpoint.c.position)
        return [ENDPOINT_ROWS.read(row) for row in self.connection.execute(wanted)]

    def page(self, page: Page) -> list[Endpoint]:
        """Return a page of endpoints."""
        rows = page.read(self.connection, webhook_endpoint, _ENDPOINTS)
        return [ENDPOINT_ROWS.read(row) for row in rows]
