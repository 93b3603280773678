"""The fold of what invoices give back: what they had drawn returns to its grants."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, case, func, select, update

from ledger.database.bulk import add_at_positions, insert_rows, is_among
from ledger.database.connections import DriverStatement
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
_ENDS = select(credit_grant.c.position, _END, _ENDED_AT).where(_END.is_not(None))
_END_OF_ONE = DriverStatement(
    _ENDS.where(credit_grant.c.position == bindparam("position"))
)
_RETURNED_LATE = credit_grant_use.c.reinstated_late


class ReturnedCredits(NamedTuple):
    """Credits that came back to a grant, and where."""

    grant_position: int
    amount: int
    instant: int
    position: int


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
    returned: list[ReturnedCredits] = []
    amounts: Counter[int] = Counter()
    for each in applications:
        assert each.reinstated_at is not None, "it was just given back"
        assert each.reinstated_position is not None, "at this position"
        place = each.reinstated_at, each.reinstated_position
        for grant, amount in drawn(each.draws).items():
            moved.append((grant, *place, each.position))
            amounts[grant] += amount
            returned.append(ReturnedCredits(grant, amount, *place))
    insert_rows(connection, credit_movement, moved)
    return_late(connection, returned)
    return dict(amounts)


def return_late(
    connection: Connection, returned: Sequence[ReturnedCredits]
) -> set[int]:
    """Note of credits that came back, which of them came after the end of their grant.

    Returns:
        The positions of the facts that returned them.
    """
    if not returned:
        return set()
    grants = sorted({each.grant_position for each in returned})
    ends = {
        grant: (end, ended_at or 0)
        for grant, end, ended_at in _ends_of(connection, grants)
    }
    late = [
        each
        for each in returned
        if each.grant_position in ends
        and ends[each.grant_position] < (each.instant, each.position)
    ]
    amounts: Counter[int] = Counter()
    for each in late:
        amounts[each.grant_position] += each.amount
    add_at_positions(connection, {_RETURNED_LATE: amounts})
    return {each.position for each in late}


def _ends_of(
    connection: Connection, grants: Sequence[int]
) -> Iterable[tuple[int, int, int | None]]:
    """Return which of some grants end, when and at which position."""
    if len(grants) == 1:
        found: list[Any] = _END_OF_ONE.run(
            connection, {"position": grants[0]}
        ).fetchall()
        return found
    is_wanted = is_among(connection, credit_grant.c.position, grants)
    return map(tuple, connection.execute(_ENDS.where(is_wanted)))
