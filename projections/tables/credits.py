"""The fold of facts about credits, in few statements however many facts there are.

Facts about a grant change other columns than those about invoices, which only add to
what is applied of it, so that each kind is folded at once.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, get_args

from sqlalchemy import Connection, bindparam, select, update

from ledger.credits import (
    CreditGrantCreated,
    CreditsApplied,
    CreditsReinstated,
    Draw,
)
from projections.kernels.grants import GrantFact, applied, changes, granted
from projections.tables.bulk import add_at_positions, insert_rows, is_among
from projections.tables.credit_rows import (
    application_row,
    credit_application,
    credit_grant,
    decoded_draws,
    encoded_metadata,
    grant_row,
)
from projections.tables.frame import RecordedFact, ResourceTables

_GRANT_FACTS = get_args(GrantFact)
_REINSTATE = (
    update(credit_application)
    .where(credit_application.c.invoice == bindparam("of_invoice"))
    .values(
        reinstated_at=bindparam("instant"), reinstated_position=bindparam("at_position")
    )
)


def fold_credits(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts; those about other resources change nothing."""
    created = [each for each in facts if isinstance(each.fact, CreditGrantCreated)]
    changed = [each for each in facts if isinstance(each.fact, _GRANT_FACTS)]
    settled = [each for each in facts if isinstance(each.fact, CreditsApplied)]
    undone = [each for each in facts if isinstance(each.fact, CreditsReinstated)]
    _insert_grants(connection, created)
    for each in changed:
        _change_grant(connection, each)
    sums: defaultdict[int, int] = defaultdict(int)
    _insert_applications(connection, settled, sums)
    if undone:
        _reinstate(connection, undone, sums)
    amounts = {at: amount for at, amount in sums.items() if amount}
    add_at_positions(connection, credit_grant.c.applied, amounts)


CREDITS = ResourceTables(
    name="credit",
    version=1,
    tables=(credit_grant, credit_application),
    fold=fold_credits,
)


def _insert_grants(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    rows = [
        grant_row(granted(fact, position, recorded_at))
        for position, recorded_at, fact in facts
        if isinstance(fact, CreditGrantCreated)
    ]
    insert_rows(connection, credit_grant, rows)


def _change_grant(connection: Connection, recorded: RecordedFact) -> None:
    position, recorded_at, fact = recorded
    assert isinstance(fact, _GRANT_FACTS), "facts about grants that exist"
    changed = changes(fact, position, recorded_at)
    if "metadata" in changed:
        changed["metadata"] = encoded_metadata(changed["metadata"])
    connection.execute(
        update(credit_grant)
        .where(credit_grant.c.grant_id == fact.grant_id)
        .values(changed)
    )


def _insert_applications(
    connection: Connection,
    facts: Sequence[RecordedFact],
    sums: defaultdict[int, int],
) -> None:
    rows: list[tuple[Any, ...]] = []
    for position, recorded_at, fact in facts:
        assert isinstance(fact, CreditsApplied), "facts about settled invoices"
        rows.append(application_row(applied(fact, position, recorded_at)))
        _add(fact.draws, 1, sums)
    insert_rows(connection, credit_application, rows)


def _reinstate(
    connection: Connection,
    facts: Sequence[RecordedFact],
    sums: defaultdict[int, int],
) -> None:
    at: dict[str, RecordedFact] = {}
    for each in facts:
        assert isinstance(each.fact, CreditsReinstated), "facts about voided invoices"
        at[each.fact.invoice] = each
    connection.execute(
        _REINSTATE,
        [
            {
                "of_invoice": invoice,
                "instant": each.recorded_at,
                "at_position": each.position,
            }
            for invoice, each in at.items()
        ],
    )
    is_undone = is_among(connection, credit_application.c.invoice, list(at))
    for (draws,) in connection.execute(
        select(credit_application.c.draws).where(is_undone)
    ):
        _add(decoded_draws(draws), -1, sums)


def _add(draws: Sequence[Draw], sign: int, sums: defaultdict[int, int]) -> None:
    for draw in draws:
        sums[draw.grant_position] += sign * draw.amount
