"""Events of one series, read where they are stored."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ledger.segments.layout import SEGMENT
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.series import Series
from projections.usage.view import UsageView
from projections.windows import HOUR

VALUES = ("position", "timestamp", "value")
PAYLOADS = ("position", "timestamp", "payload")


class SeriesEvents:
    """Reads the events that count in a view of usage. Thread-safe."""

    def read(
        self,
        view: UsageView,
        series: Series,
        start: int,
        end: int,
        columns: tuple[str, str, str] = VALUES,
    ) -> pa.Table:
        """Return the events of a series in ``[start, end)`` that are not cancelled.

        Args:
            view: of usage.
            series: whose events.
            start: microseconds since 1970 UTC.
            end: exclusive.
            columns: `VALUES` or `PAYLOADS`.

        Returns:
            The columns, typed as in segments; rows in no order.
        """
        parts = [_no_events(columns)]
        if view.sealed is not None:
            parts.append(
                view.sealed.reader.of_series(
                    view.sealed.segments,
                    series.meter.event_name,
                    series.customer,
                    start,
                    end,
                    columns,
                )
            )
        in_tail = view.tail.events_of(series, start, end, payloads=columns == PAYLOADS)
        if in_tail is not None:
            parts.append(in_tail)
        events = pa.concat_tables(parts)
        are_cancelled = view.are_cancelled(events.column("position").to_numpy())
        if are_cancelled.any():
            events = events.filter(pa.array(~are_cancelled))
        return events


def timestamps_in(events: pa.Table) -> np.ndarray:
    """View timestamps as int64 microseconds since 1970 UTC."""
    timestamps: np.ndarray = events.column("timestamp").cast(pa.int64()).to_numpy()
    return timestamps


def as_lasts(events: pa.Table) -> Lasts:
    """Return each event, read with its value, as the last of its hour."""
    timestamps = timestamps_in(events)
    return Lasts.of_events(
        (timestamps // HOUR).astype(np.uint64),
        timestamps,
        events.column("position").to_numpy(),
        events.column("value").combine_chunks(),
    )


def _no_events(columns: Sequence[str]) -> pa.Table:
    return pa.Table.from_batches([], pa.schema([SEGMENT.field(n) for n in columns]))
