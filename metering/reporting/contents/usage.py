"""Reports of usage: what every customer used, in all, and day by day.

They are re-aggregated from the events, since the totals of hours say nothing of the log
as it was at a position. Only some groups are in memory at a time: those of one meter, or
those of a week.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from ledger.segments.entry import overlapping
from ledger.usage.columns import TIMESTAMP
from ledger.usage.quantities import QUANTITY
from metering.arguments.clock import at_microseconds
from metering.reaggregation.questions import question_asked
from metering.reaggregation.requests import Reaggregate
from metering.reporting.contents.asked import AskedReport, ReportProgress
from metering.store.engine import Engine
from projections.scans.reaggregation.jobs import reaggregate
from projections.scans.reaggregation.question import Question
from projections.scans.recorded import RecordedEvents
from projections.windows import DAY

BY_CUSTOMER = pa.schema(
    [
        pa.field("meter", pa.string(), nullable=False),
        pa.field("event_name", pa.string(), nullable=False),
        pa.field("customer", pa.string(), nullable=False),
        pa.field("value", QUANTITY, nullable=False),
        pa.field("event_count", pa.int64(), nullable=False),
    ]
)
BY_DAY = pa.schema(
    [
        pa.field("window_start", TIMESTAMP, nullable=False),
        pa.field("window_end", TIMESTAMP, nullable=False),
        *BY_CUSTOMER,
    ]
)

_DAYS_AT_A_TIME = 7
_IN_ORDER = [(name, "ascending") for name in ("window_start", "meter", "customer")]


def usage_by_customer(
    engine: Engine, asked: AskedReport, advance: ReportProgress
) -> Iterator[pa.RecordBatch]:
    """Yield what each customer used of each meter, by id of the meter and customer."""
    question, recorded = _question(engine, asked, by_day=False)
    measures = question.in_order()
    for number, measure in enumerate(measures, 1):
        of_meter = replace(question, measures=(measure,), has_every_name=False)
        yield from _batches(reaggregate(of_meter, recorded, None, None), BY_CUSTOMER)
        advance(number, len(measures))


def usage_by_day(
    engine: Engine, asked: AskedReport, advance: ReportProgress
) -> Iterator[pa.RecordBatch]:
    """Yield what each customer used of each meter on each day of UTC, in order of days."""
    question, recorded = _question(engine, asked, by_day=True)
    days = _days(recorded, asked) if question.measures else []
    for at in range(0, len(days), _DAYS_AT_A_TIME):
        these = days[at : at + _DAYS_AT_A_TIME]
        start = max(these[0] * DAY, asked.start)
        end = min((these[-1] + 1) * DAY, asked.end)
        of_days = replace(question, start=start, end=end)
        found = reaggregate(of_days, recorded, None, None)
        yield from _batches(found.sort_by(_IN_ORDER), BY_DAY)
        advance(at + len(these), len(days))


def _days(recorded: RecordedEvents, asked: AskedReport) -> list[int]:
    """Return the days of UTC since 1970 on which there may be events, ascending.

    Years may lie between two events. A segment is read at a time.
    """
    first, last = asked.start // DAY, (asked.end - 1) // DAY
    found = _days_of(recorded.tail)
    for segment in overlapping(recorded.segments, asked.start, asked.end):
        of_segment = _days_of(recorded.reader.table(segment, ["timestamp"]))
        found = np.union1d(found, of_segment)
    days: list[int] = found[(found >= first) & (found <= last)].tolist()
    return days


def _days_of(events: pa.Table) -> np.ndarray:
    instants = events.column("timestamp").cast(pa.int64()).to_numpy()
    days: np.ndarray = np.unique(instants // DAY)
    return days


def _question(
    engine: Engine, asked: AskedReport, *, by_day: bool
) -> tuple[Question, RecordedEvents]:
    request = Reaggregate(
        start_time=at_microseconds(asked.start),
        end_time=at_microseconds(asked.end),
        window="day" if by_day else None,
        as_of=asked.position,
    )
    question, recorded = question_asked(engine, request)
    return question, recorded


def _batches(table: pa.Table, schema: pa.Schema) -> list[pa.RecordBatch]:
    found: list[pa.RecordBatch] = table.select(schema.names).cast(schema).to_batches()
    return found
