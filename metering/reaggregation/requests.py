"""The request of re-aggregation; see `Metering.reaggregate`."""

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from metering.arguments.strings import Name
from metering.arguments.times import Time
from metering.arguments.words import FormulaName, WindowName

FILTERS_MAX = 100

_FilterValue = Annotated[str, Meta(max_length=5_000)]

Filters = Mapping[Name, _FilterValue | Collection[_FilterValue]]
"""Payload keys, each with the string or strings that an event must have there."""


class Reaggregate(msgspec.Struct, frozen=True, kw_only=True):
    """What is recomputed."""

    as_of: Time | None = None
    end_time: Time | None = None
    filters: Annotated[Filters, Meta(max_length=FILTERS_MAX)] | None = None
    formula: FormulaName | None = None
    group_by: str | Iterable[str] | None = None
    meters: str | Iterable[str] | None = None
    start_time: Time | None = None
    timezone: Name | None = None
    value_key: Name | None = None
    window: WindowName | None = None
