"""Usage that is explained: its events, those beside it, and what each came to."""

from collections.abc import Callable, Iterator

import msgspec
import numpy as np
import pyarrow as pa

from ledger.facts.meters import Formula
from ledger.records.refusals import WINDOW, Refusals
from ledger.usage.columns import TIMESTAMP, column_of, rows_table
from metering.explaining.corrected import CorrectedEvents
from metering.explaining.reading import RECORDED, series_events, series_times
from metering.store.engine import Engine
from projections.kernels.usage.aggregates import aggregate, units_of_total
from projections.kernels.usage.series import Series
from projections.kernels.usage.verdicts import (
    JudgedEvents,
    Reason,
    Scope,
    Standing,
    judge,
    standing_of,
)
from projections.usage.summaries import PartSource, SummaryPart
from projections.usage.view import UsageView
from projections.windows import END, LENGTHS, ceil_to, floor_to

EVENTS = RECORDED
"""The events that count."""

NOT_COUNTED = pa.schema(
    [
        *RECORDED,
        pa.field("reason", pa.string(), nullable=False),
        pa.field("by", pa.int64()),
        pa.field("correction", pa.string()),
        pa.field("successor", pa.int64()),
    ]
)
"""The events that do not, why, the entry that is the reason, and its correction."""

LATE = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        RECORDED.field("position"),
        RECORDED.field("recorded_at"),
        pa.field("event_position", pa.int64(), nullable=False),
        RECORDED.field("identifier"),
        RECORDED.field("timestamp"),
        RECORDED.field("value"),
    ]
)
"""Entries that came late: events, and cancellations of events."""

REFUSED = pa.schema(
    [
        pa.field("window_start", TIMESTAMP, nullable=False),
        pa.field("window_end", TIMESTAMP, nullable=False),
        pa.field("code", pa.string(), nullable=False),
        pa.field("error_count", pa.int64(), nullable=False),
        pa.field("message", pa.string()),
    ]
)
"""What a stream refused, by window and code."""

_ROWS_AT_A_TIME = 65_536

_REASONS = np.array([reason.name.lower() for reason in Reason])

_Judged = tuple[pa.RecordBatch, np.ndarray, np.ndarray]
"""Events of `RECORDED`, why each does not count, and by which entry."""


class ExplainedUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The usage of a series in ``[start, end)``, as it was known at a position.

    Attributes:
        engine: of the store.
        view: of all usage known when it was asked for.
        series: whose usage.
        start: microseconds since 1970 UTC, at least 0.
        end: exclusive, at most `END`; nothing lies in bounds that are not ascending.
        position: entries up to it count; at most that of the view.
    """

    engine: Engine
    view: UsageView
    series: Series
    start: int
    end: int
    position: int

    @property
    def scope(self) -> Scope:
        """Which events can count."""
        window = self.series.meter.event_time_window
        return Scope(
            start=self.start,
            end=self.end,
            position=self.position,
            length=None if window is None else LENGTHS[window],
            is_last=self.series.meter.formula is Formula.LAST,
        )

    def parts(self) -> list[SummaryPart]:
        """Return what the figure is made of, oldest first."""
        if self.start >= self.end:
            return []
        if self.position == self.view.position:
            return self.engine.summaries.parts(
                self.view, self.series, self.start, self.end
            )
        formula = self.series.meter.formula
        # Of an average the sum, which averages are made of.
        wanted = Formula.SUM if formula is Formula.AVG else formula
        units, count = aggregate(wanted, self.events())
        return [
            SummaryPart(
                start=self.start,
                end=self.end,
                source=PartSource.EVENTS,
                units=units,
                count=count,
            )
        ]

    def total(self, parts: list[SummaryPart]) -> tuple[int, int]:
        """Return the figure that parts make, in units of 10**-12, and its events."""
        count = sum(part.count for part in parts)
        units = sum(part.units for part in parts)
        if self.series.meter.formula is Formula.AVG:
            units = units_of_total(Formula.AVG, units, count)
        return units, count

    def aggregated(self) -> tuple[int, int]:
        """Return what `total` does, from the events alone."""
        return aggregate(self.series.meter.formula, self.events())

    def events(self) -> Iterator[pa.RecordBatch]:
        """Read the events that count, in log order, as `EVENTS`."""
        for batch, reason, _ in self._judged(self.start, self.end):
            yield from _picked(batch, reason == Reason.NONE)

    def not_counted(self, beside: int) -> Iterator[pa.RecordBatch]:
        """Read the events that do not count, in log order, as `NOT_COUNTED`.

        Args:
            beside: how far beyond the bounds events are looked for, in microseconds.
        """
        corrected = CorrectedEvents.of(self.engine.log)
        start, end = self._whole_windows()
        low, high = min(start, self.start - beside), max(end, self.end + beside)
        for batch, reason, by in self._judged(max(low, 0), min(high, END)):
            cancelled_by = np.where(reason == Reason.CANCELLED, by, 0)
            explained = pa.RecordBatch.from_arrays(
                [
                    *batch.columns,
                    pa.array(_REASONS[reason].tolist(), pa.string()),
                    pa.array(by, mask=by == 0),
                    *corrected.columns(cancelled_by),
                ],
                schema=NOT_COUNTED,
            )
            yield from _picked(explained, reason != Reason.NONE)

    def late(self, after: int) -> Iterator[pa.RecordBatch]:
        """Read what was recorded after a position, in the order of events, as `LATE`.

        These are the events in the bounds, and the cancellations of events in them.
        """
        for batch, recorded in self._read(self.start, self.end):
            known = self.position
            is_late = (recorded.position > after) & (recorded.position <= known)
            cancelled = recorded.cancellation
            was_cancelled = (cancelled > after) & (cancelled <= known)
            events = _entries(batch, is_late, "event", recorded.position, None)
            cancellations = _entries(
                batch,
                was_cancelled,
                "cancellation",
                cancelled,
                self._recorded_at(cancelled[was_cancelled]),
            )
            together = pa.Table.from_batches([events, cancellations], LATE)
            in_order = [("event_position", "ascending"), ("position", "ascending")]
            yield from together.sort_by(in_order).combine_chunks().to_batches()

    def refused(self) -> pa.Table:
        """Read what streams refused of the meter, of any customer, as `REFUSED`."""
        meter, livemode = self.series.meter, self.engine.settings.livemode
        with self.engine.log.read() as connection:
            found = Refusals(connection).between(
                meter.meter_id, self.start, self.end, livemode=livemode
            )
        rows = [
            (
                start,
                start + WINDOW,
                each.code,
                each.error_count,
                each.samples[0][0] if each.samples else None,
            )
            for start, each in found
        ]
        return rows_table(rows, REFUSED)

    def _recorded_at(self, cancellations: np.ndarray) -> np.ndarray:
        """Return when cancellations count as recorded (int64)."""
        log = self.engine.log
        found = {
            position: log.time.of(
                position, log.history.commit_holding(position).recorded_at
            )
            for position in set(cancellations.tolist())
        }
        return np.array([found[each] for each in cancellations.tolist()], np.int64)

    def _judged(self, low: int, high: int) -> Iterator[_Judged]:
        scope, standing = self.scope, self._standing()
        for batch, recorded in self._read(low, high):
            yield batch, *judge(scope, standing, recorded)

    def _standing(self) -> Standing:
        scope = self.scope
        if not scope.has_standing:
            return Standing(windows={}, last=0)
        bounds = self._whole_windows()
        batches = series_times(self.view, self.series, *bounds)
        return standing_of(scope, map(self._placed, batches))

    def _read(
        self, low: int, high: int
    ) -> Iterator[tuple[pa.RecordBatch, JudgedEvents]]:
        log, view = self.engine.log, self.view
        log.check_usable()
        if self.start >= self.end:
            return
        for batch in series_events(log, view, self.series, low, high):
            yield batch, self._placed(batch)

    def _placed(self, batch: pa.RecordBatch) -> JudgedEvents:
        positions = batch.column("position").to_numpy()
        return JudgedEvents(
            position=positions,
            timestamp=batch.column("timestamp").cast(pa.int64()).to_numpy(),
            cancellation=self.view.cancellations_of(positions, self.position),
        )

    def _whole_windows(self) -> tuple[int, int]:
        """Return the bounds, widened to whole windows of a pre-aggregated meter."""
        length = self.scope.length
        if length is None:
            return self.start, self.end
        return floor_to(self.start, length), ceil_to(self.end, length)


def reader_of(
    schema: pa.Schema, read: Callable[[], Iterator[pa.RecordBatch]]
) -> pa.RecordBatchReader:
    """Return batches as a stream of Arrow; nothing is read ahead of the first."""

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in read():
            for start in range(0, batch.num_rows, _ROWS_AT_A_TIME):
                yield batch.slice(start, _ROWS_AT_A_TIME)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _picked(batch: pa.RecordBatch, rows: np.ndarray) -> Iterator[pa.RecordBatch]:
    if rows.all():
        yield batch
    elif rows.any():
        yield batch.filter(pa.array(rows))


def _entries(
    batch: pa.RecordBatch,
    rows: np.ndarray,
    kind: str,
    position: np.ndarray,
    recorded_at: np.ndarray | None,
) -> pa.RecordBatch:
    picked = batch.filter(pa.array(rows))
    times = picked.column("recorded_at")
    if recorded_at is not None:
        times = column_of(recorded_at).view(TIMESTAMP)
    return pa.RecordBatch.from_arrays(
        [
            pa.array([kind] * picked.num_rows, pa.string()),
            column_of(position[rows]),
            times,
            picked.column("position"),
            picked.column("identifier"),
            picked.column("timestamp"),
            picked.column("value"),
        ],
        schema=LATE,
    )
