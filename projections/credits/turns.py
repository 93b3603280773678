"""When time makes grants effective, or lets them expire."""

from sqlalchemy import Connection, bindparam, func, or_, select

from projections.credits.tables import credit_grant

_TURNS = (credit_grant.c.effective_at, credit_grant.c.expires_at)
_TURNING = (
    select(credit_grant.c.customer)
    .where(
        or_(
            *(
                (each > bindparam("after")) & (each <= bindparam("up_to"))
                for each in _TURNS
            )
        )
    )
    .distinct()
    .order_by(credit_grant.c.customer)
)
_NEXT_TURNS = [
    select(func.min(each)).where(each > bindparam("after")) for each in _TURNS
]


def turning(connection: Connection, after: int, up_to: int) -> list[str]:
    """Return the customers with a grant that becomes effective or expires in a span.

    Args:
        connection: in whose database transaction.
        after: exclusive.
        up_to: inclusive.
    """
    rows = connection.execute(_TURNING, {"after": after, "up_to": up_to})
    return [row.customer for row in rows]


def next_turn(connection: Connection, after: int) -> int | None:
    """Return when a grant next becomes effective or expires after an instant."""
    found = [
        connection.execute(wanted, {"after": after}).scalar() for wanted in _NEXT_TURNS
    ]
    return min((each for each in found if each is not None), default=None)
