"""The fold of facts about holds. What a settlement draws is folded as an application."""

from collections import defaultdict
from collections.abc import Container, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, update

from ledger.database.bulk import insert_rows
from ledger.database.connections import DriverStatement
from ledger.facts.credits.holds import (
    CreditHoldCreated,
    CreditHoldReleased,
    CreditHoldSettled,
    HeldPart,
    HoldFact,
)
from projections.credits.hold_tables import (
    HOLDS,
    SETTLEMENTS,
    credit_hold,
    credit_hold_settlement,
)
from projections.credits.reinstating import ReturnedCredits, return_late
from projections.kernels.credits.holds import HoldStatus, Settlement, held, settled

_hold = credit_hold.c
_IS_IT = _hold.position == bindparam("of_hold")
_COUNTED = {
    each: each + bindparam(f"more_{each.name}")
    for each in (_hold.drawn, _hold.overdrawn, _hold.uncovered)
}
_ENDED: dict[Any, BindParameter[Any]] = {
    _hold.ended: bindparam("ended_by"),
    _hold.ended_at: bindparam("instant"),
    _hold.ended_position: bindparam("at_position"),
    _hold.is_late: bindparam("late"),
}
_COUNT = {**_COUNTED, _hold.settlement_count: _hold.settlement_count + 1}
_SETTLE = update(credit_hold).where(_IS_IT).values(_COUNT)
_SETTLE_FINALLY = update(credit_hold).where(_IS_IT).values({**_COUNT, **_ENDED})
_SETTLE_ONE_FINALLY = DriverStatement(_SETTLE_FINALLY)
_RELEASE = update(credit_hold).where(_IS_IT).values(_ENDED)


def fold_holds(
    connection: Connection, facts: Sequence[tuple[int, int, HoldFact]]
) -> dict[int, int]:
    """Fold the next facts about holds; those about grants were folded before.

    Returns:
        How much more of each grant is held.
    """
    amounts = defaultdict[int, int](int)
    if not facts:
        return amounts
    made, settlements = list[tuple[object, ...]](), list[Settlement]()
    returned, released = list[ReturnedCredits](), list[tuple[int, int, int]]()
    for position, recorded_at, fact in facts:
        match fact:
            case CreditHoldCreated():
                made.append(HOLDS.row(held(fact, position, recorded_at), is_late=0))
                _add(amounts, fact.parts, 1)
                continue
            case CreditHoldSettled():
                settlements.append(settled(fact, position, recorded_at))
                _add(amounts, fact.drawn, -1)
            case CreditHoldReleased():
                released.append((fact.hold_position, recorded_at, position))
        _add(amounts, fact.returned, -1)
        returned += [
            ReturnedCredits(part.grant_position, part.amount, recorded_at, position)
            for part in fact.returned
        ]
    insert_rows(connection, credit_hold, made)
    rows = [SETTLEMENTS.row(each) for each in settlements]
    insert_rows(connection, credit_hold_settlement, rows)
    late = return_late(connection, returned)
    _settle(connection, settlements, late)
    given_up = [
        {"of_hold": hold} | _end(HoldStatus.RELEASED, recorded_at, position, late)
        for hold, recorded_at, position in released
    ]
    if given_up:
        connection.execute(_RELEASE, given_up)
    return amounts


def _settle(
    connection: Connection, settlements: Sequence[Settlement], late: Container[int]
) -> None:
    """Change the rows of holds that were settled."""
    counted, ended = list[dict[str, object]](), list[dict[str, object]]()
    for each in settlements:
        given: dict[str, object] = {
            "of_hold": each.hold_position,
            "more_drawn": each.drawn,
            "more_overdrawn": each.overdrawn,
            "more_uncovered": each.uncovered,
        }
        if each.is_final:
            place = each.recorded_at, each.position
            ended.append(given | _end(HoldStatus.SETTLED, *place, late))
        else:
            counted.append(given)
    if counted:
        connection.execute(_SETTLE, counted)
    if len(ended) == 1:
        _SETTLE_ONE_FINALLY.run(connection, ended[0])
    elif ended:
        connection.execute(_SETTLE_FINALLY, ended)


def _end(
    status: HoldStatus, recorded_at: int, position: int, late: Container[int]
) -> dict[str, object]:
    """Return what the row of a hold gets where a fact ends it.

    Args:
        status: what ended it.
        recorded_at: of the fact.
        position: of the fact.
        late: positions of the facts that returned something too late.
    """
    return {
        "ended_by": status.value,
        "instant": recorded_at,
        "at_position": position,
        "late": int(position in late),
    }


def _add(amounts: dict[int, int], parts: Sequence[HeldPart], times: int) -> None:
    for part in parts:
        amounts[part.grant_position] += times * part.amount
