"""Credit holds: what may be done to them.

A hold is an entry of the log, decided in the append's own database transaction, so that
two callers never hold the same cent. Whether one is open follows from the log and the
instant: nothing needs to run for it to expire.
"""

from collections.abc import Mapping
from decimal import Decimal

from metering.arguments.ids import found_by_id
from metering.arguments.pages import LIMIT, ListObject, listed, page_of
from metering.arguments.refusals import exclusive, missing
from metering.arguments.schema import checked
from metering.arguments.times import Time, instant
from metering.credits.requests import CreditAmountParams
from metering.holds.deciding import check_open, released
from metering.holds.grouping import (
    HoldOutcome,
    HoldsGroup,
    HoldToCreate,
    HoldToSettle,
)
from metering.holds.rating import HoldRating, check_amount_or_usage, wanted_hold
from metering.holds.requests import (
    CreditHoldCreate,
    CreditHoldList,
    CreditHoldSettle,
    HoldStatusName,
    OverageName,
)
from metering.holds.resources import CreditHold
from metering.holds.settling import SettlementsReceipt, settle_holds
from metering.holds.shown import hold_resource
from metering.spending.burn_down import BurnDown
from metering.store.customer_time import present_of
from metering.store.engine import Engine
from projections.credits.queries import CreditQueries
from projections.kernels.credits.holds import (
    Hold,
    HoldStatus,
)


