"""Usage runs: hourly usage of a stretch of the sealed log, in a mapped file.

| Column | Type | Holds |
|---|---|---|
| `name`, `customer` | string | words in byte order; their index is the code in keys |
| `total_key` | uint64 | ascending; see `projections.kernels.usage.keys` |
| `total_count` | int32 | events of each total |
| `total_sum` | int64 | sums word by word, the lowest words of all sums first |
| `last_key` | uint64 | ascending |
| `last_count` | int32 | events of each last |
| `last_timestamp`, `last_position` | int64 | of the last events |
| `last_value` | int64 | values of the last events, word by word |
| `cancelled_event` | int64 | positions of cancelled events, ascending |
| `cancellation` | int64 | positions of their cancellations |
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from ledger.runs.files import MappedRun, RunColumns
from projections.kernels.usage.dictionaries import code_of, codes_of_many, merged_words
from projections.kernels.usage.keys import (
    HOURS,
    WINDOWED,
    recode,
    rows_of_many,
    series_key,
)
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.series import Series
from projections.kernels.usage.totals import Totals
from projections.usage.cancellations import Cancellations
from projections.usage.cells import UsageCells
from projections.usage.layers import CellsT
from projections.usage.stored_cells import STORED_LASTS, STORED_TOTALS, StoredCells

FOLD_VERSION = 1

# Few enough that they stay in the processor's caches.
_CELLS_MERGED_AT_A_TIME = 1 << 18


class UsageRun:
    """Hourly usage of one stretch of the log, read where it is mapped.

    Attributes:
        names: event names, in byte order; the index is the code of the meter.
        customers: in byte order; the index is the code of the customer.
        totals: of all series.
        lasts: of all series.
        cancellations: recorded in the stretch.
        file: in which all of it is mapped.
    """

    def __init__(self, file: MappedRun) -> None:
        self.file = file
        self.names = file.array("name")
        self.customers = file.array("customer")
        self.totals = STORED_TOTALS.mapped(file)
        self.lasts = STORED_LASTS.mapped(file)
        self.cancellations = Cancellations(
            event=file.numbers("cancelled_event"),
            cancellation=file.numbers("cancellation"),
        )
        self._meters = {name: at for at, name in enumerate(self.names.to_pylist())}

    def totals_of(self, series: Series, first_hour: int, end_hour: int) -> Totals:
        """Return a series in the hours ``[first_hour, end_hour)``; the key is the hour."""
        rows = self._rows(self.totals.key, series, first_hour, end_hour)
        return self.totals.pick(rows, self.totals.key[rows] & HOURS)

    def lasts_of(self, series: Series, first_hour: int, end_hour: int) -> Lasts:
        """Return the lasts of a series in some hours; the key is the hour.

        The key still says whether the meter is pre-aggregated.
        """
        rows = self._rows(self.lasts.key, series, first_hour, end_hour)
        return self.lasts.pick(rows, self.lasts.key[rows] & (WINDOWED | HOURS))

    def totals_of_many(
        self, meter: str, customers: Sequence[str], hours: np.ndarray
    ) -> Totals:
        """Return many series of one meter; see `UsageView.totals_of_many`."""
        code = self._meters.get(meter)
        if code is None:
            return Totals.none()
        codes = codes_of_many(self.customers, customers)
        rows, of = rows_of_many(self.totals.key, code, codes, hours)
        return self.totals.pick(rows, of)

    def cells(self) -> UsageCells:
        """Return all cells."""
        return UsageCells(
            names=self.names,
            customers=self.customers,
            totals=self.totals.pick(slice(None), self.totals.key),
            lasts=self.lasts.pick(slice(None), self.lasts.key),
            cancellations=self.cancellations,
        )

    def _rows(
        self, keys: np.ndarray, series: Series, first_hour: int, end_hour: int
    ) -> slice:
        meter = self._meters.get(series.meter.event_name)
        customer = None if meter is None else code_of(self.customers, series.customer)
        if meter is None or customer is None:
            return slice(0, 0)
        hour_0 = series_key(meter, customer, is_windowed=series.is_windowed)
        bounds = np.array([hour_0 + first_hour, hour_0 + end_hour], np.uint64)
        return slice(*keys.searchsorted(bounds).tolist())


class UsageRuns:
    """The kind of usage runs; see `ledger.runs.kinds.RunKind`.

    Args:
        merged_at_a_time: about how many cells are merged at a time.
    """

    name = "usage"
    version = FOLD_VERSION
    # Every summary looks into all runs, and they are small.
    fan_in = 2

    def __init__(self, *, merged_at_a_time: int = _CELLS_MERGED_AT_A_TIME) -> None:
        self._merged_at_a_time = merged_at_a_time

    def open(self, file: MappedRun) -> UsageRun:
        """View the columns of a run."""
        return UsageRun(file)

    def merge(self, runs: Sequence[UsageRun]) -> RunColumns:
        """Merge runs of neighbouring stretches, in the order of the log."""
        names, meters = merged_words([run.names for run in runs])
        customers, codes = merged_words([run.customers for run in runs])
        codings = list(zip(runs, meters, codes, strict=True))
        totals = _merged(
            [run.totals for run in runs],
            [recode(run.totals.key, *coding) for run, *coding in codings],
            Totals.combine,
            self._merged_at_a_time,
        )
        lasts = _merged(
            [run.lasts for run in runs],
            [recode(run.lasts.key, *coding) for run, *coding in codings],
            Lasts.combine,
            self._merged_at_a_time,
        )
        cancellations = Cancellations.together([run.cancellations for run in runs])
        return _columns(names, customers, (totals, lasts), cancellations)


def columns_of(cells: UsageCells) -> RunColumns:
    """Return the columns of a run."""
    totals = STORED_TOTALS.store(cells.totals)
    lasts = STORED_LASTS.store(cells.lasts)
    return _columns(cells.names, cells.customers, (totals, lasts), cells.cancellations)


def _columns(
    names: pa.Array,
    customers: pa.Array,
    cells: tuple[StoredCells[Totals], StoredCells[Lasts]],
    cancellations: Cancellations,
) -> RunColumns:
    totals, lasts = cells
    return {
        "name": names,
        "customer": customers,
        **totals.columns(),
        **lasts.columns(),
        "cancelled_event": cancellations.event,
        "cancellation": cancellations.cancellation,
    }


def _merged(
    parts: Sequence[StoredCells[CellsT]],
    keys: Sequence[np.ndarray],
    combine: Callable[[Sequence[CellsT]], CellsT],
    at_a_time: int,
) -> StoredCells[CellsT]:
    """Add up stored cells, given their keys in codes that they all share."""
    form = parts[0].form
    pieces = [
        form.store(
            combine(
                [
                    part.pick(rows, key[rows])
                    for part, key, rows in zip(parts, keys, piece, strict=True)
                ]
            )
        )
        for piece in _by_ranges(keys, at_a_time)
    ]
    return form.concatenate(pieces)


def _by_ranges(keys: Sequence[np.ndarray], at_a_time: int) -> Iterator[list[slice]]:
    """Yield sorted keys cut at the same places, into pieces that are small together."""
    longest = max(keys, key=len)
    cuts = longest[:: max(1, at_a_time // len(keys))][1:]
    ends = [[*np.searchsorted(key, cuts).tolist(), len(key)] for key in keys]
    starts = [0] * len(keys)
    for stops in zip(*ends, strict=True):
        yield [slice(*bounds) for bounds in zip(starts, stops, strict=True)]
        starts = list(stops)
