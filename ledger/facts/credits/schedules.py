"""Facts about credit schedules: grants that recur, each at its instant.

What follows from a schedule and the time needs no fact: that a grant falls due. A grant
that fell due is recorded as `CreditGrantCreated` with its origin, by whoever looks first.
Amounts are whole minor units of a currency; times are microseconds since 1970 UTC.
"""

import enum

import msgspec

from ledger.facts.credits.grants import GrantCategory
from ledger.facts.prices import BillingInterval


class RolloverKind(enum.Enum):
    """What becomes of what is left of a period's grant at the period's end."""

    NONE = "none"
    MAX_AMOUNT = "max_amount"
    PERCENT = "percent"


class Rollover(msgspec.Struct, frozen=True, array_like=True):
    """How much of what is left goes on: nothing, up to an amount, or a percentage.

    Attributes:
        value: the amount or the percentage; 0 of nothing.
        step: what goes on is a multiple of it, since smaller amounts cannot be paid.
    """

    kind: RolloverKind
    value: int
    step: int


class ScheduleTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What each grant of a schedule is made with, from the next period on.

    Attributes:
        rollover: None leaves what is left in the period's grant.
        expires_after: of each grant, in intervals of the schedule; None is never.
    """

    amount: int
    currency: str
    prices: tuple[str, ...] | None
    category: GrantCategory
    name: str | None
    priority: int
    rollover: Rollover | None
    expires_after: int | None
    metadata: dict[str, str]


class CreditScheduleCreated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credit_schedule.created",
):
    """A customer is granted credits at the anchor and each interval after it, from now on.

    Periods are numbered from the anchor; `first_period` is the first that is granted.
    """

    schedule_id: str
    customer: str
    interval: BillingInterval
    interval_count: int
    anchor: int
    first_period: int
    terms: ScheduleTerms


class CreditScheduleUpdated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credit_schedule.updated",
):
    """A schedule was changed: its terms as they are from the next period on."""

    schedule_id: str
    terms: ScheduleTerms


class CreditSchedulePaused(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credit_schedule.paused",
):
    """Nothing is granted from now on, until the schedule is resumed."""

    schedule_id: str


class CreditScheduleResumed(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credit_schedule.resumed",
):
    """Credits are granted again, from the period that begins next."""

    schedule_id: str
    next_period: int


class CreditScheduleCanceled(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credit_schedule.canceled",
):
    """Nothing is granted any more."""

    schedule_id: str


ScheduleChange = (
    CreditScheduleUpdated
    | CreditSchedulePaused
    | CreditScheduleResumed
    | CreditScheduleCanceled
)
ScheduleFact = CreditScheduleCreated | ScheduleChange
