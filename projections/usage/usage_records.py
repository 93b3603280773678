"""Usage records of one subscription item: their aggregate in a period.

They are events of two meters, increments and sets, whose customer is the item. Where
nothing was set, a sum is that of hourly usage; whatever else is read from the events.
"""

from typing import NamedTuple

from ledger.facts.prices import AggregateUsage
from projections.kernels.usage.records import aggregated, units_by_second
from projections.kernels.usage.series import Series
from projections.usage.summaries import Summaries
from projections.usage.view import UsageView


class ItemRecords(NamedTuple):
    """The usage records of one subscription item."""

    increments: Series
    sets: Series


def recorded_units(
    summaries: Summaries,
    view: UsageView,
    records: ItemRecords,
    aggregate: AggregateUsage,
    period: tuple[int, int],
) -> int:
    """Return what usage records come to in a period, in units of 10**-12.

    Args:
        summaries: read usage.
        view: of usage.
        records: whose.
        aggregate: how. The last one ever is that of earlier periods where this one has
            none.
        period: ``[start, end)``, microseconds since 1970 UTC.
    """
    start, end = period
    if start >= end:
        return 0
    sets = summaries.every_event(view, records.sets, start, end)
    if not len(sets) and aggregate is AggregateUsage.SUM:
        return summaries.units(view, records.increments, start, end)
    increments = summaries.every_event(view, records.increments, start, end)
    units = units_by_second(increments, sets)
    if units or aggregate is not AggregateUsage.LAST_EVER:
        return aggregated(units, aggregate)
    return recorded_units(
        summaries, view, records, AggregateUsage.LAST_DURING_PERIOD, (0, start)
    )
