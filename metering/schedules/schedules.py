"""Credit schedules: what may be done to them.

The state of a schedule is facts; that a grant falls due follows from it and the time. A
grant is effective, and counts as granted, at the instant at which it fell due, whatever
ran then: what is due is recorded as an ordinary grant before anything reads or decides on
the customer's credits. Why it is recorded and not projected is said in
`metering.store.scheduled_credits`; what lies ahead is projected.

What is left of a period's grant rolls over as the next period is granted, so nothing does
while a schedule is paused, or once it is cancelled.
"""

from collections.abc import Callable, Collection, Mapping

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from ledger.facts.credits.schedules import (
    CreditScheduleCanceled,
    CreditScheduleCreated,
    CreditSchedulePaused,
    CreditScheduleResumed,
    CreditScheduleUpdated,
    ScheduleChange,
)
from ledger.facts.prices import BillingInterval
from metering.arguments.ids import found_by_id
from metering.arguments.pages import LIMIT, ListObject, listed, page_of
from metering.arguments.schema import checked
from metering.arguments.times import Time, instant
from metering.credits.requests import (
    ApplicabilityConfigParams,
    CategoryName,
    CreditAmountParams,
)
from metering.prices.requests import IntervalName
from metering.schedules import refusals
from metering.schedules.requests import (
    CreditScheduleCreate,
    CreditScheduleList,
    CreditScheduleUpdate,
    RolloverParams,
)
from metering.schedules.resources import CreditSchedule
from metering.schedules.shown import schedule_resource
from metering.schedules.terms import check_anchor, terms_changed, terms_of
from metering.store.customer_time import present_of
from metering.store.engine import Engine
from projections.credits.queries import CreditQueries
from projections.credits.schedule_queries import ScheduleQueries
from projections.kernels.credits.schedules import (
    Schedule,
    ScheduleStatus,
    first_period,
)
from projections.kernels.periods import Repetition

SCHEDULES_MAX = 100
"""Of a customer, without those that are cancelled."""


