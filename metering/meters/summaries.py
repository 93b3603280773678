"""Summaries of a customer's usage on a meter, newest first."""

import hashlib
from collections.abc import Sequence

from ledger.usage.quantities import quantity_from_units
from metering.arguments.clock import at_microseconds
from metering.arguments.times import span_of
from metering.errors import InvalidRequestError
from metering.meters.requests import EventSummaryList
from metering.meters.resources import MeterEventSummary
from metering.store.engine import Engine
from projections.kernels.meters import MeterDefinition
from projections.kernels.usage.series import Series
from projections.usage.summaries import GroupingWindow, Summary
from projections.windows import floor_to, recorded_span

_WINDOWS_AT_MOST = 1_000_000


def event_summaries(
    engine: Engine,
    meter: MeterDefinition,
    asked: EventSummaryList,
    *,
    fill: bool,
) -> list[MeterEventSummary]:
    """Aggregate usage that was taken in; see `Meters.event_summaries`."""
    start, end = span_of(asked.start_time, asked.end_time)
    customer, window = asked.customer, asked.value_grouping_window
    grouping = None if window is None else GroupingWindow(window)
    low, high = recorded_span(start, end)
    if low < high:
        series = Series(meter=meter, customer=customer)
        summaries, position = engine.summaries.between(series, low, high, grouping)
    else:
        summaries, position = [], engine.usage.position
    if grouping is None:
        units = sum(summary.units for summary in summaries)
        summaries = [Summary(start=start, end=end, units=units)]
    elif fill:
        summaries = _filled(summaries, start, end, grouping)
    return [
        MeterEventSummary(
            id=_summary_id(meter, customer, summary),
            aggregated_value=quantity_from_units(summary.units),
            start_time=at_microseconds(summary.start),
            end_time=at_microseconds(summary.end),
            meter=meter.meter_id,
            livemode=engine.settings.livemode,
            position=position,
            customer=customer,
        )
        for summary in reversed(summaries)
    ]


def _filled(
    summaries: Sequence[Summary], start: int, end: int, grouping: GroupingWindow
) -> list[Summary]:
    length = grouping.length
    if (end - start) // length > _WINDOWS_AT_MOST:
        raise InvalidRequestError(
            f"Invalid end_time: more than {_WINDOWS_AT_MOST} windows to fill; ask for a"
            " shorter time or a longer window",
            param="end_time",
        )
    found = {summary.start: summary for summary in summaries}
    filled = []
    for window in range(floor_to(start, length), end, length):
        low = max(start, window)
        empty = Summary(start=low, end=min(end, window + length), units=0)
        filled.append(found.get(low, empty))
    return filled


def _summary_id(meter: MeterDefinition, customer: str, summary: Summary) -> str:
    """Return the id of a summary; equal questions have equal ids."""
    question = f"{meter.meter_id}\n{summary.start}\n{summary.end}\n{customer}"
    return f"mtrusg_{hashlib.sha256(question.encode()).hexdigest()[:32]}"
