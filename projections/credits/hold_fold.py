"""The fold of facts about holds. What a settlement draws is folded as an application."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, update

from ledger.database.bulk import add_at_positions, insert_rows
from ledger.facts.holds import (
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
from projections.credits.reinstating import return_late
from projections.credits.tables import credit_grant_use
from projections.kernels.credits.holds import HoldStatus, held, settled

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
_RELEASE = update(credit_hold).where(_IS_IT).values(_ENDED)


def fold_holds(
    connection: Connection, facts: Sequence[tuple[int, int, HoldFact]]
) -> None:
    """Fold the next facts about holds; those about grants were folded before."""
    if not facts:
        return
    amounts: Counter[int] = Counter()
    made, settlements = list[tuple[object, ...]](), list[tuple[object, ...]]()
    for position, recorded_at, fact in facts:
        match fact:
            case CreditHoldCreated():
                made.append(HOLDS.row(held(fact, position, recorded_at), is_late=0))
                _add(amounts, fact.parts, 1)
            case CreditHoldSettled():
                each = settled(fact, position, recorded_at)
                settlements.append(SETTLEMENTS.row(each))
                _add(amounts, fact.drawn, -1)
                _add(amounts, fact.returned, -1)
            case CreditHoldReleased():
                _add(amounts, fact.returned, -1)
    insert_rows(connection, credit_hold, made)
    insert_rows(connection, credit_hold_settlement, settlements)
    add_at_positions(connection, credit_grant_use.c.held, amounts)
    for recorded in facts:
        _change(connection, *recorded)


def _change(
    connection: Connection, position: int, recorded_at: int, fact: HoldFact
) -> None:
    """Change the row of a hold that was settled or released."""
    if isinstance(fact, CreditHoldCreated):
        return
    given: dict[str, object] = {"of_hold": fact.hold_position}
    statement, status = _RELEASE, HoldStatus.RELEASED
    if isinstance(fact, CreditHoldSettled):
        each = settled(fact, position, recorded_at)
        given |= {
            "more_drawn": each.drawn,
            "more_overdrawn": each.overdrawn,
            "more_uncovered": each.uncovered,
        }
        if not fact.final:
            connection.execute(_SETTLE, given)
            return
        statement, status = _SETTLE_FINALLY, HoldStatus.SETTLED
    given |= {
        "ended_by": status.value,
        "instant": recorded_at,
        "at_position": position,
        "late": int(_return(connection, fact.returned, recorded_at, position)),
    }
    connection.execute(statement, given)


def _return(
    connection: Connection, parts: Sequence[HeldPart], instant: int, position: int
) -> bool:
    """Note what a hold returned; return whether any came after the end of its grant."""
    returned = [
        {
            "of_grant": part.grant_position,
            "of_amount": part.amount,
            "instant": instant,
            "at_position": position,
        }
        for part in parts
    ]
    return return_late(connection, returned)


def _add(amounts: Counter[int], parts: Sequence[HeldPart], times: int) -> None:
    for part in parts:
        amounts[part.grant_position] += times * part.amount
