"""Queries: a question as DuckDB's SQL, over events or over partials.

Events become cells: aggregates of some events of one measure, by customer, dimensions and
window. A row of a partial is a cell; see `projections.scans.reaggregation.columns`. Of
cells of one key one is made, in any order: adding is exact, and no two events have one
position.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ledger.facts.meters import Formula
from projections.scans.reaggregation.columns import content_of
from projections.scans.reaggregation.expressions import (
    EXACT,
    NUMBER,
    TYPE,
    averages,
    between,
    dimension_columns,
    in_dimensions,
    is_among,
    nested,
    number_of_window,
    select,
    text,
    under,
    where,
)
from projections.scans.reaggregation.question import (
    Measure,
    Question,
    bounds_of,
)
from projections.scans.reaggregation.sources import EventSource

PARTIALS = "partials"
"""The table of the rows of all partials."""

_SPLIT_SUMS = [
    "sum(trunc(number)) AS whole",
    "sum(number - trunc(number)) AS part",
]
_PARTS = {
    "whole": "coalesce(whole, trunc(total))",
    "part": "coalesce(part, total - trunc(total))",
}
# Of one sign, so that what is beside the point belongs to what is before it.
_STEP = """\
trunc(part) AS carried,
CASE
    WHEN whole + carried > 0 AND part < carried THEN carried - 1
    WHEN whole + carried < 0 AND part > carried THEN carried + 1
    ELSE carried