class CreditSchedules:
    """The credit schedules of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(  # noqa: PLR0913  # the attributes of a schedule have names
        self,
        *,
        customer: str,
        amount: CreditAmountParams,
        applicability_config: ApplicabilityConfigParams,
        interval: IntervalName,
        interval_count: int = 1,
        anchor: Time | None = None,
        rollover: RolloverParams | None = None,
        expires_after: int | None = None,
        id: str | None = None,  # noqa: A002  # what all resources call it
        category: CategoryName = "paid",
        priority: int = 50,
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> CreditSchedule:
        """Grant a customer credits again and again, each time at its instant.

        The first grant is that of the first period that begins now or later. Doing it
        again under the same id answers with the schedule as it is now.

        Args:
            customer: any string of 1 to 500 characters.
            amount: of each grant, ``{"type": "monetary", "monetary": {"currency":
                "usd", "value": 1000}}``, in minor units of the currency.
            applicability_config: what each can be used for, as for a grant.
            interval: ``"day"``, ``"week"``, ``"month"`` or ``"year"``.
            interval_count: after how many of them, at most three years.
            anchor: where a period begins, at most five years from now; None is now.
                Where a month lacks its day, a period begins on the last one.
            rollover: what becomes of what is left of a period's grant at the period's
                end, when the grant expires: ``{"type": "none"}`` nothing of it,
                ``{"type": "max_amount", "max_amount": 500}`` up to so much, or
                ``{"type": "percent", "percent": 50}`` so much of it, rounded down, is
                granted anew with the next period's. None leaves it in its grant.
            expires_after: of each grant, also of what rolled over, in so many
                intervals; None is never.
            id: of the schedule, of your own, 1 to 100 characters; None makes one.
            category: whether the customer paid for them.
            priority: 0 to 100; a lower one is used first.
            name: of each grant, 1 to 100 characters, for people.
            metadata: up to 50 strings of the caller's own, of each grant too.

        Raises:
            InvalidRequestError: an argument is malformed, the id is that of another
                schedule, or the customer has too many.
        """
        asked = checked(
            CreditScheduleCreate,
            id=id,
            customer=customer,
            amount=amount,
            applicability_config=applicability_config,
            interval=interval,
            interval_count=interval_count,
            anchor=anchor,
            rollover=rollover,
            expires_after=expires_after,
            category=category,
            priority=priority,
            name=name,
            metadata=metadata,
        )
        terms = terms_of(asked)
        schedule_id = asked.id or self._engine.new_id("credsch")
        start = None if anchor is None else instant(anchor, "anchor")

        with self._engine.writing_of(asked.customer) as writing:
            seen = ScheduleQueries(writing.connection)
            known = seen.schedule(schedule_id)
            wanted = CreditScheduleCreated(
                schedule_id=schedule_id,
                customer=asked.customer,
                interval=BillingInterval(asked.interval),
                interval_count=asked.interval_count,
                anchor=0,
                first_period=0,
                terms=terms,
            )
            if known is None:
                if seen.count_of(asked.customer) >= SCHEDULES_MAX:
                    raise refusals.too_many(asked.customer, SCHEDULES_MAX)
                writing.record([_begun(wanted, start, writing.now)])
            else:
                refusals.check_same(known, wanted, start)
        # What has fallen due is recorded, by the customer's time.
        with self._engine.credits([asked.customer]) as (credit, _):
            schedule = schedule_of(ScheduleQueries(credit.connection), schedule_id)
        return schedule_resource(schedule, livemode=self._livemode)

    def update(  # noqa: PLR0913  # the attributes of a schedule have names
        self,
        schedule_id: str,
        *,
        amount: CreditAmountParams | None = None,
        applicability_config: ApplicabilityConfigParams | None = None,
        rollover: RolloverParams | UnsetType | None = UNSET,
        expires_after: int | UnsetType | None = UNSET,
        category: CategoryName | None = None,
        priority: int | None = None,
        name: str | UnsetType | None = UNSET,
        metadata: Mapping[str, str | None] | UnsetType | None = UNSET,
    ) -> CreditSchedule:
        """Change what a schedule grants, from the next period on.

        What has been granted stays as it is, and so does how much of it rolls over.

        Args:
            schedule_id: of the schedule.
            amount: of each grant, in the schedule's currency.
            applicability_config: what each can be used for.
            rollover: as of `create`; None or ``""`` leaves what is left in its grant.
            expires_after: in so many intervals; None or ``""`` is never.
            category: whether the customer paid for them.
            priority: 0 to 100.
            name: None or ``""`` is none.
            metadata: is merged into the schedule's own: an empty string removes its
                key, and None or ``""`` removes every pair.

        Raises:
            ResourceMissingError: there is no such schedule.
            InvalidRequestError: an argument is malformed, or it is cancelled.
        """
        asked = checked(
            CreditScheduleUpdate,
            amount=amount,
            applicability_config=applicability_config,
            rollover=rollover,
            expires_after=expires_after,
            category=category,
            priority=priority,
            name=name,
            metadata=metadata,
        )

        def changed(schedule: Schedule, now: int) -> ScheduleChange | None:
            del now
            terms = terms_changed(schedule.terms, asked)
            if terms == schedule.terms:
                return None
            refusals.check_not_canceled(schedule)
            return CreditScheduleUpdated(schedule_id=schedule.schedule_id, terms=terms)

        return self._change(schedule_id, changed)

    def pause(self, schedule_id: str) -> CreditSchedule:
        """Grant nothing from now on, until the schedule is resumed.

        Periods go on: those that begin meanwhile are granted nothing, then or later,
        and nothing rolls over into them. Doing it again answers the same.

        Raises:
            ResourceMissingError: there is no such schedule.
            InvalidRequestError: it is cancelled.
        """

        def paused(schedule: Schedule, now: int) -> ScheduleChange | None:
            del now
            refusals.check_not_canceled(schedule)
            if schedule.status is ScheduleStatus.PAUSED:
                return None
            return CreditSchedulePaused(schedule_id=schedule.schedule_id)

        return self._change(schedule_id, paused)

    def resume(self, schedule_id: str) -> CreditSchedule:
        """Grant again, from the period that begins next. Doing it again answers the same.

        Raises:
            ResourceMissingError: there is no such schedule.
            InvalidRequestError: it is cancelled.
        """

        def resumed(schedule: Schedule, now: int) -> ScheduleChange | None:
            refusals.check_not_canceled(schedule)
            if schedule.status is ScheduleStatus.ACTIVE:
                return None
            following = first_period(schedule.repetition, now)
            return CreditScheduleResumed(
                schedule_id=schedule.schedule_id,
                # One that begins at this instant may have been granted already.
                next_period=max(following, schedule.next_period),
            )

        return self._change(schedule_id, resumed)

    def cancel(self, schedule_id: str) -> CreditSchedule:
        """Grant nothing any more. What was granted stays. Again, it answers the same.

        Raises:
            ResourceMissingError: there is no such schedule.
        """

        def canceled(schedule: Schedule, now: int) -> ScheduleChange | None:
            del now
            if schedule.status is ScheduleStatus.CANCELED:
                return None
            return CreditScheduleCanceled(schedule_id=schedule.schedule_id)

        return self._change(schedule_id, canceled)

    def retrieve(self, schedule_id: str) -> CreditSchedule:
        """Return a schedule by its id, as it is now.

        Raises:
            ResourceMissingError: there is no such schedule.
        """
        with self._engine.credits(_customer_of(schedule_id)) as (credit, now):
            schedule = schedule_of(ScheduleQueries(credit.connection), schedule_id)
            present_of(credit.clocked, [schedule.customer], now)
        return schedule_resource(schedule, livemode=self._livemode)

    def list(
        self,
        customer: str | None = None,
        *,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[CreditSchedule]:
        """Return schedules, of one customer or of all, newest first.

        Args:
            customer: whose schedules; None is every customer.
            limit: 1 to 100.
            starting_after: id of the schedule before the first one to list.
            ending_before: id of the schedule behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no schedule.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                CreditScheduleList,
                customer=customer,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def _page(self, asked: CreditScheduleList) -> ListObject[CreditSchedule]:
        whose = None if asked.customer is None else [asked.customer]
        with self._engine.credits(whose) as (credit, _):
            seen = ScheduleQueries(credit.connection)
            page = page_of(asked, lambda each, at: schedule_of(seen, each, at).position)
            found = seen.page(asked.customer, page)
        made = [schedule_resource(each, livemode=self._livemode) for each in found]
        return listed(asked, made, self._page)

    def _change(
        self,
        schedule_id: str,
        changed: Callable[[Schedule, int], ScheduleChange | None],
    ) -> CreditSchedule:
        """Record what changes a schedule, once it has granted what is due."""
        with self._engine.writing_credits(_customer_of(schedule_id)) as (
            writing,
            credit,
        ):
            seen = ScheduleQueries(credit.connection)
            schedule = schedule_of(seen, schedule_id)
            fact = changed(schedule, writing.now)
            writing.record([] if fact is None else [fact])
        return self.retrieve(schedule_id)

    @property
    def _livemode(self) -> bool:
        return self._engine.settings.livemode


def schedule_of(
    seen: ScheduleQueries, schedule_id: object, param: str = "id"
) -> Schedule:
    """Return a schedule by its id, or refuse the parameter that holds it."""
    return found_by_id(seen.schedule, schedule_id, "credit schedule", param)


def _customer_of(schedule_id: object) -> Callable[[CreditQueries], Collection[str]]:
    """Return what tells whose schedule it is."""

    def whose(credit: CreditQueries) -> Collection[str]:
        return [schedule_of(ScheduleQueries(credit.connection), schedule_id).customer]

    return whose


def _begun(
    wanted: CreditScheduleCreated, anchor: int | None, now: int
) -> CreditScheduleCreated:
    """Return the fact of a schedule that begins now; no anchor is now.

    Raises:
        InvalidRequestError: the anchor is too far away.
    """
    start = now if anchor is None else anchor
    check_anchor(start, now)
    every = Repetition(start, wanted.interval, wanted.interval_count)
    return replace(wanted, anchor=start, first_period=first_period(every, now))
