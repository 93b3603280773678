"""Standing of spend limits: what of one is spent in the window of an instant.

What usage costs by the prices of the limit counts, and what holds come to that were made
in the window: while they are open up to what they keep, and whatever becomes of them
what they drew. So what a hold keeps is spent before its work is done, and once.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from metering.store.engine import Engine
from projections.alerts.questions import UsageQuestion, windows_of_time
from projections.kernels.alerts.spend import amounts_of, spend_of, tariffs_of
from projections.kernels.limits import LimitDefinition
from projections.kernels.meters import MeterDefinition
from projections.kernels.usage.decimals import limbs_of_numbers
from projections.kernels.usage.series import Series
from projections.limits.queries import LimitQueries
from projections.windows import END, recorded_span

_Window = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitStanding:
    """What is spent of a limit, in minor units.

    Attributes:
        window_start: microseconds since 1970 UTC; None where the window is all time.
        window_end: exclusive.
        spent: what usage costs, and what holds drew.
        held: what open holds keep.
    """

    limit: LimitDefinition
    window_start: int | None
    window_end: int | None
    spent: int
    held: int

    @property
    def left(self) -> int:
        """What may still be spent."""
        return max(self.limit.amount - self.spent - self.held, 0)


class LimitStandings:
    """Reads the standing of limits as one database transaction sees them.

    Args:
        engine: of the store, that has taken in the events that the transaction sees.
        seen: in the transaction.
    """

    def __init__(self, engine: Engine, seen: LimitQueries) -> None:
        self._engine = engine
        self._seen = seen
        self._view = engine.usage.view()

    def of(self, limit: LimitDefinition, instant: int, now: int) -> LimitStanding:
        """Return what is spent of a limit in the window of an instant.

        Args:
            limit: of a customer.
            instant: microseconds since 1970 UTC.
            now: at which holds are open or not, not past.
        """
        window = window_of(limit, instant)
        spent = self._cost(limit, self._units(limit, window))
        return self._standing(limit, window, now, spent)

    def with_added(
        self, limit: LimitDefinition, instant: int, now: int, meter_id: str, units: int
    ) -> tuple[LimitStanding, int]:
        """Return the same, and what usage comes to that is not recorded.

        Args:
            limit: of a customer.
            instant: at which the usage would happen.
            now: as of `of`.
            meter_id: a meter of the limit, that adds up.
            units: of the usage, of 10**-12.
        """
        window = window_of(limit, instant)
        used = self._units(limit, window)
        spent = self._cost(limit, used)
        used[meter_id] += units
        added = self._cost(limit, used) - spent
        return self._standing(limit, window, now, spent), added

    def _standing(
        self, limit: LimitDefinition, window: _Window, now: int, usage: int
    ) -> LimitStanding:
        """Return a standing, given what usage costs."""
        start, end = window
        holds = self._seen.holds_spend(limit, *_bounds(window), now)
        return LimitStanding(
            limit=limit,
            window_start=start,
            window_end=end,
            spent=usage + holds.drawn,
            held=holds.kept,
        )

    def _units(self, limit: LimitDefinition, window: _Window) -> dict[str, int]:
        """Return what is recorded in a window, by meter, in units of 10**-12."""
        low, high = recorded_span(*_bounds(window))
        units = dict.fromkeys(limit.spend.meter_ids, 0)
        if low < high:
            for meter_id in units:
                series = Series(meter=self._meter(meter_id), customer=limit.customer)
                found = self._engine.summaries.units(self._view, series, low, high)
                units[meter_id] = found
        return units

    def _cost(self, limit: LimitDefinition, units: Mapping[str, int]) -> int:
        """Return what usage costs, given its units by meter."""
        if not units:
            return 0
        used: dict[str, np.ndarray] = {}
        counted: dict[str, bool] = {}
        for meter_id, its in units.items():
            question = UsageQuestion(
                meter=self._meter(meter_id),
                recurrence=limit.recurrence,
                timezone=limit.timezone,
                subscribed=limit.subscribed,
            )
            used[meter_id] = limbs_of_numbers([question.counted(its)])
            counted[meter_id] = question.is_counted
        amounts = [
            amounts_of(tariff, used[price.meter_id], is_counted=counted[price.meter_id])
            for tariff, price in zip(
                tariffs_of(limit.spend), limit.spend.prices, strict=True
            )
        ]
        return int(spend_of(amounts)[0])

    def _meter(self, meter_id: str) -> MeterDefinition:
        # What a limit counts by never changes: a meter that is known will do.
        known = self._engine.known_definitions().by_id.get(meter_id)
        return known or self._engine.definitions().by_id[meter_id]


def window_of(limit: LimitDefinition, instant: int) -> _Window:
    """Return where the window of an instant begins and ends; None where it is all time."""
    at = np.array([instant], np.int64)
    windows = windows_of_time(limit.recurrence, limit.timezone, limit.subscribed, at)
    if windows is None:
        return None, None
    return int(windows.starts_of(at)[0]), int(windows.ends_of(at)[0])


def _bounds(window: _Window) -> tuple[int, int]:
    """Return between which instants a window lies."""
    start, end = window
    return (0, END) if start is None or end is None else (start, end)
