"""Corrections as callers get them back."""

from datetime import datetime
from typing import Literal

from metering.bodies import ResourceObject


class Correction(ResourceObject, frozen=True, kw_only=True):
    """Events that were cancelled or replaced together.

    Attributes:
        author: who decided it.
        cancelled: how many events it took out, those that it replaced among them.
        last_position: of the last entry that it recorded.
        position: of the fact, the first entry that it recorded.
        reason: why.
        replaced: how many events it replaced.
        reverted_at: when it was reverted; None while it stands.
        reverted_by: who decided that.
        reverted_reason: why.
    """

    id: str
    object: Literal["metering.correction"] = "metering.correction"
    author: str
    cancelled: int
    created: datetime
    last_position: int
    livemode: bool
    position: int
    reason: str
    replaced: int
    reverted_at: datetime | None
    reverted_by: str | None
    reverted_reason: str | None
    status: Literal["applied", "reverted"]