class CreditHolds:
    """The holds of a store."""

    def __init__(self, engine: Engine, burn_down: BurnDown) -> None:
        self._engine = engine
        self._group = HoldsGroup(engine, HoldRating(engine, burn_down))

    def create(  # noqa: PLR0913  # the attributes of a hold have names
        self,
        *,
        id: str,  # noqa: A002  # what all resources call it
        customer: str,
        amount: CreditAmountParams | None = None,
        meter: str | None = None,
        quantity: Decimal | str | int | None = None,
        price: str | None = None,
        expires_at: Time | None = None,
        partial: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> CreditHold:
        """Reserve credits of a customer for work whose price is not known yet.

        They are taken from the grants that can be used now, in the order in which an
        invoice would draw them, and no invoice and no other hold can draw them until
        the hold ends. Doing it again under the same id answers as the first time,
        whatever became of the hold since.

        Args:
            id: of the hold, of your own, 1 to 100 characters; used once. It is settled
                under it, as an invoice is.
            customer: whose credits.
            amount: ``{"type": "monetary", "monetary": {"currency": "usd", "value":
                800}}``, in minor units of the currency.
            meter: id or event name of the meter of usage that is given in place of an
                amount. It is rated as `SpendingCalls.check` rates it, takes only what
                unbilled usage leaves, and counts for spend limits by what it keeps.
            quantity: of that usage, above 0.
            price: only credits usable for this price; None is those for every metered
                price. Of usage, the price that rates it where no subscription does.
            expires_at: what is left of the hold then goes back. In the future, and at
                most 30 days; None is in 7 days.
            partial: whether to hold what there is, where it is less, perhaps nothing.
            metadata: up to 50 strings of the caller's own.

        Raises:
            InvalidRequestError: an argument is malformed, there is too little, it would
                pass a spend limit, the id is that of something else, or the customer has
                too many open holds.
        """
        asked = checked(
            CreditHoldCreate,
            id=id,
            customer=customer,
            amount=amount,
            meter=meter,
            quantity=quantity,
            price=price,
            expires_at=expires_at,
            partial=partial,
            metadata=metadata,
        )
        check_amount_or_usage(asked)
        wanted = wanted_hold(asked)
        end = None if expires_at is None else instant(expires_at, "expires_at")

        return self._answer(self._group.submit(HoldToCreate(asked, wanted, end)))

    def settle(
        self,
        hold_id: str,
        *,
        amount: int | None = None,
        quantity: Decimal | str | int | None = None,
        final: bool = True,
        overage: OverageName = "refuse",
        settlement: str | None = None,
    ) -> CreditHold:
        """Draw what a hold keeps, as an invoice would; the rest goes back.

        It draws from the first grant that the hold took from on, so that the rest is
        what was taken last. It counts as an invoice under the hold's id, or under
        ``hold/settlement`` where it has one: `CreditApplications.reinstate` gives it
        back, and the hold stays settled. Doing it again answers as the first time.

        Args:
            hold_id: of the hold.
            amount: in minor units of the hold's currency; 0 draws nothing. None is all
                that is held.
            quantity: of usage, in place of the amount, of a hold that was given in
                usage; it is rated as it was.
            final: whether the hold ends; if not, the rest stays held.
            overage: ``"refuse"`` more than is held, or ``"draw"`` what is beyond it from
                what is free now. What no credits cover is `amount_uncovered`.
            settlement: id of the settlement, unique in its hold, 1 to 100 characters.
                Needed where it is not final.

        Raises:
            ResourceMissingError: there is no such hold.
            InvalidRequestError: an argument is malformed, more than is held is to be
                settled, or more than a spend limit allows, the hold has ended, or was
                settled otherwise.
        """
        asked = checked(
            CreditHoldSettle,
            amount=amount,
            quantity=quantity,
            final=final,
            overage=overage,
            settlement=settlement,
        )
        if not asked.final and asked.settlement is None:
            raise missing("settlement")
        if asked.amount is not None and asked.quantity is not None:
            raise exclusive("amount", "amount", "quantity")

        return self._answer(self._group.submit(HoldToSettle(hold_id, asked)))

    def settle_many(self, source: object) -> SettlementsReceipt:
        """Settle many holds, a row a settlement, as if settled one by one in order.

        They are committed some hundred at a time. A row that breaks a rule does not fail
        the others; what was settled before is counted and draws nothing, so that a call
        that broke off can be repeated whole.

        Args:
            source: an Arrow table or any Arrow stream, or a list of dicts, with the
                columns hold, amount (null, or left out, is all that is held),
                settlement and final (null, or left out, is true); as for `settle`.

        Raises:
            SourceError: the source cannot be read, or lacks the column hold.
        """
        return settle_holds(self._engine, source)

    def release(self, hold_id: str) -> CreditHold:
        """Give a hold up: all that it keeps goes back to its grants.

        What goes back to a grant that is over expires at once. Doing it again answers
        the same, and so does releasing a hold that has expired.

        Raises:
            ResourceMissingError: there is no such hold.
            InvalidRequestError: it is settled.
        """

        def whose(seen: CreditQueries) -> list[str]:
            return [hold_of(seen, hold_id).customer]

        with self._engine.writing_credits(whose) as (writing, seen):
            hold = hold_of(seen, hold_id)
            if hold.status(writing.now) not in _GIVEN_UP:
                check_open(hold, writing.now)
                writing.record([released(hold)])
        return self.retrieve(hold_id)

    def retrieve(self, hold_id: str) -> CreditHold:
        """Return a hold by its id, as it is now.

        Raises:
            ResourceMissingError: there is no such hold.
        """
        with self._engine.credits(customers=()) as (seen, now):
            hold = hold_of(seen, hold_id)
            at = present_of(seen.clocked, [hold.customer], now)
            return self._resource(seen, hold, at)

    def list(
        self,
        customer: str | None = None,
        *,
        status: HoldStatusName | None = None,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[CreditHold]:
        """Return holds, of one customer or of all, newest first.

        Args:
            customer: whose holds; None is every customer.
            status: open, settled, released or expired; None is all.
            limit: 1 to 100.
            starting_after: id of the hold before the first one to list.
            ending_before: id of the hold behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no hold.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                CreditHoldList,
                customer=customer,
                status=status,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def _page(self, asked: CreditHoldList) -> ListObject[CreditHold]:
        status = None if asked.status is None else HoldStatus(asked.status)
        with self._engine.credits(customers=()) as (seen, now):
            page = page_of(asked, lambda each, at: hold_of(seen, each, at).position)
            whose = [] if asked.customer is None else [asked.customer]
            at = present_of(seen.clocked, whose, now)
            found = seen.holds.page(asked.customer, status, page, at)
            positions = {part.grant_position for each in found for part in each.parts}
            grant_ids = seen.grant_ids(sorted(positions))
        made = [
            hold_resource(
                each,
                grant_ids,
                present_of(seen.clocked, [each.customer], now),
                livemode=self._livemode,
            )
            for each in found
        ]
        return listed(asked, made, self._page)

    def _answer(self, outcome: HoldOutcome) -> CreditHold:
        hold, instant, _ = outcome.decided
        ids = outcome.grant_ids
        return hold_resource(hold, ids, instant, livemode=self._livemode)

    def _resource(self, seen: CreditQueries, hold: Hold, at: int) -> CreditHold:
        grant_ids = seen.grant_ids([part.grant_position for part in hold.parts])
        return hold_resource(hold, grant_ids, at, livemode=self._livemode)

    @property
    def _livemode(self) -> bool:
        return self._engine.settings.livemode


_GIVEN_UP = {HoldStatus.RELEASED, HoldStatus.EXPIRED}


def hold_of(seen: CreditQueries, hold_id: object, param: str = "id") -> Hold:
    """Return a hold by its id, or refuse the parameter that holds it."""
    return found_by_id(seen.holds.hold, hold_id, "credit hold", param)
