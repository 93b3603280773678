"""Facts about credits: what customers prepaid or were given, and what drew it down.

Amounts are whole minor units of a currency, which is written in lower case; times are
microseconds since 1970 UTC.
Source of the words: https://docs.stripe.com/api/billing/credit-grant
"""

import enum

import msgspec


class GrantCategory(enum.Enum):
    """Whether a customer paid for credits."""

    PAID = "paid"
    PROMOTIONAL = "promotional"


class GrantOrigin(msgspec.Struct, frozen=True, array_like=True):
    """The period of a schedule that a grant is of.

    Attributes:
        schedule_id: of the schedule.
        period: from 0, the period that begins at the anchor.
        is_rollover: whether it is what was left of the period before.
    """

    schedule_id: str
    period: int
    is_rollover: bool


class CreditGrantCreated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="fact",
    tag="credit_grant.created",
):
    """A customer was granted credits, or a pool, whose members share them.

    They can be used from `effective_at` on and before `expires_at`, for the `prices`
    listed, or for every metered price where that is None. One with an `origin` counts as
    granted at `effective_at`, whenever it was recorded.

    Attributes:
        customer: empty where they are a pool's.
        pool: id of the pool; None where they are a customer's.
    """

    grant_id: str
    customer: str
    amount: int
    currency: str
    prices: tuple[str, ...] | None
    category: GrantCategory
    name: str | None
    priority: int
    effective_at: int
    expires_at: int | None
    metadata: dict[str, str]
    origin: GrantOrigin | None = None
    pool: str | None = None


class CreditGrantUpdated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credit_grant.updated",
):
    """A grant was given another expiry or other metadata: both as they are now."""

    grant_id: str
    expires_at: int | None
    metadata: dict[str, str]


class CreditGrantExpired(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credit_grant.expired",
):
    """A grant was made to expire at the recording of this fact."""

    grant_id: str


class CreditGrantVoided(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credit_grant.voided",
):
    """A grant of which nothing was used was taken back."""

    grant_id: str


class CreditGrantLapsed(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credit_grant.lapsed",
):
    """A process saw that what was left of a grant had expired.

    It changes nothing: credits expire at their instant, seen or not. It gives what
    happened then a place in the log, of which events tell.
    """

    grant_id: str


# A billing run makes a million of the two below: they are written as arrays, made of
# positional arguments, and left alone by the garbage collector.
class InvoiceLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A line of an invoice, and the price that it bills, where it bills one."""

    id: str
    amount: int
    price: str | None


class Draw(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a line drew from a grant.

    The line is named by its index in its invoice, the grant by the position of the fact
    that created it.
    """

    line: int
    grant_position: int
    amount: int


class CreditsApplied(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credits.applied",
    gc=False,
):
    """An invoice drew credits down, or found none.

    It is not settled another time, unless it gave back first what it had drawn.
    """

    invoice: str
    customer: str
    currency: str
    period_end: int
    lines: tuple[InvoiceLine, ...]
    draws: tuple[Draw, ...]


class CreditsReinstated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credits.reinstated",
):
    """An invoice gave back what it had drawn: it was voided, or is drawn anew.

    In the latter case its next application follows in the same commit.
    """

    invoice: str


GrantFact = CreditGrantUpdated | CreditGrantExpired | CreditGrantVoided
"""What becomes of a grant by what somebody does."""
