"""Credit holds: what may be done to them.

A hold is an entry of the log, decided in the append's own database transaction, so that
two callers never hold the same cent. Whether one is open follows from the log and the
instant: nothing needs to run for it to expire.
"""

from collections.abc import Mapping

from ledger.facts.holds import CreditHoldCreated
from metering.arguments.currencies import check_amount
from metering.arguments.ids import found_by_id
from metering.arguments.metadata import merge_metadata
from metering.arguments.pages import LIMIT, ListObject, listed, page_of
from metering.arguments.refusals import missing
from metering.arguments.schema import checked
from metering.arguments.times import Time, instant
from metering.credits.requests import CreditAmountParams
from metering.holds.deciding import (
    check_open,
    check_same,
    check_settled_so,
    created,
    released,
    settled,
)
from metering.holds.requests import (
    CreditHoldCreate,
    CreditHoldList,
    CreditHoldSettle,
    HoldStatusName,
    OverageName,
)
from metering.holds.resources import CreditHold
from metering.holds.shown import hold_resource
from metering.store.engine import Engine
from projections.credits.queries import CreditQueries
from projections.kernels.credits.holds import Hold, HoldStatus, as_of


class CreditHolds:
    """The holds of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(  # noqa: PLR0913  # the attributes of a hold have names
        self,
        *,
        id: str,  # noqa: A002  # what all resources call it
        customer: str,
        amount: CreditAmountParams,
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
            price: only credits usable for this price; None is those for every metered
                price.
            expires_at: what is left of the hold then goes back. In the future, and at
                most 30 days; None is in 7 days.
            partial: whether to hold what there is, where it is less, perhaps nothing.
            metadata: up to 50 strings of the caller's own.

        Raises:
            InvalidRequestError: an argument is malformed, there is too little, the id
                is that of something else, or the customer has too many open holds.
        """
        asked = checked(
            CreditHoldCreate,
            id=id,
            customer=customer,
            amount=amount,
            price=price,
            expires_at=expires_at,
            partial=partial,
            metadata=metadata,
        )
        money = asked.amount["monetary"]
        check_amount(money["value"], money["currency"], "amount[monetary][value]")
        wanted = CreditHoldCreated(
            hold_id=asked.id,
            customer=asked.customer,
            amount=money["value"],
            currency=money["currency"],
            price=asked.price,
            partial=asked.partial,
            expires_at=0,
            metadata=merge_metadata({}, asked.metadata or None),
            parts=(),
        )
        end = None if expires_at is None else instant(expires_at, "expires_at")

        with self._engine.writing() as writing:
            seen = CreditQueries(writing.connection)
            known = seen.holds.hold(wanted.hold_id)
            if known is None:
                writing.record([created(wanted, end, seen, writing.now)])
            else:
                check_same(known, wanted, end)
        with self._engine.credits() as (seen, _):
            hold = hold_of(seen, wanted.hold_id)
            return self._resource(seen, as_of(hold, (), hold.position), hold.created)

    def settle(
        self,
        hold_id: str,
        *,
        amount: int | None = None,
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
            final: whether the hold ends; if not, the rest stays held.
            overage: ``"refuse"`` more than is held, or ``"draw"`` what is beyond it from
                what is free now. What no credits cover is `amount_uncovered`.
            settlement: id of the settlement, unique in its hold, 1 to 100 characters.
                Needed where it is not final.

        Raises:
            ResourceMissingError: there is no such hold.
            InvalidRequestError: an argument is malformed, more than is held is to be
                settled, the hold has ended, or was settled otherwise.
        """
        asked = checked(
            CreditHoldSettle,
            amount=amount,
            final=final,
            overage=overage,
            settlement=settlement,
        )
        if not asked.final and asked.settlement is None:
            raise missing("settlement")

        with self._engine.writing() as writing:
            seen = CreditQueries(writing.connection)
            hold = hold_of(seen, hold_id)
            known = seen.holds.settlement(hold, asked.settlement or "")
            if known is None:
                writing.record([settled(hold, asked, seen, writing.now)])
            else:
                check_settled_so(hold, known, asked)
        with self._engine.credits() as (seen, _):
            hold = hold_of(seen, hold_id)
            made = seen.holds.settlements_of([hold])[hold.position]
            [its] = [
                each for each in made if each.settlement_id == (asked.settlement or "")
            ]
            then = as_of(hold, made, its.position)
            return self._resource(seen, then, its.recorded_at)

    def release(self, hold_id: str) -> CreditHold:
        """Give a hold up: all that it keeps goes back to its grants.

        What goes back to a grant that is over expires at once. Doing it again answers
        the same, and so does releasing a hold that has expired.

        Raises:
            ResourceMissingError: there is no such hold.
            InvalidRequestError: it is settled.
        """
        with self._engine.writing() as writing:
            seen = CreditQueries(writing.connection)
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
        with self._engine.credits() as (seen, now):
            return self._resource(seen, hold_of(seen, hold_id), now)

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
        with self._engine.credits() as (seen, now):
            page = page_of(asked, lambda each, at: hold_of(seen, each, at).position)
            found = seen.holds.page(asked.customer, status, page, now)
            positions = {part.grant_position for each in found for part in each.parts}
            grant_ids = seen.grant_ids(sorted(positions))
        livemode = self._engine.settings.livemode
        made = [
            hold_resource(each, grant_ids, now, livemode=livemode) for each in found
        ]
        return listed(asked, made, self._page)

    def _resource(self, seen: CreditQueries, hold: Hold, at: int) -> CreditHold:
        positions = [part.grant_position for part in hold.parts]
        return hold_resource(
            hold,
            seen.grant_ids(positions),
            at,
            livemode=self._engine.settings.livemode,
        )


_GIVEN_UP = {HoldStatus.RELEASED, HoldStatus.EXPIRED}


def hold_of(seen: CreditQueries, hold_id: object, param: str = "id") -> Hold:
    """Return a hold by its id, or refuse the parameter that holds it."""
    return found_by_id(seen.holds.hold, hold_id, "credit hold", param)
