"""Queries of holds, and of what they keep of grants."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace
from sqlalchemy import Connection, Select, bindparam, select, union_all

from ledger.database.bulk import is_among
from ledger.database.connections import DriverStatement
from ledger.database.rows import RowsByKey, decoded
from projections.credits.hold_tables import (
    HAS_ENDED,
    HOLDS,
    IS_UNENDED,
    PARTS,
    SETTLEMENTS,
    credit_hold,
    credit_hold_settlement,
)
from projections.credits.tables import IS_HELD, IS_REINSTATED, credit_application
from projections.kernels.credits.grants import Grant
from projections.kernels.credits.holds import (
    HeldMove,
    Hold,
    HoldStatus,
    Settlement,
    after_drawing,
    held_by_grant,
    held_moves,
    outliving,
)
from projections.pools.queries import PoolQueries
from projections.rows import Page
from projections.test_clocks.clocked import is_not_gone
from projections.windows import END

_hold, _settlement = credit_hold.c, credit_hold_settlement.c
_HOLDS = select(credit_hold)
HOLD = DriverStatement(_HOLDS.where(_hold.hold_id == bindparam("hold_id")))
_HOLD_AT = DriverStatement(_HOLDS.where(_hold.position == bindparam("position")))
_HOLDS_OF = _HOLDS.where(_hold.customer == bindparam("customer")).order_by(
    _hold.position
)
_IS_AHEAD = _hold.expires_at > bindparam("instant")
_OPEN = _HOLDS.where(IS_UNENDED, _IS_AHEAD).order_by(_hold.position)
_OPEN_PARTS_OF = DriverStatement(
    select(_hold.parts, _hold.drawn, _hold.expires_at).where(
        IS_UNENDED, _IS_AHEAD, _hold.customer == bindparam("customer")
    )
)
# Each has an index of its own.
APPLIED_TO = DriverStatement(
    union_all(
        *(
            select(credit_application.c.position).where(
                credit_application.c.invoice == bindparam("invoice"), each
            )
            for each in (IS_HELD, IS_REINSTATED)
        )
    )
)
# Of a hold that is to be made, neither is there, as a rule.
IS_NAMED = DriverStatement(
    union_all(
        select(_hold.position).where(_hold.hold_id == bindparam("invoice")),
        *(
            select(credit_application.c.position).where(
                credit_application.c.invoice == bindparam("invoice"), each
            )
            for each in (IS_HELD, IS_REINSTATED)
        ),
    )
)
# One search of an index each.
_SINCE = (
    _HOLDS.where(IS_UNENDED, _IS_AHEAD),
    _HOLDS.where(HAS_ENDED, _hold.ended_at > bindparam("instant")),
)
_ANY = select(_hold.position).limit(1)
_SETTLEMENTS = select(credit_hold_settlement).order_by(_settlement.position)
_SETTLEMENT = _SETTLEMENTS.where(
    _settlement.hold_position == bindparam("hold_position"),
    _settlement.settlement_id == bindparam("settlement_id"),
)


class OpenHolds(NamedTuple):
    """How many holds are open, what they keep of each grant, and until when they all do."""

    hold_count: int
    amounts: Counter[int]
    until: int

    def changed(self, count: int, moved: Iterable[tuple[int, int]]) -> "OpenHolds":
        """Return what is kept after a change; its amounts are changed where they are.

        Args:
            count: how many more holds there are.
            moved: positions of grants, and how much more is kept of each.
        """
        amounts = self.amounts
        for at, more in moved:
            if left := amounts.get(at, 0) + more:
                amounts[at] = left
            else:
                amounts.pop(at, None)
        return OpenHolds(self.hold_count + count, amounts, self.until)


class HoldQueries:
    """Queries of holds in one database transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def hold(self, hold_id: str) -> Hold | None:
        """Return a hold by its id."""
        return self._hold(HOLD, {"hold_id": hold_id})

    def hold_at(self, position: int) -> Hold | None:
        """Return a hold by the position of the fact that created it."""
        return self._hold(_HOLD_AT, {"position": position})

    def holds_named(self, hold_ids: Sequence[str]) -> RowsByKey[str, Hold]:
        """Return any number of holds by their ids."""
        wanted = _HOLDS.where(is_among(self.connection, _hold.hold_id, hold_ids))
        found = self._holds(wanted, {})
        return RowsByKey(credit_hold, ((each.hold_id, each) for each in found))

    def known(self, hold_ids: Sequence[str]) -> set[str]:
        """Return which ids are those of holds."""
        # Most stores have none: not to look for thousands there.
        if self.connection.execute(_ANY).first() is None:
            return set()
        is_wanted = is_among(self.connection, _hold.hold_id, hold_ids)
        found = self.connection.execute(select(_hold.hold_id).where(is_wanted))
        return set(found.scalars())

    def settlement(self, hold: Hold, settlement_id: str) -> Settlement | None:
        """Return a settlement of a hold by its id."""
        if not hold.settlement_count:
            return None
        given = {"hold_position": hold.position, "settlement_id": settlement_id}
        row = self.connection.execute(_SETTLEMENT, given).first()
        return None if row is None else SETTLEMENTS.read(row)

    def settlements_of(self, holds: Sequence[Hold]) -> dict[int, list[Settlement]]:
        """Return the settlements of holds in their order, by the hold's position."""
        found: dict[int, list[Settlement]] = {}
        positions = [each.position for each in holds if each.settlement_count]
        if positions:
            is_of = is_among(self.connection, _settlement.hold_position, positions)
            for row in self.connection.execute(_SETTLEMENTS.where(is_of)):
                each = SETTLEMENTS.read(row)
                found.setdefault(each.hold_position, []).append(each)
        return found

    def open_of(self, customer: str, instant: int) -> "OpenHolds":
        """Return what a customer's holds keep that are open at an instant, not past."""
        given = {"customer": customer, "instant": instant}
        rows = _OPEN_PARTS_OF.run(self.connection, given).fetchall()
        amounts: Counter[int] = Counter()
        for parts, drawn, _ in rows:
            left = after_drawing(decoded(_hold.parts, PARTS, parts), drawn)[1]
            for part in left:
                amounts[part.grant_position] += part.amount
        until = min((expires_at for *_, expires_at in rows), default=END)
        return OpenHolds(len(rows), amounts, until)

    def is_applied_to(self, invoice: str) -> bool:
        """Whether credits were ever applied to an invoice."""
        given = {"invoice": invoice}
        return APPLIED_TO.run(self.connection, given).fetchone() is not None

    def applied_to(self, invoices: Sequence[str]) -> set[str]:
        """Return the invoices that credits were ever applied to."""
        if not invoices:
            return set()
        is_wanted = is_among(self.connection, credit_application.c.invoice, invoices)
        found = union_all(
            *(
                select(credit_application.c.invoice).where(is_wanted, each)
                for each in (IS_HELD, IS_REINSTATED)
            )
        )
        return set(self.connection.execute(found).scalars())

    def held_of(self, customers: Sequence[str], instant: int) -> Counter[int]:
        """Return what holds of customers keep of each grant at an instant, not past."""
        is_wanted = is_among(self.connection, _hold.customer, customers)
        holds = self._holds(_OPEN.where(is_wanted), {"instant": instant})
        return held_by_grant(holds, instant)

    def held_by_customer(
        self, customers: Sequence[str], instant: int
    ) -> dict[str, Counter[int]]:
        """Return `held_of` of each customer that has an open hold."""
        is_wanted = is_among(self.connection, _hold.customer, customers)
        found: dict[str, list[Hold]] = {}
        for hold in self._holds(_OPEN.where(is_wanted), {"instant": instant}):
            found.setdefault(hold.customer, []).append(hold)
        return {each: held_by_grant(holds, instant) for each, holds in found.items()}

    def moves_of(self, customer: str) -> list[HeldMove]:
        """Return all that a customer's holds took and let go of."""
        return self._moves(self._holds(_HOLDS_OF, {"customer": customer}))

    def moves_since(
        self, customers: Sequence[str], instant: int
    ) -> dict[str, list[HeldMove]]:
        """Return what holds took and let go of that end after an instant, by customer."""
        is_wanted = is_among(self.connection, _hold.customer, customers)
        holds = [
            hold
            for wanted in _SINCE
            for hold in self._holds(wanted.where(is_wanted), {"instant": instant})
        ]
        found: dict[str, list[HeldMove]] = {}
        for move in self._moves(holds):
            found.setdefault(move.hold.customer, []).append(move)
        return found

    def page(
        self, customer: str | None, status: HoldStatus | None, page: Page, instant: int
    ) -> list[Hold]:
        """Return a page of holds, of one customer or all, in one state or any."""
        wanted = _HOLDS.where(is_not_gone(_hold.customer))
        if customer is not None:
            wanted = wanted.where(_hold.customer == customer)
        match status:
            case None:
                pass
            case HoldStatus.OPEN:
                wanted = wanted.where(IS_UNENDED, _hold.expires_at > instant)
            case HoldStatus.EXPIRED:
                wanted = wanted.where(IS_UNENDED, _hold.expires_at <= instant)
            case HoldStatus.SETTLED | HoldStatus.RELEASED:
                wanted = wanted.where(_hold.ended == status.value)
        rows = page.read(self.connection, credit_hold, wanted)
        return [HOLDS.read(row) for row in rows]

    def with_held(self, grants: Sequence[Grant], instant: int) -> list[Grant]:
        """Return grants with what holds keep of them at an instant that is not past."""
        customers = self._holders([grant for grant in grants if grant.held])
        if not customers:
            return list(grants)
        if len(customers) == 1:
            amounts = self.open_of(customers[0], instant).amounts
        else:
            amounts = self.held_of(customers, instant)
        return [replace(grant, held=amounts[grant.position]) for grant in grants]

    def with_outliving(self, grants: Sequence[Grant]) -> list[Grant]:
        """Return grants with what of them did, or will, not expire at their end."""
        customers = self._holders(
            [each for each in grants if each.held and each.end is not None]
        )
        if not customers:
            return list(grants)
        is_wanted = is_among(self.connection, _hold.customer, customers)
        earliest = min(each.end[0] for each in grants if each.end is not None)
        given = {"instant": earliest}
        holds = self._holds(_OPEN.where(is_wanted), given)
        return [
            replace(each, outliving=outliving(each, holds)) if each.held else each
            for each in grants
        ]

    def _holders(self, grants: Sequence[Grant]) -> list[str]:
        """Return the customers whose holds keep something of grants."""
        customers = {grant.customer for grant in grants if grant.pool is None}
        pools = {grant.pool for grant in grants if grant.pool is not None}
        if pools:
            customers |= PoolQueries(self.connection).holders(sorted(pools))
        return sorted(customers)

    def _moves(self, holds: Sequence[Hold]) -> list[HeldMove]:
        settlements = self.settlements_of(holds)
        return [
            move
            for hold in holds
            for move in held_moves(hold, settlements.get(hold.position, ()))
        ]

    def _hold(self, wanted: DriverStatement, given: dict[str, Any]) -> Hold | None:
        row = wanted.run(self.connection, given).fetchone()
        return None if row is None else HOLDS.read(row)

    def _holds(self, wanted: Select[Any], given: dict[str, Any]) -> list[Hold]:
        return [HOLDS.read(row) for row in self.connection.execute(wanted, given)]
