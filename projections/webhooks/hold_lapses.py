"""Expiries of holds that time has brought about, and that nobody has recorded yet."""

from sqlalchemy import Connection, bindparam, select

from projections.credits.hold_tables import IS_UNENDED, credit_hold
from projections.webhooks.tables import hold_lapse

# One that was noticed by a wrong time, which was corrected since, has yet to come.
_HAS_COME = hold_lapse.c.recorded_at >= credit_hold.c.expires_at
# Expiries are noticed in order, and none comes up before one that was noticed.
_LAST_SEEN = (
    select(credit_hold.c.expires_at)
    .join(hold_lapse, hold_lapse.c.hold_id == credit_hold.c.hold_id)
    .where(_HAS_COME)
    .order_by(hold_lapse.c.position.desc())
    .limit(1)
)
_EXPIRED = (
    select(credit_hold.c.hold_id)
    .where(
        IS_UNENDED,
        credit_hold.c.expires_at.between(bindparam("start"), bindparam("instant")),
        ~(
            select(hold_lapse.c.hold_id)
            .where(hold_lapse.c.hold_id == credit_hold.c.hold_id, _HAS_COME)
            .correlate(credit_hold)
            .exists()
        ),
    )
    .order_by(credit_hold.c.expires_at, credit_hold.c.position)
    .limit(bindparam("limit"))
)


def expired_holds_unseen(connection: Connection, instant: int, limit: int) -> list[str]:
    """Return ids of holds whose expiry is not recorded yet, the earliest first.

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
