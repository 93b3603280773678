"""Requests about events and webhook endpoints, and the objects passed in them.

Source: https://docs.stripe.com/api/webhook_endpoints/create and its neighbours.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from metering.arguments.metadata import Metadata
from metering.arguments.pages import PageRequest
from metering.arguments.times import CreatedBounds, Time

LONGEST_DESCRIPTION = 5_000
TYPES_MAX = 20

Description = Annotated[str, Meta(min_length=1, max_length=LONGEST_DESCRIPTION)]
EnabledEvents = Annotated[Sequence[str], Meta(min_length=1)]


class WebhookEndpointCreate(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint is created with."""

    url: str
    enabled_events: EnabledEvents
    description: Description | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    signature: Literal["stripe", "standard"] = "stripe"


class WebhookEndpointUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What of an endpoint can be changed."""

    url: str | UnsetType = UNSET
    enabled_events: EnabledEvents | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    disabled: bool | UnsetType = UNSET


class EventList(PageRequest, frozen=True, kw_only=True):
    """Which events are listed."""

    created: Time | CreatedBounds | None = None
    delivery_success: bool | None = None
    type: str | None = None
    types: Annotated[Sequence[str], Meta(min_length=1, max_length=TYPES_MAX)] | None = (
        None
    )
