"""Expiries of holds that time has brought about, and that nobody has recorded yet."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, select

from ledger.database.bulk import is_among
from projections.credits.hold_tables import IS_UNENDED, credit_hold
from projections.test_clocks.clocked import lives_by_the_log
from projections.webhooks.tables import hold_lapse

# One that was noticed by a wrong time, which was corrected since, has yet to come.
_HAS_COME = hold_lapse.c.recorded_at >= credit_hold.c.expires_at
# Expiries are noticed in order, and none comes up before one that was noticed.
_LAST_SEEN = (
    select(credit_hold.c.expires_at)
    .join(hold_lapse, hold_lapse.c.hold_id == credit_hold.c.hold_id)
    .where(_HAS_COME, lives_by_the_log(credit_hold.c.customer))
    .order_by(hold_lapse.c.position.desc())
    .limit(1)
)
_IS_UNSEEN = ~(
    select(hold_lapse.c.hold_id)
    .where(hold_lapse.c.hold_id == credit_hold.c.hold_id, _HAS_COME)
    .correlate(credit_hold)
    .exists()
)
_UNSEEN = (
    select(credit_hold.c.hold_id)
    .where(IS_UNENDED, _IS_UNSEEN)
    .order_by(credit_hold.c.expires_at, credit_hold.c.position)
)
_EXPIRED = _UNSEEN.where(
    credit_hold.c.expires_at.between(bindparam("start"), bindparam("instant")),
    lives_by_the_log(credit_hold.c.customer),
).limit(bindparam("limit"))


def expired_holds_unseen(connection: Connection, instant: int, limit: int) -> list[str]:
    """Return ids of holds whose expiry is not recorded yet, the earliest first.

    Those of customers of test clocks are left out.

    Args:
        connection: to the tables.
        instant: the latest expiry, inclusive.
        limit: how many at most.
    """
    start = connection.execute(_LAST_SEEN).scalar()
    given = {
        "start": -(2**62) if start is None else int(start),
        "instant": instant,
        "limit": limit,
    }
    return list(connection.execute(_EXPIRED, given).scalars())


def expired_holds_of(
    connection: Connection, customers: Sequence[str], instant: int
) -> list[str]:
    """Return ids of holds of some customers whose expiry is not recorded yet.

    Args:
        connection: to the tables.
        customers: whose.
        instant: the latest expiry, inclusive.
    """
    wanted = _UNSEEN.where(
        credit_hold.c.expires_at <= instant,
        is_among(connection, credit_hold.c.customer, customers),
    )
    return list(connection.execute(wanted).scalars())


def next_hold_expiry_of(
    connection: Connection, customers: Sequence[str], after: int
) -> int | None:
    """Return when an open hold of some customers next expires after an instant."""
    wanted = select(func.min(credit_hold.c.expires_at)).where(
        IS_UNENDED,
        credit_hold.c.expires_at > after,
        is_among(connection, credit_hold.c.customer, customers),
    )
    found: int | None = connection.execute(wanted).scalar()
    return found
