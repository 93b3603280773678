"""Usage records: what increments and sets of a quantity come to, second by second.

A record counts at a second. An increment adds to that second's quantity, and a set
replaces what was recorded of it before: of a second counts the last set, by position, as
of a pre-aggregated window, and every increment after it. One that was cancelled is not
among them, so that what it added or replaced is as if it had never come.
Source: the reference's API before 2025-03-31, `SubscriptionItem.create_usage_record`
"""

from ledger.facts.prices import AggregateUsage
from projections.kernels.usage.decimals import numbers_of_words
from projections.kernels.usage.lasts import Lasts

SECOND = 1_000_000


def units_by_second(increments: Lasts, sets: Lasts) -> dict[int, int]:
    """Return the quantity of each second since 1970 that has records.

    Args:
        increments: those that count, in any order, each an event.
        sets: the same of sets.

    Returns:
        Units of 10**-12.
    """
    replaced: dict[int, tuple[int, int]] = {}
    for second, position, units in _records(sets):
        replaced[second] = max((position, units), replaced.get(second, (0, 0)))
    found = {second: units for second, (_, units) in replaced.items()}
    for second, position, units in _records(increments):
        if position > replaced.get(second, (0, 0))[0]:
            found[second] = found.get(second, 0) + units
    return found


def aggregated(units: dict[int, int], aggregate: AggregateUsage) -> int:
    """Return what the quantities of seconds come to; 0 where there are none."""
    if not units:
        return 0
    match aggregate:
        case AggregateUsage.SUM:
            return sum(units.values())
        case AggregateUsage.MAX:
            return max(units.values())
        case AggregateUsage.LAST_DURING_PERIOD | AggregateUsage.LAST_EVER:
            return units[max(units)]


def _records(events: Lasts) -> list[tuple[int, int, int]]:
    """Return the second, the position and the units of each event."""
    return [
        *zip(
            (events.timestamp // SECOND).tolist(),
            events.position.tolist(),
            numbers_of_words(events.words),
            strict=True,
        )
    ]
