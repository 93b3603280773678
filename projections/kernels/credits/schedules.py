"""Credit schedules: which grants fall due, and what each is made of.

A period begins at the anchor and at each interval after it, month ends as those of
subscriptions. At its beginning the customer is granted the amount, and with it what rolls
over of the grant of the period before. Nothing need run then: whoever looks first records
both as they were at that instant. That is sound as long as nothing else is decided about
the customer's credits before; see `metering.store.scheduled_credits`.

Instants are microseconds since 1970 UTC, amounts are minor units.
"""

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ledger.facts.credits.grants import CreditGrantCreated, GrantOrigin
from ledger.facts.credits.schedules import (
    CreditScheduleCanceled,
    CreditScheduleCreated,
    CreditSchedulePaused,
    CreditScheduleResumed,
    CreditScheduleUpdated,
    Rollover,
    RolloverKind,
    ScheduleChange,
    ScheduleTerms,
)
from ledger.facts.prices import BillingInterval
from projections.kernels.credits.grants import Grant, granted
from projections.kernels.periods import Repetition

HeldOf = Callable[[Grant, int], int]
"""Returns what holds keep of a grant that ends at an instant."""


class ScheduleStatus(enum.Enum):
    """What a schedule is at a position of the log."""

    ACTIVE = "active"
    PAUSED = "paused"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A credit schedule as it is at some position of the log.

    Attributes:
        position: of the fact that created it.
        made_with: the terms that it was created with.
        terms: of the next period and those after it.
        next_period: the number of the next period to grant.
        granted_with: the terms of the last period that was granted.
        granted_position: of the grant of that period; None where none was made.
    """

    position: int
    schedule_id: str
    customer: str
    interval: BillingInterval
    interval_count: int
    anchor: int
    made_with: ScheduleTerms
    terms: ScheduleTerms
    next_period: int
    granted_period: int | None
    granted_with: ScheduleTerms | None
    granted_position: int | None
    created: int
    updated: int
    paused_at: int | None = None
    canceled_at: int | None = None

    @property
    def status(self) -> ScheduleStatus:
        """Whether it grants."""
        if self.canceled_at is not None:
            return ScheduleStatus.CANCELED
        is_paused = self.paused_at is not None
        return ScheduleStatus.PAUSED if is_paused else ScheduleStatus.ACTIVE

    @property
    def due_at(self) -> int | None:
        """When it grants next; None is not at all, as it is now."""
        if self.status is not ScheduleStatus.ACTIVE:
            return None
        return self.start_of(self.next_period)

    @property
    def repetition(self) -> Repetition:
        """Where its periods begin."""
        return Repetition(self.anchor, self.interval, self.interval_count)

    def start_of(self, period: int) -> int:
        """Return when a period begins."""
        return self.repetition.at(period)

    def expiry_of(self, period: int, terms: ScheduleTerms) -> int | None:
        """Return when what is granted at the beginning of a period expires."""
        if terms.expires_after is None:
            return None
        # Counted from the anchor, so that the end of a month stays one.
        intervals = Repetition(self.anchor, self.interval, 1)
        return intervals.at(period * self.interval_count + terms.expires_after)


def first_period(repetition: Repetition, instant: int) -> int:
    """Return the number of the first period that begins at an instant or after it."""
    number = repetition.number_of(instant)
    if number >= 0 and repetition.at(number) == instant:
        return number
    return number + 1


def schedule_created(
    fact: CreditScheduleCreated, position: int, recorded_at: int
) -> Schedule:
    """Return the schedule that a fact created."""
    return Schedule(
        position=position,
        schedule_id=fact.schedule_id,
        customer=fact.customer,
        interval=fact.interval,
        interval_count=fact.interval_count,
        anchor=fact.anchor,
        made_with=fact.terms,
        terms=fact.terms,
        next_period=fact.first_period,
        granted_period=None,
        granted_with=None,
        granted_position=None,
        created=recorded_at,
        updated=recorded_at,
    )


def schedule_changed(
    schedule: Schedule, fact: ScheduleChange, recorded_at: int
) -> Schedule:
    """Return a schedule after a fact about it."""
    changes: dict[str, Any]
    match fact:
        case CreditScheduleUpdated():
            changes = {"terms": fact.terms}
        case CreditSchedulePaused():
            changes = {"paused_at": recorded_at}
        case CreditScheduleResumed():
            changes = {"paused_at": None, "next_period": fact.next_period}
        case CreditScheduleCanceled():
            changes = {"canceled_at": recorded_at}
    return replace(schedule, updated=recorded_at, **changes)


def schedule_granted(schedule: Schedule, period: int, position: int) -> Schedule:
    """Return a schedule after the grant of a period was recorded at a position."""
    return replace(
        schedule,
        next_period=period + 1,
        granted_period=period,
        granted_with=schedule.terms,
        granted_position=position,
    )


def due_grants(
    schedule: Schedule, last: Grant | None, held: HeldOf, up_to: int
) -> Iterator[tuple[CreditGrantCreated, ...]]:
    """Yield what a schedule grants up to an instant, a period at a time, in order.

    Args:
        schedule: at the head of the log.
        last: the grant of the last period that was granted, at the head of the log.
        held: what holds keep of it where it ends.
        up_to: inclusive; that nothing but time goes on is assumed.
    """
    while schedule.due_at is not None and schedule.due_at <= up_to:
        period = schedule.next_period
        made = _grant_of(schedule, period)
        rolled = _rolled_over(schedule, last, held)
        yield made if rolled is None else rolled, *(() if rolled is None else (made,))
        # Nothing has drawn from a grant that nobody has seen.
        last, held = granted(made, 0, made.effective_at), _nothing_held
        schedule = schedule_granted(schedule, period, 0)


def _nothing_held(grant: Grant, instant: int) -> int:
    del grant, instant
    return 0


def _grant_of(schedule: Schedule, period: int) -> CreditGrantCreated:
    """Return the grant of a period."""
    terms = schedule.terms
    ends = [schedule.expiry_of(period, terms)]
    if terms.rollover is not None:
        ends.append(schedule.start_of(period + 1))
    return _made(
        schedule,
        terms,
        GrantOrigin(schedule.schedule_id, period, is_rollover=False),
        amount=terms.amount,
        expires_at=min((each for each in ends if each is not None), default=None),
    )


def _rolled_over(
    schedule: Schedule, last: Grant | None, held: HeldOf
) -> CreditGrantCreated | None:
    """Return the grant of what is left of the period before; None of nothing."""
    period, terms = schedule.next_period, schedule.granted_with
    if last is None or terms is None or terms.rollover is None:
        return None
    start = schedule.start_of(period)
    is_neighbour = schedule.granted_period == period - 1
    # One that somebody ended, or keeps for longer, is left as it is.
    ends_by_time = last.voided_at is None and last.expired_position is None
    if not (is_neighbour and ends_by_time and last.expires_at == start):
        return None
    amount = _share(terms.rollover, last.remaining - held(last, start))
    if amount <= 0:
        return None
    return _made(
        schedule,
        terms,
        GrantOrigin(schedule.schedule_id, period, is_rollover=True),
        amount=amount,
        expires_at=schedule.expiry_of(period, terms),
    )


def _share(rollover: Rollover, left: int) -> int:
    """Return how much of what is left rolls over, rounded down to what can be paid."""
    share = _unrounded(rollover, left)
    return share - share % rollover.step


def _unrounded(rollover: Rollover, left: int) -> int:
    match rollover.kind:
        case RolloverKind.NONE:
            return 0
        case RolloverKind.MAX_AMOUNT:
            return min(left, rollover.value)
        case RolloverKind.PERCENT:
            return left * rollover.value // 100


def _made(
    schedule: Schedule,
    terms: ScheduleTerms,
    origin: GrantOrigin,
    *,
    amount: int,
    expires_at: int | None,
) -> CreditGrantCreated:
    ending = "_rollover" if origin.is_rollover else ""
    return CreditGrantCreated(
        # No two processes make it under two ids, and no other grant has such a one.
        grant_id=f"credgr_{schedule.schedule_id}_{origin.period}{ending}",
        customer=schedule.customer,
        amount=amount,
        currency=terms.currency,
        prices=terms.prices,
        category=terms.category,
        name=terms.name,
        priority=terms.priority,
        effective_at=schedule.start_of(origin.period),
        expires_at=expires_at,
        metadata=terms.metadata,
        origin=origin,
    )
