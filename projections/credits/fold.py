"""The fold of facts about credits, in few statements however many facts there are.

Facts about grants and facts about invoices change different columns, and invoices only
add to what is applied. So each kind is folded at once; facts about an invoice that is
settled anew are folded in rounds. What a billing run records by columns is folded in
`projections.credits.settled`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from sqlalchemy import Connection, update

from ledger.database.bulk import add_at_positions, insert_rows
from ledger.facts.credits.grants import (
    CreditGrantCreated,
    CreditGrantExpired,
    CreditGrantUpdated,
    CreditGrantVoided,
    CreditsApplied,
    CreditsReinstated,
    Draw,
    GrantFact,
)
from ledger.facts.credits.holds import (
    CreditHoldSettled,
    HoldFact,
)
from projections.credits.hold_fold import fold_holds
from projections.credits.hold_tables import credit_hold, credit_hold_settlement
from projections.credits.pools.use import ask_for_pools, fold_pool_use
from projections.credits.reinstating import reinstate
from projections.credits.schedule_tables import credit_schedule, fold_schedules
from projections.credits.tables import (
    GRANTS,
    METADATA,
    application_row,
    credit_application,
    credit_customer_application,
    credit_grant,
    credit_grant_use,
    credit_invoice_block,
    credit_movement,
)
from projections.kernels.credits.grants import changes, drawn, granted
from projections.pools.tables import credit_pool_use
from projections.schema import RecordedFact, TableFold

_APPLIED, _HELD = credit_grant_use.c.applied, credit_grant_use.c.held


def fold_credits(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about credits."""
    grants: list[tuple[Any, ...]] = []
    unused: list[tuple[int, int, int, int, int]] = []
    changed: list[tuple[int, int, GrantFact]] = []
    rounds = _Rounds()
    for position, recorded_at, fact in facts:
        match fact:
            case CreditsApplied() | CreditsReinstated() | CreditHoldSettled():
                rounds.take(position, recorded_at, fact)
            case CreditGrantCreated():
                grants.append(GRANTS.row(granted(fact, position, recorded_at)))
                unused.append((position, fact.amount, 0, 0, 0))
            case CreditGrantUpdated() | CreditGrantExpired() | CreditGrantVoided():
                changed.append((position, recorded_at, fact))
            case _:
                pass
    insert_rows(connection, credit_grant, grants)
    insert_rows(connection, credit_grant_use, unused)
    for each in changed:
        _change_grant(connection, *each)
    # Answered with what is waited for next, where a server is asked.
    asked = ask_for_pools(connection, facts)
    of_holds = [
        (at, when, fact) for at, when, fact in facts if isinstance(fact, HoldFact)
    ]
    if len(of_holds) < len(facts):
        fold_schedules(connection, facts)
    held = fold_holds(connection, of_holds)
    add_at_positions(connection, {_APPLIED: rounds.fold(connection), _HELD: held})
    fold_pool_use(connection, facts, asked)


CREDITS = TableFold(
    tables=(
        credit_grant,
        credit_grant_use,
        credit_application,
        credit_customer_application,
        credit_invoice_block,
        credit_movement,
        credit_hold,
        credit_hold_settlement,
        credit_schedule,
        credit_pool_use,
    ),
    fold=fold_credits,
)


@dataclass(frozen=True, slots=True)
class _Round:
    """Invoices that are settled, and then invoices that give back; each invoice once.

    Attributes:
        rows: of the applications.
        places: of those that drew, by customer.
        draws: when and at which position each drew, and what.
        undone: by invoice, at which position and when it gave back.
    """

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    places: list[tuple[str, int, int]] = field(default_factory=list)
    draws: list[tuple[int, int, tuple[Draw, ...]]] = field(default_factory=list)
    undone: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(
        self,
        fact: CreditsApplied,
        position: int,
        recorded_at: int,
        hold_position: int | None,
    ) -> None:
        """Add an invoice that is settled."""
        self.rows.append(application_row(fact, position, recorded_at, hold_position))
        self.draws.append((recorded_at, position, fact.draws))
        if fact.draws:
            self.places.append((fact.customer, recorded_at, position))


class _Rounds:
    """Facts about invoices, of which those about one stay in their order."""

    def __init__(self) -> None:
        self._rounds = [_Round()]
        self._number: dict[str, int] = {}

    def take(
        self,
        position: int,
        recorded_at: int,
        fact: CreditsApplied | CreditsReinstated | CreditHoldSettled,
    ) -> None:
        """Take the next fact."""
        match fact:
            case CreditsApplied():
                self._of(fact.invoice).add(fact, position, recorded_at, None)
            case CreditHoldSettled():
                made = fact.application
                its_round = self._of(made.invoice)
                its_round.add(made, position, recorded_at, fact.hold_position)
            case CreditsReinstated():
                self._of(fact.invoice).undone[fact.invoice] = position, recorded_at
                self._end(fact.invoice)

    def fold(self, connection: Connection) -> Counter[int]:
        """Fold them in their order; return what they draw of each grant together."""
        amounts: Counter[int] = Counter()
        for settled in self._rounds:
            if settled.rows:
                amounts.update(_settle(connection, settled))
            if settled.undone:
                amounts.subtract(reinstate(connection, settled.undone))
        return amounts

    def _of(self, invoice: str) -> _Round:
        """Return the round of the next fact about an invoice."""
        return self._rounds[self._number.get(invoice, 0)]

    def _end(self, invoice: str) -> None:
        """Move to the next round with an invoice that gave back."""
        number = self._number[invoice] = self._number.get(invoice, 0) + 1
        if number == len(self._rounds):
            self._rounds.append(_Round())


def _settle(connection: Connection, settled: _Round) -> dict[int, int]:
    """Insert applications; return what they draw of each grant."""
    insert_rows(connection, credit_application, settled.rows)
    insert_rows(connection, credit_customer_application, sorted(settled.places))
    # In the order of the key, so that those of one page are added together.
    moved = {
        (draw.grant_position, recorded_at, position, None)
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
