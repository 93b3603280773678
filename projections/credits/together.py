"""Credits as one decision after the other sees them, before any of them is recorded.

What was read once is kept, and what a decision takes or gives back is counted in it. So
many decisions about one customer take a few statements between them, and one commit.
Members of a pool see what others decide of it once that is recorded.

Once they are recorded, the next database transaction may go on from there, as long as
nothing else was recorded between.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec.structs import replace
from sqlalchemy import Connection

from ledger.facts.credits.holds import (
    CreditHoldCreated,
    CreditHoldSettled,
    HeldPart,
)
from projections.credits.hold_queries import (
    APPLIED_TO,
    HOLD,
    IS_NAMED,
    HoldQueries,
    OpenHolds,
)
from projections.credits.hold_tables import HOLDS
from projections.credits.queries import CreditQueries
from projections.kernels.credits.grants import Grant, drawn
from projections.kernels.credits.holds import Hold, Settlement
from projections.windows import END


class HoldsTogether(HoldQueries):
    """Holds in one database transaction, with those that are decided in it."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._by_id: dict[str, Hold | None] = {}
        self._settlements: dict[tuple[int, str], Settlement] = {}
        self._open: dict[str, OpenHolds] = {}
        # What was decided about holds of customers that were not read so far.
        self._more: dict[str, OpenHolds] = {}
        self._applied: dict[str, bool] = {}
        self.until = END
        """The instant at which time ends the first of the open holds that were read."""

    def __len__(self) -> int:
        """Return how much is kept, about."""
        return len(self._by_id) + len(self._applied) + len(self._open)

    def recorded(self) -> None:
        """Count what was decided among what is recorded: a read finds it from now on."""
        self._more.clear()
        self._settlements.clear()

    def read_ahead(self, hold_ids: Sequence[str], invoices: Collection[str]) -> None:
        """Read holds, and whether credits were applied to invoices, in few statements."""
        unknown = [each for each in hold_ids if each not in self._by_id]
        if len(hold_ids) <= 1 and len(invoices) <= 1:
            if unknown and invoices:
                self._read_one_ahead(*unknown, *invoices)
            return
        if unknown:
            found = self.holds_named(unknown)
            self._by_id |= {each: found.get(each) for each in unknown}
        unknown = [each for each in invoices if each not in self._applied]
        if unknown:
            applied = self.applied_to(unknown)
            self._applied |= {each: each in applied for each in unknown}

    def _read_one_ahead(self, hold_id: str, invoice: str) -> None:
        """Ask for both before the first answer is waited for, or in one statement."""
        if hold_id == invoice:
            named = IS_NAMED.run(self.connection, {"invoice": invoice}).fetchone()
            if named is None:
                self._by_id[hold_id], self._applied[invoice] = None, False
                return
        asked = HOLD.run(self.connection, {"hold_id": hold_id})
        asked_too = APPLIED_TO.run(self.connection, {"invoice": invoice})
        row = asked.fetchone()
        self._by_id[hold_id] = None if row is None else HOLDS.read(row)
        self._applied[invoice] = asked_too.fetchone() is not None

    def hold(self, hold_id: str) -> Hold | None:
        """Return a hold by its id."""
        if hold_id not in self._by_id:
            self._by_id[hold_id] = super().hold(hold_id)
        return self._by_id[hold_id]

    def settlement(self, hold: Hold, settlement_id: str) -> Settlement | None:
        """Return a settlement of a hold by its id."""
        decided = self._settlements.get((hold.position, settlement_id))
        return decided or super().settlement(hold, settlement_id)

    def settlements_of(self, holds: Sequence[Hold]) -> dict[int, list[Settlement]]:
        """Return the settlements of holds in their order, by the hold's position."""
        found = super().settlements_of(holds)
        for each in self._settlements.values():
            if each.hold_position in {hold.position for hold in holds}:
                found.setdefault(each.hold_position, []).append(each)
        return found

    def known(self, hold_ids: Sequence[str]) -> set[str]:
        """Return which ids are those of holds."""
        decided = {each for each in hold_ids if self._by_id.get(each) is not None}
        return decided | super().known(hold_ids)

    def is_applied_to(self, invoice: str) -> bool:
        """Whether credits were ever applied to an invoice."""
        if invoice not in self._applied:
            self._applied[invoice] = super().is_applied_to(invoice)
        return self._applied[invoice]

    def open_of(self, customer: str, instant: int) -> OpenHolds:
        """Return what a customer's holds keep that are open now."""
        found = self._open.get(customer)
        if found is None:
            found = super().open_of(customer, instant)
            self.until = min(self.until, found.until)
            if (more := self._more.pop(customer, None)) is not None:
                found = found.changed(more.hold_count, more.amounts.items())
            self._open[customer] = found
        return found

    def created(self, hold: Hold) -> None:
        """Count a hold that is decided."""
        self._by_id[hold.hold_id] = hold
        self._change(hold.customer, 1, hold.parts, 1)
        self.until = min(self.until, hold.expires_at)

    def settled(self, hold: Hold, its: Settlement, fact: CreditHoldSettled) -> None:
        """Count a settlement that is decided, given the hold after it."""
        self._by_id[hold.hold_id] = hold
        self._settlements[its.hold_position, its.settlement_id] = its
        self._applied[fact.application.invoice] = True
        self._change(hold.customer, -its.is_final, (*fact.drawn, *fact.returned), -1)

    def _change(
        self, customer: str, count: int, parts: Iterable[HeldPart], times: int
    ) -> None:
        known = self._open if customer in self._open else self._more
        found = known.get(customer) or OpenHolds(0, Counter(), END)
        moved = [(part.grant_position, times * part.amount) for part in parts]
        known[customer] = found.changed(count, moved)


