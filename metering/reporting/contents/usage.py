"""Reports of usage: what every customer used, in all, and day by day.

They are re-aggregated from the events, since the totals of hours say nothing of the log
as it was at a position. Only some groups are in memory at a time: those of one meter, or
those of a week.
"""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from ledger.usage.columns import TIMESTAMP
from ledger.usage.quantities import QUANTITY
from metering.arguments.clock import at_microseconds
from metering.reaggregation.questions import question_asked
from metering.reaggregation.requests import Reaggregate
from metering.reporting.contents.asked import AskedReport, ReportProgress
from metering.store.engine import Engine
from projections.calendar import WEEK
from projections.scans.reaggregation.jobs import reaggregate
from projections.scans.reaggregation.question import Question
from projections.scans.recorded import RecordedEvents
from projections.windows import DAY, floor_to

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
    earliest, latest = recorded.ends()
    # Days of UTC begin where the days since 1970 do.
    start = max(floor_to(earliest, DAY), asked.start)
    end = min(floor_to(latest, DAY) + DAY, asked.end)
    at = start
    while question.measures and at < end:
        after = min(floor_to(at, DAY) + WEEK, end)
        week = replace(question, start=at, end=after)
        found = reaggregate(week, recorded, None, None)
        in_order = [
            (name, "ascending") for name in ("window_start", "meter", "customer")
        ]
        yield from _batches(found.sort_by(in_order), BY_DAY)
        at = after
        advance(at - start, end - start)


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
