"""Events of one series, read where they are stored."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ledger.entries import Commit
from ledger.segments.layout import SEGMENT
from ledger.stored_events import usage_of
from ledger.usage.columns import timestamps_of
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.series import Series
from projections.usage.view import UsageView
from projections.windows import HOUR

Fetch: TypeAlias = Callable[[Sequence[int]], Iterator[Commit]]
"""Reads the commits that begin at some positions, ascending."""

VALUES = ("position", "timestamp", "value")
PAYLOADS = ("position", "timestamp", "payload")


class SeriesEvents:
    """Reads the events that count in a view of usage. Thread-safe.

    Args:
        fetch: reads commits of the tail.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

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
        for commit in self._fetch(view.tail.commits.between(start, end)):
            parts += _events_of(series, commit, start, end, columns)
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


def _events_of(
    series: Series, commit: Commit, start: int, end: int, columns: Sequence[str]
) -> list[pa.Table]:
    """Return the events of a series in one commit; most have none."""
    batch = usage_of(commit)
    name = _code(batch, "event_name", series.meter.event_name)
    customer = _code(batch, "customer", series.customer)
    if name < 0 or customer < 0:
        return []
    timestamps = timestamps_of(batch)
    rows = np.flatnonzero(
        (timestamps >= start)
        & (timestamps < end)
        & (batch.column("event_name").indices.to_numpy() == name)
        & (batch.column("customer").indices.to_numpy() == customer)
    )
    positions = pa.array(commit.first_position + rows)
    picked = batch.select(columns[1:]).take(pa.array(rows))
    found = pa.table([positions, *picked.columns], schema=_no_events(columns).schema)
    return [found]


def _code(batch: pa.RecordBatch, column: str, word: str) -> int:
    return int(pc.index(batch.column(column).dictionary, word).as_py())


def _no_events(columns: Sequence[str]) -> pa.Table:
    return pa.Table.from_batches([], pa.schema([SEGMENT.field(n) for n in columns]))
