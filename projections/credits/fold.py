"""The fold of facts about credits, in few statements however many facts there are.

Facts about grants and facts about invoices change different columns, and invoices only
add to what is applied. So each kind is folded at once; facts about an invoice that is
settled anew are folded in rounds.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, select, tuple_, update

from ledger.database.bulk import add_at_positions, insert_rows, is_among
from ledger.database.rows import decoded
from ledger.facts.credits import (
    CreditGrantCreated,
    CreditGrantExpired,
    CreditGrantUpdated,
    CreditGrantVoided,
    CreditsApplied,
    CreditsReinstated,
    Draw,
    GrantFact,
)
from projections.credits.tables import (
    DRAWS,
    GRANTS,
    IS_HELD,
    IS_REINSTATED,
    METADATA,
    application_row,
    credit_application,
    credit_grant,
    credit_movement,
)
from projections.kernels.credits.grants import changes, drawn, granted
from projections.schema import RecordedFact, TableFold

_REINSTATE = (
    update(credit_application)
    .where(credit_application.c.invoice == bindparam("of_invoice"), IS_HELD)
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
    changed: list[tuple[int, int, GrantFact]] = []
    rounds = _Rounds()
    for position, recorded_at, fact in facts:
        match fact:
            case CreditsApplied():
                at = rounds.of(fact.invoice)
                at.rows.append(application_row(fact, position, recorded_at))
                at.draws.append((recorded_at, position, fact.draws))
            case CreditGrantCreated():
                grants.append(GRANTS.row(granted(fact, position, recorded_at)))
            case CreditGrantUpdated() | CreditGrantExpired() | CreditGrantVoided():
                changed.append((position, recorded_at, fact))
            case CreditsReinstated():
                rounds.of(fact.invoice).undone[fact.invoice] = position, recorded_at
                rounds.end(fact.invoice)
            case _:
                pass
    insert_rows(connection, credit_grant, grants)
    for each in changed:
        _change_grant(connection, *each)
    amounts: Counter[int] = Counter()
    for settled in rounds:
        amounts.update(_settle(connection, settled))
        amounts.subtract(_reinstate(connection, settled.undone))
    add_at_positions(connection, credit_grant.c.applied, amounts)


CREDITS = TableFold(
    tables=(credit_grant, credit_application, credit_movement),
    fold=fold_credits,
)


@dataclass(frozen=True, slots=True)
class _Round:
    """Invoices that are settled, and then invoices that give back; each invoice once.

    Attributes:
        rows: of the applications.
        draws: when and at which position each drew, and what.
        undone: by invoice, at which position and when it gave back.
    """

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    draws: list[tuple[int, int, tuple[Draw, ...]]] = field(default_factory=list)
    undone: dict[str, tuple[int, int]] = field(default_factory=dict)


class _Rounds:
    """Facts about invoices, of which those about one stay in their order."""

    def __init__(self) -> None:
        self._rounds = [_Round()]
        self._number: dict[str, int] = {}

    def __iter__(self) -> Iterator[_Round]:
        """Iterate over the rounds, in the order in which they are folded."""
        return iter(self._rounds)

    def of(self, invoice: str) -> _Round:
        """Return the round of the next fact about an invoice."""
        return self._rounds[self._number.get(invoice, 0)]

    def end(self, invoice: str) -> None:
        """Move to the next round with an invoice that gave back."""
        number = self._number[invoice] = self._number.get(invoice, 0) + 1
        if number == len(self._rounds):
            self._rounds.append(_Round())


def _settle(connection: Connection, settled: _Round) -> dict[int, int]:
    """Insert applications; return what they draw of each grant."""
    insert_rows(connection, credit_application, settled.rows)
    # In the order of the key, so that those of one page are added together.
    moved = {
        (draw.grant_position, recorded_at, position, position)
        for recorded_at, position, drew in settled.draws
        for draw in drew
    }
    insert_rows(connection, credit_movement, sorted(moved))
    return drawn(chain.from_iterable(drew for _, _, drew in settled.draws))


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
    positions = [position for position, _ in undone.values()]
    column = credit_application.c.reinstated_position
    is_undone = is_among(connection, column, positions)
    rows = connection.execute(_DRAWN.where(IS_REINSTATED, is_undone)).all()
    moved: list[tuple[int, int, int, int]] = []
    late: list[dict[str, int]] = []
    amounts: Counter[int] = Counter()
    for row in rows:
        place = row.reinstated_at, row.reinstated_position
        for grant, amount in drawn(
            decoded(credit_application.c.draws, DRAWS, row.draws)
        ).items():
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
