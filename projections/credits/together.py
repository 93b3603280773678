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
    HoldQueries,
    OpenHolds,
)
from projections.credits.hold_tables import HOLDS
from projections.credits.queries import CreditQueries
from projections.kernels.credits.grants import Grant
from projections.kernels.credits.holds import Hold, Settlement
from projections.windows import END


class HoldsTogether(HoldQueries):
    """Holds in one database transaction, with those that are decided in it."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._by_id: dict[str, Hold | None] = {}
        self._settlements: dict[tuple[int, str], Settlement] = {}
        self._open: dict[str, OpenHolds] = {}
        # What was decided since, by customer: holds, and amounts by grant.
        self._more = Counter[str]()
        self._more_held: dict[str, Counter[int]] = {}
        self._applied: dict[str, bool] = {}
        self.until = END
        """The instant at which time ends the first of the open holds that were read."""

    def __len__(self) -> int:
        """Return how much is kept, about."""
        return len(self._by_id) + len(self._applied) + len(self._open)

    def recorded(self) -> None:
        """Count what was decided among what is recorded: a read finds it from now on."""
        for customer in self._more_held.keys() & self._open.keys():
            count, amounts, until = self._with_more(self._open[customer], customer)
            self._open[customer] = OpenHolds(count, +amounts, until)
        self._more.clear()
        self._more_held.clear()
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
        """Ask for both before the first answer is waited for."""
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
        recorded = self.recorded_of(customer, instant)
        if customer not in self._more_held:
            return recorded
        return self._with_more(recorded, customer)

    def recorded_of(self, customer: str, instant: int) -> OpenHolds:
        """Return the same of holds that are recorded."""
        if customer not in self._open:
            found = self._open[customer] = super().open_of(customer, instant)
            self.until = min(self.until, found.until)
        return self._open[customer]

    def _with_more(self, recorded: OpenHolds, customer: str) -> OpenHolds:
        count, amounts, until = recorded
        amounts = amounts.copy()
        # Not added, which would leave out what is negative.
        amounts.update(self._more_held[customer])
        return OpenHolds(count + self._more[customer], amounts, until)

    def created(self, hold: Hold) -> None:
        """Count a hold that is decided."""
        self._by_id[hold.hold_id] = hold
        self._change(hold.customer, hold.parts, 1)
        self._more[hold.customer] += 1
        self.until = min(self.until, hold.expires_at)

    def settled(self, hold: Hold, its: Settlement, fact: CreditHoldSettled) -> None:
        """Count a settlement that is decided, given the hold after it."""
        self._by_id[hold.hold_id] = hold
        self._settlements[its.hold_position, its.settlement_id] = its
        self._applied[fact.application.invoice] = True
        self._change(hold.customer, (*fact.drawn, *fact.returned), -1)
        self._more[hold.customer] -= its.is_final

    def _change(self, customer: str, parts: Iterable[HeldPart], times: int) -> None:
        held = self._more_held.setdefault(customer, Counter())
        for part in parts:
            held[part.grant_position] += times * part.amount


class CreditsTogether(CreditQueries):
    """Credits in one database transaction, with what is decided about holds in it."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.holds: HoldsTogether = HoldsTogether(connection)
        self._live: dict[str, list[Grant]] = {}
        # What was decided since, by the position of the grant.
        self._held = Counter[int]()
        self._applied = Counter[int]()

    def __len__(self) -> int:
        """Return how much is kept, about."""
        return len(self.holds) + sum(map(len, self._live.values()))

    def goes_on_until(self) -> int:
        """Return the instant from which on time has changed what was read."""
        return self.holds.until

    def go_on(self, connection: Connection) -> None:
        """Go on in a database transaction that sees what was decided, and no more of it."""
        self.connection = self.holds.connection = connection

    def recorded(self) -> None:
        """Count what was decided among what is recorded."""
        self.holds.recorded()
        for customer, grants in [*self._live.items()]:
            if any(each.pool is not None for each in grants):
                # What the customer has of a pool, others may have changed.
                del self._live[customer]
            else:
                self._live[customer] = self._with_more(grants)
        self._held.clear()
        self._applied.clear()

    def spendable_of(
        self, customer: str, instant: int, held: Mapping[int, int] | None = None
    ) -> list[Grant]:
        """Return the live grants that have credit left for a customer.

        What was decided before is counted, but not of pools, nor by `held`.
        """
        if customer not in self._live:
            recorded = self.holds.recorded_of(customer, instant).amounts
            self._live[customer] = super().spendable_of(customer, instant, recorded)
        return self._with_more(self._live[customer])

    def _with_more(self, grants: list[Grant]) -> list[Grant]:
        if not self._held and not self._applied:
            return grants
        return [
            replace(
                each,
                held=each.held + self._held[each.position],
                applied=each.applied + self._applied[each.position],
            )
            if each.position in self._held or each.position in self._applied
            else each
            for each in grants
        ]

    def created(self, fact: CreditHoldCreated, hold: Hold) -> None:
        """Count a hold that is decided."""
        self.holds.created(hold)
        for part in fact.parts:
            self._held[part.grant_position] += part.amount

    def settled(self, fact: CreditHoldSettled, hold: Hold, its: Settlement) -> None:
        """Count a settlement that is decided, given the hold after it."""
        self.holds.settled(hold, its, fact)
        for part in (*fact.drawn, *fact.returned):
            self._held[part.grant_position] -= part.amount
        for draw in fact.application.draws:
            self._applied[draw.grant_position] += draw.amount
