"""The fold of what invoices give back: what they had drawn returns to its grants."""

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, case, exists, func, select, tuple_, update

from ledger.database.bulk import insert_rows, is_among
from projections.credits.applications import read_applications
from projections.credits.tables import (
    IS_HELD,
    IS_REINSTATED,
    credit_application,
    credit_grant,
    credit_grant_use,
    credit_movement,
)
from projections.kernels.credits.grants import drawn

_REINSTATE = (
    update(credit_application)
    .where(credit_application.c.invoice == bindparam("of_invoice"), IS_HELD)
    .values(
        reinstated_at=bindparam("instant"), reinstated_position=bindparam("at_position")
    )
)
# What a run's row lacks of what it is found by from now on.
_FIND = (
    update(credit_application)
    .where(credit_application.c.position == bindparam("at_position"))
    .values(customer=bindparam("of_customer"), recorded_at=bindparam("instant"))
)
_APPLICATIONS = select(credit_application).where(IS_REINSTATED)
_END = case(
    (credit_grant.c.voided_at.is_not(None), credit_grant.c.voided_at),
    else_=credit_grant.c.expires_at,
)
_ENDED_AT = case(
    (credit_grant.c.voided_at.is_not(None), credit_grant.c.voided_position),
    else_=func.coalesce(credit_grant.c.expired_position, 0),
)
_REINSTATE_LATE = (
    update(credit_grant_use)
    .where(
        credit_grant_use.c.position == bindparam("of_grant"),
        exists().where(
            credit_grant.c.position == credit_grant_use.c.position,
            tuple_(_END, _ENDED_AT)
            < tuple_(bindparam("instant"), bindparam("at_position")),
        ),
    )
    .values(reinstated_late=credit_grant_use.c.reinstated_late + bindparam("of_amount"))
)


def reinstate(
    connection: Connection, undone: Mapping[str, tuple[int, int]]
) -> dict[int, int]:
    """Mark applications as reinstated; return what they had drawn of each grant.

    Args:
        connection: to the tables.
        undone: by invoice, at which position and when it gave back.
    """
    if not undone:
        return {}
    connection.execute(
        _REINSTATE,
        [
            {"of_invoice": invoice, "instant": instant, "at_position": position}
            for invoice, (position, instant) in undone.items()
        ],
    )
    positions = [position for position, _ in undone.values()]
    column = credit_application.c.reinstated_position
    rows = connection.execute(
        _APPLICATIONS.where(is_among(connection, column, positions))
    ).all()
    applications = read_applications(connection, rows)
    of_run = [
        {
            "at_position": each.position,
            "of_customer": each.customer,
            "instant": each.recorded_at,
        }
        for row, each in zip(rows, applications, strict=True)
        if row.customer is None
    ]
    if of_run:
        connection.execute(_FIND, of_run)
    moved: list[tuple[int, int, int, int]] = []
    late: list[dict[str, int]] = []
    amounts: Counter[int] = Counter()
    for each in applications:
        assert each.reinstated_at is not None, "it was just given back"
        assert each.reinstated_position is not None, "at this position"
        place = each.reinstated_at, each.reinstated_position
        for grant, amount in drawn(each.draws).items():
            moved.append((grant, *place, each.position))
            amounts[grant] += amount
            late.append(
                {
                    "of_grant": grant,
                    "of_amount": amount,
                    "instant": place[0],
                    "at_position": place[1],
                }
            )
    insert_rows(connection, credit_movement, moved)
    return_late(connection, late)
    return dict(amounts)


def return_late(connection: Connection, returned: Sequence[Mapping[str, int]]) -> bool:
    """Note of credits that came back to grants, which of them came after their end.

    Args:
        connection: to the tables.
        returned: `of_amount` to `of_grant`, a position, at an `instant` and
            `at_position`.

    Returns:
        Whether any did.
    """
    if not returned:
        return False
    return connection.execute(_REINSTATE_LATE, returned).rowcount > 0
