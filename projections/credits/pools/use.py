"""The fold of what customers have of pools: what they drew, and what they hold.

A store without a grant of a pool pays one look into an empty index.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, literal_column, select, update

from ledger.database.bulk import insert_rows, is_among
from ledger.database.connections import DriverStatement
from ledger.facts.credits.grants import CreditsApplied, CreditsReinstated, Draw
from ledger.facts.credits.holds import (
    CreditHoldCreated,
    CreditHoldReleased,
    CreditHoldSettled,
    HeldPart,
    HoldFact,
)
from ledger.facts.credits.settlements import SettledInvoices
from projections.credits.applications import read_applications
from projections.credits.drawable import pools_of_grants
from projections.credits.tables import (
    IS_POOLED,
    IS_REINSTATED,
    credit_application,
    credit_grant,
)
from projections.pools.tables import credit_pool_use
from projections.schema import RecordedFact

_use = credit_pool_use.c
_ANY = DriverStatement(
    select(credit_grant.c.position).where(IS_POOLED).limit(literal_column("1"))
)
_REINSTATED = select(credit_application).where(IS_REINSTATED)
_ADD = (
    update(credit_pool_use)
    .where(
        _use.pool_id == bindparam("of_pool"), _use.customer == bindparam("of_customer")
    )
    .values(
        applied=_use.applied + bindparam("more_applied"),
        held=_use.held + bindparam("more_held"),
    )
)

_MOVING = CreditsApplied | CreditsReinstated | HoldFact
_Amounts = Counter[tuple[int, str]]
"""By the position of a grant and a customer."""


def ask_for_pools(connection: Connection, facts: Sequence[RecordedFact]) -> Any:
    """Ask whether there is a grant of a pool; `fold_pool_use` waits for the answer.

    Nothing is asked, and None returned, where the facts move no credit.
    """
    if not any(isinstance(fact, _MOVING) for _, _, fact in facts):
        return None
    return _ANY.run(connection, {})


def fold_pool_use(
    connection: Connection, facts: Sequence[RecordedFact], asked: Any
) -> None:
    """Fold the next facts about credits; all else of them was folded before.

    Args:
        connection: to the tables.
        facts: in their order.
        asked: by `ask_for_pools` about them, since a grant was folded last.
    """
    if asked is None or asked.fetchone() is None:
        return
    applied, held, given_back = _Amounts(), _Amounts(), list[int]()
    for position, _, fact in facts:
        match fact:
            case CreditsApplied():
                _add(applied, fact.customer, fact.draws, 1)
            case CreditsReinstated():
                given_back.append(position)
            case _ if isinstance(fact, HoldFact):
                _hold(applied, held, fact)
            case _:
                pass
    _give_back(connection, applied, given_back)
    _write(connection, applied, held)


def fold_pool_use_of_run(
    connection: Connection, first_position: int, facts: SettledInvoices
) -> None:
    """Fold a portion of a billing run; all else of it was folded before."""
    if _ANY.run(connection, {}).fetchone() is None:
        return
    applied = _Amounts()
    number = len(facts.given_back)
    _give_back(connection, applied, range(first_position, first_position + number))
    for block in facts.blocks:
        columns = block.columns
        grants, amounts = iter(columns.draw_grants), iter(columns.draw_amounts)
        for customer, count in zip(columns.customers, columns.draw_counts, strict=True):
            for _ in range(count):
                applied[next(grants), customer] += next(amounts)
    _write(connection, applied, _Amounts())


def _hold(applied: _Amounts, held: _Amounts, fact: HoldFact) -> None:
    match fact:
        case CreditHoldCreated():
            _add(held, fact.customer, fact.parts, 1)
        case CreditHoldReleased():
            _add(held, fact.customer, fact.returned, -1)
        case CreditHoldSettled():
            whose = fact.application.customer
            _add(applied, whose, fact.application.draws, 1)
            _add(held, whose, (*fact.drawn, *fact.returned), -1)


def _add(
    amounts: _Amounts,
    customer: str,
    parts: Iterable[Draw] | Iterable[HeldPart],
    times: int,
) -> None:
    for part in parts:
        amounts[part.grant_position, customer] += times * part.amount


def _give_back(
    connection: Connection, applied: _Amounts, positions: Sequence[int]
) -> None:
    """Take off what facts at some positions gave back."""
    if not positions:
        return
    column = credit_application.c.reinstated_position
    is_wanted = is_among(connection, column, list(positions))
    rows = connection.execute(_REINSTATED.where(is_wanted)).all()
    for each in read_applications(connection, rows):
        _add(applied, each.customer, each.draws, -1)


def _write(connection: Connection, applied: _Amounts, held: _Amounts) -> None:
    """Add what was moved of grants that belong to pools."""
    moved = applied.keys() | held.keys()
    pools = pools_of_grants(connection, {position for position, _ in moved})
    sums: dict[tuple[str, str], list[int]] = {}
    for position, customer in moved:
        if position in pools:
            whose = sums.setdefault((pools[position], customer), [0, 0])
            whose[0] += applied[position, customer]
            whose[1] += held[position, customer]
    if not sums:
        return
    wanted = select(_use.pool_id, _use.customer).where(
        is_among(connection, _use.pool_id, sorted({pool_id for pool_id, _ in sums})),
        is_among(connection, _use.customer, sorted({whose for _, whose in sums})),
    )
    known = {(row.pool_id, row.customer) for row in connection.execute(wanted)}
    added = sorted(sums.keys() - known)
    insert_rows(connection, credit_pool_use, [(*each, *sums[each]) for each in added])
    changed = [
        {
            "of_pool": pool_id,
            "of_customer": customer,
            "more_applied": more_applied,
            "more_held": more_held,
        }
        for (pool_id, customer), (more_applied, more_held) in sorted(sums.items())
        if (pool_id, customer) in known
    ]
    if changed:
        connection.execute(_ADD, changed)
