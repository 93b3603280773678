"""Requests about corrections."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal, Required, TypedDict

import msgspec
from msgspec import Meta

from metering.arguments.pages import PageRequest
from metering.arguments.strings import CustomerId, Name
from metering.arguments.times import Time
from metering.arguments.words import UsageWindowName
from metering.arguments.zones import ZoneName
from metering.usage.requests import LogPosition, PayloadParams

ChangeTypeName = Literal["cancel", "replace"]
"""What becomes of events."""

CorrectionReason = Annotated[str, Meta(min_length=1, max_length=500)]
CorrectionAuthor = Annotated[str, Meta(min_length=1, max_length=255)]
NewValue = Annotated[Decimal, Meta(ge=-(10**18), le=10**18)]


class ReplaceParams(TypedDict, total=False):
    """What is different in the events that take the place of others.

    Attributes:
        customer: whose they are.
        event_name: of the meter that measures them.
        payload: keys to set, also that of a meter that counts distinct strings; others
            stay.
        timestamp: when they happened.
        value: of a meter that adds values up or compares them.
    """

    customer: CustomerId
    event_name: Name
    payload: PayloadParams
    timestamp: Time
    value: NewValue


class ChangeParams(TypedDict, total=False):
    """Which events are cancelled or replaced; all conditions that are given must hold.

    Attributes:
        type: cancel or replace.
        event_name: of this name.
        identifiers: exactly these, each of which must count; needs the event name, and
            takes no other condition.
        customer: of this customer.
        start_time: at this time or later.
        end_time: before this time.
        first_position: at this position of the log or later.
        last_position: at this position or earlier.
        payload: with these strings in their payload, beside customer and value.
        replace: what is different in their replacements.
    """

    type: Required[ChangeTypeName]
    event_name: Name
    identifiers: Annotated[Sequence[Name], Meta(min_length=1)]
    customer: CustomerId
    start_time: Time
    end_time: Time
    first_position: LogPosition
    last_position: LogPosition
    payload: PayloadParams
    replace: ReplaceParams


Changes = Annotated[Sequence[ChangeParams], Meta(min_length=1)]


class CorrectionPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What would be changed.

    Attributes:
        changes: which events are cancelled or replaced; each event once.
        window: of usage, hour, day, week or month.
        timezone: IANA name of the zone whose clocks the windows follow.
    """

    changes: Changes
    window: UsageWindowName = "day"
    timezone: ZoneName = "UTC"


class CorrectionApply(msgspec.Struct, frozen=True, kw_only=True):
    """What is changed, why, and by whom.

    Attributes:
        changes: which events are cancelled or replaced; each event once.
        reason: why, for whoever asks later.
        author: who decided it.
    """

    changes: Changes
    reason: CorrectionReason
    author: CorrectionAuthor


class CorrectionRevert(msgspec.Struct, frozen=True, kw_only=True):
    """Why a correction is reverted, and by whom.

    Attributes:
        reason: why.
        author: who decided it.
    """

    reason: CorrectionReason | None = None
    author: CorrectionAuthor | None = None


class CorrectionList(PageRequest, frozen=True, kw_only=True):
    """Which corrections are listed."""
