"""The fold of facts about credits, in few statements however many facts there are.

Facts about grants and facts about invoices change different columns, and invoices only
add to what is applied. So each kind is folded at once.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any, get_args

from sqlalchemy import Connection, bindparam, case, func, select, tuple_, update

from ledger.database.bulk import add_at_positions, insert_rows, is_among
from ledger.facts.credits import (
    CreditGrantCreated,
    CreditGrantExpired,
    CreditGrantUpdated,
    CreditGrantVoided,
    CreditsApplied,
    CreditsReinstated,
    Draw,
)
from projections.credits.tables import (
    DRAWS,
    GRANTS,
    METADATA,
    application_row,
    credit_application,
    credit_grant,
    credit_movement,
)
from projections.kernels.credits.grants import GrantFact, changes, drawn, granted
from projections.schema import RecordedFact, TableFold

_REINSTATE = (
    update(credit_application)
    .where(credit_application.c.invoice == bindparam("of_invoice"))
    .values(
        reinstated_at=bindparam("instant"), reinstated_position=bindparam("at_position")
    )
)
_DRAWN = select(
    credit_application.c.position,
    credit_application.c.draws,
    credit_application.c.reinstated_at,
    credit_application.c.reinstated_position,
)
_END = case(
    (credit_grant.c.voided_at.is_not(None), credit_grant.c.voided_at),
    else_=credit_grant.c.expires_at,
)
_ENDED_AT = case(
    (credit_grant.c.voided_at.is_not(None), credit_grant.c.voided_position),
    else_=func.coalesce(credit_grant.c.expired_position, 0),
)
_REINSTATE_LATE = (
    update(credit_grant)
    .where(
        credit_grant.c.position == bindparam("of_grant"),
        tuple_(_END, _ENDED_AT)
        < tuple_(bindparam("instant"), bindparam("at_position")),
    )
    .values(reinstated_late=credit_grant.c.reinstated_late + bindparam("of_amount"))
)


def fold_credits(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about credits."""
    grants: list[tuple[Any, ...]] = []
    applications: list[tuple[Any, ...]] = []
    changed: list[tuple[int, int, GrantFact]] = []
    undone: dict[str, tuple[int, int]] = {}
    draws: list[tuple[int, int, tuple[Draw, ...]]] = []
    for position, recorded_at, fact in facts:
        match fact:
            case CreditsApplied():
                applications.append(application_row(fact, position, recorded_at))
                draws.append((recorded_at, position, fact.draws))
            case CreditGrantCreated():
                grants.append(GRANTS.row(granted(fact, position, recorded_at)))
            case CreditGrantUpdated() | CreditGrantExpired() | CreditGrantVoided():
                changed.append((position, recorded_at, fact))
            case CreditsReinstated():
                undone[fact.invoice] = position, recorded_at
            case _:
                pass
    insert_rows(connection, credit_grant, grants)
    for each in changed:
        _change_grant(connection, *each)
    insert_rows(connection, credit_application, applications)
    # In the order of the key, so that those of one page are added together.
    moved = {
        (draw.grant_position, recorded_at, position, position)
        for recorded_at, position, drew in draws
        for draw in drew
    }
    insert_rows(connection, credit_movement, sorted(moved))
    amounts = Counter(drawn(chain.from_iterable(drew for _, _, drew in draws)))
    amounts.subtract(_reinstate(connection, undone))
    add_at_positions(connection, credit_grant.c.applied, amounts)


CREDITS = TableFold(
    name="credit",
    version=4,
    tables=(credit_grant, credit_application, credit_movement),
    kinds=(*get_args(GrantFact), CreditGrantCreated, CreditsApplied, CreditsReinstated),
    fold=fold_credits,
)


def _change_grant(
    connection: Connection, position: int, recorded_at: int, fact: GrantFact
) -> None:
    changed = changes(fact, position, recorded_at)
    if "metadata" in changed:
        changed["metadata"] = METADATA.encode(changed["metadata"])
    connection.execute(
        update(credit_grant)
        .where(credit_grant.c.grant_id == fact.grant_id)
        .values(changed)
    )


def _reinstate(
    connection: Connection, undone: dict[str, tuple[int, int]]
) -> dict[int, int]:
    """Mark applications as reinstated; return what they had drawn of each grant."""
    if not undone:
        return {}
    connection.execute(
        _REINSTATE,
        [
            {"of_invoice": invoice, "instant": instant, "at_position": position}
            for invoice, (position, instant) in undone.items()
        ],
    )
    is_undone = is_among(connection, credit_application.c.invoice, list(undone))
    rows = connection.execute(_DRAWN.where(is_undone)).all()
    moved: list[tuple[int, int, int, int]] = []
    late: list[dict[str, int]] = []
    amounts: Counter[int] = Counter()
    for row in rows:
        place = row.reinstated_at, row.reinstated_position
        for grant, amount in drawn(DRAWS.decode(row.draws)).items():
            moved.append((grant, *place, row.position))
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
    if late:
        connection.execute(_REINSTATE_LATE, late)
    return dict(amounts)
