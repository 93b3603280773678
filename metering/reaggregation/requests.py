"""The requests about all customers; see `Metering.reaggregate` and `Metering.usage`."""

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, UnsetType

from metering.arguments.strings import Name
from metering.arguments.times import Time
from metering.arguments.words import FormulaName, UsageWindowName, WindowName

FILTERS_MAX = 100

_FilterValue = Annotated[str, Meta(max_length=5_000)]

Filters = Mapping[Name, _FilterValue | Collection[_FilterValue]]
"""Payload keys, or customer or meter, each with the strings of which one must be there."""


class Reaggregate(msgspec.Struct, frozen=True, kw_only=True):
    """What is recomputed.

    Attributes:
        as_of: as known at this position of the log, or at this time.
        customers: one or several; all if left out.
        end_time: exclusive; after the last event if left out.
        filters: payload keys, or customer or meter, each with the value or values that
            an event must have there.
        formula: another formula than the meters have.
        group_by: payload key or keys to split usage by.
        meters: id or event name, of one or several; all if left out.
        skip_too_large: leave the value out where a sum has more digits than can be
            stored; an error otherwise.
        start_time: inclusive; the first event if left out.
        timezone: IANA name of the windows' zone.
        value_key: another payload key for the value than the meters have.
        window: length of the windows.
    """

    as_of: Time | None = None
    customers: str | Iterable[str] | None = None
    end_time: Time | None = None
    filters: Annotated[Filters, Meta(max_length=FILTERS_MAX)] | None = None
    formula: FormulaName | None = None
    group_by: str | Iterable[str] | None = None
    meters: str | Iterable[str] | None = None
    skip_too_large: bool = False
    start_time: Time | None = None
    timezone: Name | None = "UTC"
    value_key: Name | None = None
    window: WindowName | UnsetType | None = "day"


class SumUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What is summed up.

    Attributes:
        customers: one or several; all if left out.
        end_time: exclusive; after the last event if left out.
        meters: id or event name, of one or several; all if left out.
        start_time: inclusive; the first event if left out.
        timezone: IANA name of the windows' zone.
        window: length of the windows.
    """

    customers: str | Iterable[str] | None = None
    end_time: Time | None = None
    meters: str | Iterable[str] | None = None
    start_time: Time | None = None
    timezone: Name | None = "UTC"
    window: UsageWindowName | UnsetType | None = "day"