class CreditsTogether(CreditQueries):
    """Credits in one database transaction, with what is decided about holds in it."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.holds: HoldsTogether = HoldsTogether(connection)
        self._live: dict[str, list[Grant]] = {}
        self._live_count = 0
        # Of what the customer has of a pool, others may change something.
        self._with_pools = set[str]()
        # What was drawn since, by the position of the grant.
        self._applied = Counter[int]()

    def __len__(self) -> int:
        """Return how much is kept, about."""
        return len(self.holds) + self._live_count

    def goes_on_until(self) -> int:
        """Return the instant from which on time has changed what was read."""
        return self.holds.until

    def go_on(self, connection: Connection) -> None:
        """Go on in a database transaction that sees what was decided, and no more of it."""
        self.connection = self.holds.connection = connection

    def recorded(self) -> None:
        """Count what was decided among what is recorded."""
        self.holds.recorded()
        for customer in self._with_pools:
            self._live_count -= len(self._live.pop(customer))
        self._with_pools.clear()
        self._applied.clear()

    def spendable_of(
        self, customer: str, instant: int, held: Mapping[int, int] | None = None
    ) -> list[Grant]:
        """Return the live grants that have credit left for a customer.

        What was decided before is counted, but not of pools; `held` is known.
        """
        found = self._live.get(customer)
        if found is None:
            kept = self.holds.open_of(customer, instant).amounts
            found = super().spendable_of(customer, instant, kept)
            found = self._live[customer] = [
                self._with_more(each, kept) for each in found
            ]
            self._live_count += len(found)
            if any(each.pool is not None for each in found):
                self._with_pools.add(customer)
        return found

    def _with_more(self, grant: Grant, held: Mapping[int, int]) -> Grant:
        """Return a grant that was just read with what is decided about it."""
        kept, more = held.get(grant.position, 0), self._applied[grant.position]
        if grant.pool is not None or (grant.held == kept and not more):
            return grant
        return replace(grant, held=kept, applied=grant.applied + more)

    def created(self, fact: CreditHoldCreated, hold: Hold) -> None:
        """Count a hold that is decided."""
        self.holds.created(hold)
        self._change(hold.customer, fact.parts, 1, {})

    def settled(self, fact: CreditHoldSettled, hold: Hold, its: Settlement) -> None:
        """Count a settlement that is decided, given the hold after it."""
        self.holds.settled(hold, its, fact)
        applied = drawn(fact.application.draws)
        self._applied.update(applied)
        self._change(hold.customer, (*fact.drawn, *fact.returned), -1, applied)

    def _change(
        self,
        customer: str,
        parts: Iterable[HeldPart],
        times: int,
        applied: Mapping[int, int],
    ) -> None:
        """Change the grants of a customer that were read."""
        grants = self._live.get(customer)
        if grants is None:
            return
        held = dict.fromkeys(applied, 0)
        for part in parts:
            at = part.grant_position
            held[at] = held.get(at, 0) + times * part.amount
        self._live[customer] = [
            replace(
                each,
                held=each.held + held[each.position],
                applied=each.applied + applied.get(each.position, 0),
            )
            if each.position in held
            else each
            for each in grants
        ]
