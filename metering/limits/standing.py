"""Standing of spend limits: what of one is spent in the window of an instant.

What usage costs by the prices of the limit counts, and what holds come to that were made
in the window: while they are open up to what they keep, and whatever becomes of them
what they drew. So what a hold keeps is spent before its work is done, and once.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ledger.facts.meters import Formula
from metering.store.engine import Engine
from projections.alerts.questions import UsageQuestion, windows_of_time
from projections.kernels.alerts.spend import amounts_of, spend_of, tariffs_of
from projections.kernels.limits import LimitDefinition
from projections.kernels.meters import MeterDefinition
from projections.kernels.usage.decimals import limbs_of_numbers
from projections.kernels.usage.series import Series
from projections.limits.queries import LimitQueries
from projections.usage.view import UsageView
from projections.windows import END, recorded_span


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
        engine: of the store.
        seen: in the transaction.
        view: of usage, as far as the transaction sees events.
    """

    def __init__(
        self,
        engine: Engine,
        seen: LimitQueries,
        view: UsageView,
    ) -> None:
        self._engine = engine
        self._seen = seen
        self._view = view

    def of(
        self,
        limit: LimitDefinition,
        instant: int,
        now: int,
        more: Mapping[str, int] | None = None,
    ) -> LimitStanding:
        """Return what is spent of a limit in the window of an instant.

        Args:
            limit: of a customer.
            instant: microseconds since 1970 UTC.
            now: at which holds are open or not, not past.
            more: usage as if it were recorded at the instant too, in units of 10**-12,
                by meter.
        """
        start, end = window_of(limit, instant)
        bounds = (0, END) if start is None or end is None else (start, end)
        spent = self._usage(limit, *bounds, more) if limit.spend.prices else 0
        holds = self._seen.holds_spend(limit, *bounds, now)
        return LimitStanding(
            limit=limit,
            window_start=start,
            window_end=end,
            spent=spent + holds.drawn,
            held=holds.kept,
        )

    def _usage(
        self,
        limit: LimitDefinition,
        start: int,
        end: int,
        more: Mapping[str, int] | None,
    ) -> int:
        """Return what usage costs in ``[start, end)``."""
        low, high = recorded_span(start, end)
        used: dict[str, np.ndarray] = {}
        counted: dict[str, bool] = {}
        for meter_id in limit.spend.meter_ids:
            meter = self._meter(meter_id)
            series = Series(meter=meter, customer=limit.customer)
            units = 0
            if low < high:
                units = self._engine.summaries.units(self._view, series, low, high)
            if more and meter_id in more:
                is_last = meter.formula is Formula.LAST
                units = more[meter_id] if is_last else units + more[meter_id]
            question = UsageQuestion(
                meter=meter,
                recurrence=limit.recurrence,
                timezone=limit.timezone,
                subscribed=limit.subscribed,
            )
            used[meter_id] = limbs_of_numbers([question.counted(units)])
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


def window_of(limit: LimitDefinition, instant: int) -> tuple[int | None, int | None]:
    """Return where the window of an instant begins and ends; None where it is all time."""
    at = np.array([instant], np.int64)
    windows = windows_of_time(limit.recurrence, limit.timezone, limit.subscribed, at)
    if windows is None:
        return None, None
    return int(windows.starts_of(at)[0]), int(windows.ends_of(at)[0])
