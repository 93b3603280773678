"""What the events of a traffic add up to: from their numbers, and not from a store."""

from collections.abc import Collection, Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from metering.arguments.clock import microseconds
from metering.cli.demo.traffic import END, EVENT_NAMES, START, Traffic, Usage

_PART_EVENTS = 1_000_000
_HOUR = 3_600_000_000


def without_duplicates(traffic: Traffic) -> Traffic:
    """Keep every event once; numbers, and so all columns, stay the same."""
    return replace(traffic, events=traffic.distinct, duplicate_share=0.0)


def usage_in_parts(traffic: Traffic) -> Iterator[Usage]:
    """Compute the distinct events a million at a time, since all may not fit."""
    for first in range(0, traffic.distinct, _PART_EVENTS):
        last = min(first + _PART_EVENTS, traffic.distinct)
        yield traffic.usage(np.arange(first, last, dtype=np.int64))


def usage_of(traffic: Traffic, customers: Collection[int] | None = None) -> Usage:
    """Compute the distinct events of some customers, by rank; None is all of them."""
    parts = list(usage_in_parts(traffic))
    if customers is not None:
        ranks = np.array(list(customers))
        parts = [_chosen(part, np.isin(part.customer, ranks)) for part in parts]
    names = [field.name for field in fields(Usage)]
    return Usage(
        **{name: np.concatenate([getattr(p, name) for p in parts]) for name in names}
    )


def total(
    usage: Usage,
    event_name: str,
    customer: int,
    start: datetime = START,
    end: datetime = END,
) -> Decimal:
    """Add up what a customer used on a meter; over thirty days if left out."""
    is_within = (usage.timestamp >= microseconds(start)) & (
        usage.timestamp < microseconds(end)
    )
    return _decimal(
        usage.thousandths[_is_of(usage, event_name, customer) & is_within].sum()
    )


def hourly_totals(
    usage: Usage, event_name: str, customer: int
) -> dict[datetime, Decimal]:
    """Add up a customer's usage by UTC hour, newest first, empty hours left out."""
    chosen = _is_of(usage, event_name, customer)
    starts, places = np.unique(usage.timestamp[chosen] // _HOUR, return_inverse=True)
    sums = np.zeros(len(starts), dtype=np.int64)
    np.add.at(sums, places, usage.thousandths[chosen])
    return {
        datetime.fromtimestamp(int(hour) * 3600, tz=UTC): _decimal(total)
        for hour, total in zip(starts[::-1], sums[::-1], strict=True)
    }


def _is_of(usage: Usage, event_name: str, customer: int) -> npt.NDArray[np.bool_]:
    chosen: npt.NDArray[np.bool_] = (usage.meter == EVENT_NAMES.index(event_name)) & (
        usage.customer == customer
    )
    return chosen


def _chosen(usage: Usage, is_chosen: npt.NDArray[np.bool_]) -> Usage:
    arrays = {each.name: getattr(usage, each.name)[is_chosen] for each in fields(usage)}
    return Usage(**arrays)


def _decimal(thousandths: int) -> Decimal:
    return Decimal(int(thousandths)).scaleb(-3)
