"""Questions of a re-aggregation, as values that can be sent anywhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ledger.facts.meters import EventTimeWindow, Formula
from projections.calendar import Windows
from projections.kernels.meters import MeterDefinition
from projections.scans.reaggregation.spans import Spans
from projections.windows import LENGTHS, ceil_to, floor_to

RESULT_COLUMNS = (
    "meter",
    "customer",
    "window_start",
    "window_end",
    "value",
    "event_count",
    "event_name",
)
"""Columns of an answer; dimensions add their own under other names."""


class WindowStretch(NamedTuple):
    """Equal windows, one after the other; each begins its number times `length` later.

    Attributes:
        first: the number of the first one, not negative.
        length: of each.
        shift: where the one numbered 0 would begin.
    """

    first: int
    length: int
    shift: int

    @property
    def begins(self) -> int:
        """Where the first one begins."""
        return self.first * self.length + self.shift


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What is computed of the events of one meter.

    Attributes:
        meter_id: names the meter in the answer.
        event_name: of its events.
        formula: how events become a number.
        event_time_window: the UTC window in which only a customer's event with the
            greatest position counts; None where all events count.
        payload_key: the payload's key that the formula works on; events without it do
            not count. None is the recorded value.
    """

    meter_id: str
    event_name: str
    formula: Formula
    event_time_window: EventTimeWindow | None = None
    payload_key: str | None = None

    @property
    def needs_number(self) -> bool:
        """Whether the formula works on numbers, and not on events or strings."""
        return self.formula not in {Formula.COUNT, Formula.UNIQUE_COUNT}

    @property
    def counts_values(self) -> bool:
        """Whether the formula works on the recorded value."""
        return self.payload_key is None and self.formula is not Formula.COUNT

    @property
    def needs_position(self) -> bool:
        """Whether it matters where in the log an event is, or is to be said."""
        reads_numbers = self.needs_number and self.payload_key is not None
        return self.formula is Formula.LAST or self.is_preaggregated or reads_numbers

    @property
    def is_preaggregated(self) -> bool:
        """Whether only one event of each customer and UTC window counts."""
        return self.event_time_window is not None

    @property
    def preaggregation_length(self) -> int:
        """Microseconds in the UTC window of which one event counts."""
        assert self.event_time_window is not None, "the meter is pre-aggregated"
        return LENGTHS[self.event_time_window]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be recomputed.

    Attributes:
        measures: of different meters.
        start: microseconds since 1970 UTC; earlier events do not count.
        end: exclusive; later events do not count.
        windows: cover ``[start, end)``.
        spans: when events count, between the bounds; None is at any time.
        customers: whose events count; None is everybody.
        dimensions: payload keys by whose strings usage is split as well.
        filters: payload keys with the strings that make an event count.
        up_to: position after which events do not count.
        skips_too_large: whether a sum of more digits than the stored type is null; it
            is an error otherwise.
        has_every_name: whether the measures are of every event name up to the position.
    """

    measures: tuple[Measure, ...]
    start: int
    end: int
    windows: Windows
    spans: Spans | None = None
    customers: frozenset[str] | None = None
    dimensions: tuple[str, ...] = ()
    filters: Mapping[str, frozenset[str]] = field(default_factory=dict)
    up_to: int
    skips_too_large: bool = False
    has_every_name: bool = False

    def in_order(self) -> list[Measure]:
        """Return the measures in the order of an answer."""
        return sorted(self.measures, key=lambda measure: measure.meter_id)

    def stretches(self) -> list[WindowStretch]:
        """Return the stretches of windows that reach into the time asked for."""
        found: list[WindowStretch] = []
        after = 0
        ends = (*self.windows.starts[1:], self.windows.end)
        for begins, end, length in zip(
            self.windows.starts, ends, self.windows.lengths, strict=True
        ):
            if begins < self.end and end > self.start:
                # Most often nothing is to be taken from instants then.
                first = after if found else max(begins // length, 0)
                found.append(WindowStretch(first, length, begins - first * length))
                after = first + (end - begins) // length
        return found

    def windows_of(self, numbers: np.ndarray) -> np.ndarray:
        """Return where windows begin (int64), by their numbers; the one after the last too."""
        firsts, lengths, shifts = np.array(self.stretches(), np.int64).T
        # To look for what all have in common takes longer than all else.
        is_one = len(firsts) == 1
        at = 0 if is_one else np.searchsorted(firsts, numbers, side="right") - 1
        starts: np.ndarray = numbers * lengths[at]
        starts += shifts[at]
        return starts

    def numbers_of(self, starts: np.ndarray) -> np.ndarray:
        """Return the numbers of windows (int64), by where they begin."""
        stretches = self.stretches()
        begins = np.array([each.begins for each in stretches], np.int64)
        _, lengths, shifts = np.array(stretches, np.int64).T
        at = np.searchsorted(begins, starts, side="right") - 1
        numbers: np.ndarray = (starts - shifts[at]) // lengths[at]
        return numbers

    def __post_init__(self) -> None:
        """Check that the parts fit each other."""
        assert self.start < self.end, "some time is asked for"
        names = {measure.event_name for measure in self.measures}
        assert len(names) == len(self.measures), "an event name has one meter"
        assert len(set(self.dimensions)) == len(self.dimensions), "dimensions differ"
        assert not set(self.dimensions) & set(RESULT_COLUMNS), "columns have one name"


def bounds_of(question: Question, measure: Measure) -> tuple[int, int]:
    """Return the half-open span of timestamps that decide a measure's answer."""
    if not measure.is_preaggregated:
        return question.start, question.end
    length = measure.preaggregation_length
    return floor_to(question.start, length), ceil_to(question.end, length)


def columns_for(question: Question) -> list[str]:
    """Return the columns of a segment that the question needs."""
    measures = question.measures
    columns = ["event_name", "customer", "timestamp"]
    if any(each.counts_values for each in measures):
        columns.append("value")
    if any(each.needs_position for each in measures):
        columns.append("position")
    has_key = any(each.payload_key is not None for each in measures)
    if has_key or question.dimensions or question.filters:
        columns.append("payload")
    return columns


def measure_of(
    meter: MeterDefinition,
    *,
    formula: Formula | None = None,
    value_key: str | None = None,
) -> Measure:
    """Return what is computed of a meter's events.

    Args:
        meter: whose events.
        formula: instead of the meter's own.
        value_key: payload key of the value, instead of the meter's own.
    """
    formula = formula or meter.formula
    # The value of an event has left its payload where the meter needs one.
    is_recorded = meter.needs_value and value_key in {None, meter.value_payload_key}
    key = None if is_recorded else value_key or meter.value_payload_key
    if formula is Formula.COUNT and value_key is None:
        key = None
    return Measure(
        meter_id=meter.meter_id,
        event_name=meter.event_name,
        formula=formula,
        event_time_window=meter.event_time_window,
        payload_key=key,
    )