END AS step"""
_ADDED = "sum(event_count)::BIGINT AS event_count"


def partial_query(question: Question, source: EventSource, *, is_split: bool) -> str:
    """Write what makes a partial of events.

    Args:
        question: what is asked.
        source: the events.
        is_split: whether sums are made of integers and rests apart, which always fit.
    """
    rows = []
    for shape in _shapes(question, is_split=is_split):
        events = shape.events(source)
        is_picked = shape.measure.is_preaggregated
        rows.append(shape.candidates(events) if is_picked else shape.cells(events))
    return f"{_events(source)}\n" + "\nUNION ALL BY NAME\n".join(rows)


def answer_query(question: Question, source: EventSource, *, is_split: bool) -> str:
    """Write what answers from all events; see `partial_query`."""
    answers = []
    for shape in _shapes(question, is_split=is_split):
        events = shape.that_count(shape.events(source))
        answers.append(shape.answer(shape.cells(events)))
    return f"{_events(source)}\n{_in_order(question, answers)}"


def combining_query(
    question: Question, shared: Sequence[tuple[int, int]], *, is_split: bool
) -> str:
    """Write what answers from the partials of all events; see `partial_query`.

    Args:
        question: what is asked.
        shared: the first and the last number of windows that several partials may have;
            cells of others are as they will be.
        is_split: see `partial_query`.
    """
    spans = [f"window_number BETWEEN {first} AND {last}" for first, last in shared]
    is_shared = " OR ".join(spans) or "false"
    answers = []
    for shape in _shapes(question, is_split=is_split):
        rows = shape.partials()
        if shape.measure.is_preaggregated:
            cells = shape.cells(shape.that_count(rows))
        else:
            cells = shape.merged(rows, is_shared)
        answers.append(shape.answer(cells))
    return _in_order(question, answers)


def unreadable_query(question: Question, source: EventSource | None) -> str:
    """Write what finds the first string that is no quantity.

    Args:
        question: what is asked.
        source: the events; None is those of the partials.
    """
    found = []
    for shape in _shapes(question, is_split=False):
        if shape.reads_numbers:
            rows = shape.partials() if source is None else shape.events(source)
            key = f"{text(shape.measure.payload_key or '')} AS key"
            events = f"SELECT *,\n{EXACT}\nFROM {nested(shape.that_count(rows))}"
            columns = select(["position", "content", key])
            found.append(f"{columns}\nFROM {nested(events)}\nWHERE exact IS NULL")
    query = "\nUNION ALL\n".join(found) + "\nORDER BY position\nLIMIT 1"
    return query if source is None else f"{_events(source)}\n{query}"


def _events(source: EventSource) -> str:
    """Write the events, which each part of the query reads for itself."""
    return f"WITH event AS NOT MATERIALIZED {nested(source.query)}"


def _in_order(question: Question, answers: Iterable[str]) -> str:
    """Write the rows of an answer, in order, but for what `answer_of` adds."""
    return "\nUNION ALL\n".join(answers) + f"\nORDER BY {order_of(question)}"


def order_of(question: Question) -> str:
    """Return the order of an answer's rows."""
    dimensions = dimension_columns(question.dimensions)
    nulls_first = [f"{name} NULLS FIRST" for name in dimensions]
    return ", ".join(["rank", "customer", *nulls_first, "window_number"])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """Measures of which the same is asked, each of its own events.

    Attributes:
        question: what is asked.
        measure: one of them.
        event_names: of all of them.
        is_split: whether sums are made of integers and rests apart.
    """

    question: Question
    measure: Measure
    event_names: Sequence[str]
    is_split: bool

    @property
    def reads_numbers(self) -> bool:
        """Whether strings of payloads are read as quantities."""
        return self.measure.payload_key is not None and self.measure.needs_number

    @property
    def _rank(self) -> str:
        # Numbers are faster to group by than strings are; to join them takes longer.
        names = (text(measure.event_name) for measure in self.question.in_order())
        is_one = len(self.event_names) == 1
        name = text(self.event_names[0]) if is_one else "event_name"
        return f"try_cast({name} AS ENUM ({', '.join(names)})) AS rank"

    @property
    def _is_named(self) -> str:
        return is_among("event_name", self.event_names)

    @property
    def _content(self) -> tuple[str, ...]:
        return content_of(self.measure)

    @property
    def _has_content(self) -> Iterator[str]:
        return (f"{name} IS NOT NULL" for name in self._content)

    @property
    def _keys(self) -> list[str]:
        return [
            *("rank", "customer"),
            *dimension_columns(self.question.dimensions),
            "window_number",
        ]

    @property
    def _keys_of_cells(self) -> list[str]:
        is_unique = self.measure.formula is Formula.UNIQUE_COUNT
        return [*self._keys, "content"] if is_unique else self._keys

    def partials(self) -> str:
        """Write the rows of partials."""
        return f"SELECT *,\n    {self._rank}\nFROM {PARTIALS}{where([self._is_named])}"

    def events(self, source: EventSource) -> str:
        """Write the events that count, or that decide which one does."""
        question, measure = self.question, self.measure
        start, end = bounds_of(question, measure)
        # To compare each event's name takes a twentieth of the time.
        is_of_all = len(self.event_names) == len(question.measures)
        is_any = is_of_all and not source.has_other_names
        conditions = [] if is_any else [self._is_named]
        if source.earliest < start or source.latest >= end:
            bounds = f"make_timestamptz({start})", f"make_timestamptz({end})"
            conditions += between("timestamp", *bounds)
        columns = [self._rank, "customer", "epoch_us(timestamp) AS instant"]
        columns += ["position"] if measure.needs_position else []
        columns += in_dimensions(question.dimensions)
        columns += [f"{self._read_as(name)} AS {name}" for name in self._content]
        passes = [
            is_among(under(key), words) for key, words in question.filters.items()
        ]
        if measure.is_preaggregated:
            in_time = between("instant", str(question.start), str(question.end))
            columns.append(f"{' AND '.join([*in_time, *passes])} AS is_wanted")
        else:
            # To look for nulls takes a twentieth of the time.
            is_full = self._content == ("number",) and not source.has_nulls
            conditions += [*passes, *(() if is_full else self._has_content)]
        return f"{select(columns)}\nFROM event{where(conditions)}"

    def _read_as(self, name: str) -> str:
        if self.measure.payload_key is not None:
            return under(self.measure.payload_key)
        return "value::VARCHAR" if name == "content" else "value"

    def candidates(self, events: str) -> str:
        """Write the events with the greatest positions of their UTC windows."""
        window = f"instant // {self.measure.preaggregation_length}"
        others = [*dimension_columns(self.question.dimensions), *self._content]
        picked = [
            "max(position) AS position",
            "arg_max(instant, position) AS instant",
            "arg_max(is_wanted, position) AS is_wanted",
            *(f"arg_max_null({name}, position) AS {name}" for name in others),
        ]
        return "\n".join(
            [
                select(["rank", "customer", *picked]),
                f"FROM {nested(events)}",
                f"GROUP BY rank, customer, {window}",
            ]
        )

    def that_count(self, events: str) -> str:
        """Write the events that count, of those that decide which one does."""
        if not self.measure.is_preaggregated:
            return events
        conditions = where(["is_wanted", *self._has_content])
        return f"SELECT *\nFROM {nested(self.candidates(events))}{conditions}"

    def cells(self, events: str) -> str:
        """Write the cells of events that count."""
        if self.reads_numbers:
            events = f"SELECT *,\n{NUMBER}\nFROM {nested(events)}"
        number = f"{number_of_window(self.question.stretches())} AS window_number"
        keys = [
            number if key == "window_number" else key for key in self._keys_of_cells
        ]
        columns = [*keys, *self._made(), "count(*) AS event_count"]
        return f"{select(columns)}\nFROM {nested(events)}\nGROUP BY ALL"

    def _made(self) -> list[str]:
        """Return what is made of the events of a cell, beside their count."""
        match self.measure.formula:
            case Formula.COUNT | Formula.UNIQUE_COUNT:
                return []
            case Formula.SUM | Formula.AVG:
                return _SPLIT_SUMS if self.is_split else ["sum(number) AS total"]
            case Formula.MIN | Formula.MAX as extreme:
                return [f"{extreme.value}(number) AS value"]
            case Formula.LAST:
                moment = "(instant::HUGEINT << 64) + position"
                value = f"arg_max(number, {moment}) AS value"
                return [value, f"max({moment}) AS moment"]

    def merged(self, rows: str, is_shared: str) -> str:
        """Write the cells of all events, given those of some."""
        keys, cells = self._keys_of_cells, f"FROM {nested(rows)}\nWHERE"
        one = select([*keys, *self._merged(of_several=False), "event_count"])
        several = select([*keys, *self._merged(of_several=True), _ADDED])
        return "\n".join(
            [
                f"{one}\n{cells} NOT ({is_shared})",
                "UNION ALL",
                f"{several}\n{cells} {is_shared}\nGROUP BY ALL",
            ]
        )

    def _merged(self, *, of_several: bool) -> list[str]:
        """Return what is made of the cells of one key, beside their count."""
        match self.measure.formula:
            case Formula.COUNT | Formula.UNIQUE_COUNT:
                return []
            case Formula.SUM | Formula.AVG:
                sums = _PARTS if self.is_split else {"total": "total"}
                add = "sum({}) AS {}" if of_several else "{} AS {}"
                return [add.format(made, name) for name, made in sums.items()]
            case Formula.MIN | Formula.MAX as extreme:
                return [f"{extreme.value}(value) AS value" if of_several else "value"]
            case Formula.LAST:
                return ["arg_max(value, moment) AS value" if of_several else "value"]

    def answer(self, cells: str) -> str:
        """Write the rows of an answer, given the cells of all events."""
        match self.measure.formula:
            case Formula.COUNT:
                return self._rows(f"event_count::{TYPE}", cells)
            case Formula.UNIQUE_COUNT:
                columns = [*self._keys, f"count(*)::{TYPE} AS value", _ADDED]
                return f"{select(columns)}\nFROM {nested(cells)}\nGROUP BY ALL"
            case Formula.SUM if self.is_split:
                return self._rows(
                    f"try_cast(whole AS {TYPE}) + part", self._apart(cells)
                )
            case Formula.SUM:
                return self._rows("total", cells)
            case Formula.AVG:
                return self._rows("average", averages(self._undivided(cells)))
            case Formula.MIN | Formula.MAX | Formula.LAST:
                return self._rows("value", cells)

    def _rows(self, value: str, cells: str) -> str:
        columns = [*self._keys, f"{value} AS value", "event_count"]
        return f"{select(columns)}\nFROM {nested(cells)}"

    def _apart(self, cells: str) -> str:
        """Write cells with the integers of their sums and the rests, of one sign."""
        carrying = f"SELECT *,\n{_STEP}\nFROM {nested(cells)}"
        carried = "whole + step AS whole, part - step AS part"
        return f"SELECT * REPLACE ({carried})\nFROM {nested(carrying)}"

    def _undivided(self, cells: str) -> str:
        """Write cells with what `averages` takes."""
        average, undivided = "0", "total"
        if self.is_split:
            average = "whole::HUGEINT // event_count"
            undivided = "whole::HUGEINT % event_count + part"
        columns = f"({average})::{TYPE} AS average, {undivided} AS undivided"
        return f"SELECT *, {columns}\nFROM {nested(cells)}"


def _shapes(question: Question, *, is_split: bool) -> Iterator[_Shape]:
    """Yield the measures of a question, those together of which the same is asked."""
    alike: dict[object, list[Measure]] = {}
    for measure in question.in_order():
        asked = measure.formula, measure.event_time_window, measure.payload_key
        alike.setdefault(asked, []).append(measure)
    for measures in alike.values():
        yield _Shape(
            question=question,
            measure=measures[0],
            event_names=[measure.event_name for measure in measures],
            is_split=is_split,
        )
