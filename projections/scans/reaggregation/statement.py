"""Statements: a question as one SELECT over the plain files of segments.

Anyone can run it in a DuckDB of their own, and needs nothing of ours: it names the files,
the positions of cancelled events, and stretches of equal windows. It gives the answer of
`combine`, or an error, and never another number: DuckDB refuses a sum that leaves 38
digits on its way, and a payload's number that it cannot read exactly is refused here.
Source: https://duckdb.org/docs/stable/sql/functions/overview
"""

from collections.abc import Iterable, Sequence
from textwrap import indent

import numpy as np

from ledger.facts.meters import Formula
from ledger.usage.quantities import (
    FRACTION_DIGITS,
    LONGEST_TEXT,
    QUANTITY,
    UNITS_PER_ONE,
)
from projections.scans.reaggregation.cells import dimension_columns
from projections.scans.reaggregation.events import bounds_of
from projections.scans.reaggregation.question import Measure, Question

_TYPE = f"DECIMAL({QUANTITY.precision}, {QUANTITY.scale})"
_IN_A_LINE = 8
_PATTERN_LETTERS = str.maketrans({"[": "[[]", "*": "[*]", "?": "[?]"})

_VALUES = {
    Formula.COUNT: f"count(*)::{_TYPE}",
    Formula.SUM: "sum(number)",
    Formula.MIN: "min(number)",
    Formula.MAX: "max(number)",
    Formula.LAST: "arg_max(number, (instant, position))",
    Formula.UNIQUE_COUNT: f"count(DISTINCT content)::{_TYPE}",
    Formula.AVG: "sum(number)",
}
# The cast of DuckDB takes blanks and underscores, and rounds.
_NUMBER_OF_TEXT = f"""\
regexp_extract(content, '^[^eE]*') AS mantissa,
replace(mantissa, '.', '') AS digits,
length(regexp_extract(mantissa, '[.]([0-9]+)', 1))
    - coalesce(try_cast(regexp_extract(content, '[eE](.*)', 1) AS INTEGER), 0)
    - (length(digits) - length(rtrim(digits, '0'))) AS fraction_digits,
CASE
    WHEN length(content) > {LONGEST_TEXT} OR NOT regexp_full_match(content,
        '-?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]{{1,4}})?') THEN NULL
    WHEN regexp_full_match(digits, '-?0*') THEN 0
    WHEN fraction_digits <= {FRACTION_DIGITS} THEN try_cast(content AS {_TYPE})
END AS exact,
coalesce(exact, error(printf('the event at position %d has no number that fits: %s',
    position, content))) AS number"""
# In whole units, a half to the even neighbour: DuckDB divides in floating point.
_AVERAGE = f"""\
abs(replace(value::VARCHAR, '.', '')::HUGEINT) AS units,
units // event_count AS below,
2 * (units % event_count) AS twice_the_rest,
below + (twice_the_rest > event_count
    OR twice_the_rest = event_count AND below % 2 = 1)::HUGEINT AS nearest,
concat(CASE WHEN value < 0 THEN '-' END, nearest // {UNITS_PER_ONE}, '.',
    lpad((nearest % {UNITS_PER_ONE})::VARCHAR, {FRACTION_DIGITS}, '0'))::{_TYPE}
    AS average"""


def statement_of(
    question: Question, files: Sequence[str], cancelled: np.ndarray
) -> str:
    """Write the SELECT that answers a question.

    Args:
        question: what is asked, of one measure at least, without spans.
        files: paths or URLs of the segments, at least one.
        cancelled: positions (int64) of events that do not count.
    """
    assert question.measures, "a meter is asked for"
    assert files, "there is a file to read"
    assert question.spans is None, "it is about all time between its bounds"
    answers = [_answer(question, measure) for measure in question.measures]
    dimensions = dimension_columns(len(question.dimensions))
    columns = [
        "meter",
        "customer",
        *(
            f"{name} AS {_quoted(key)}"
            for name, key in zip(dimensions, question.dimensions, strict=True)
        ),
        f"make_timestamptz(greatest(since, {question.start})) AS window_start",
        f"make_timestamptz(least(until, {question.end})) AS window_end",
        "value",
        "event_count",
        "event_name",
    ]
    order = [
        "meter",
        "customer",
        *(f"{key} NULLS FIRST" for key in dimensions),
        "since",
    ]
    return "\n".join(
        [
            f"WITH event AS {_nested(_events(question, files, cancelled))},",
            f"stretch (begins, ends, length) AS {_nested(_stretches(question))},",
            "answer AS " + _nested("\nUNION ALL\n".join(answers)),
            _select(columns),
            "FROM answer",
            f"ORDER BY {', '.join(order)}",
        ]
    )


def _events(question: Question, files: Sequence[str], cancelled: np.ndarray) -> str:
    """Write what reads the events that may count, of any name and time."""
    places = ",\n".join(_text(file.translate(_PATTERN_LETTERS)) for file in files)
    conditions = [f"position <= {question.up_to}"]
    if len(cancelled):
        positions = _in_lines(map(str, sorted(cancelled.tolist())))
        conditions.append(f"position NOT IN {_nested(positions)}")
    if question.customers is not None:
        conditions.append(_is_among("customer", question.customers))
    columns = ["position", "event_name", "customer", "epoch_us(timestamp) AS instant"]
    return "\n".join(
        [
            _select([*columns, "value AS number", "payload"]),
            f"FROM read_parquet([\n{indent(places, '    ')}\n], hive_partitioning = false)",
            _where(conditions),
        ]
    )


def _stretches(question: Question) -> str:
    """Write the stretches of equal windows that reach into the time asked for."""
    windows = question.windows
    ends = (*windows.starts[1:], windows.end)
    rows = [
        f"({begins}, {end}, {length})"
        for begins, end, length in zip(
            windows.starts, ends, windows.lengths, strict=True
        )
        if begins < question.end and end > question.start
    ]
    return "VALUES\n" + indent(",\n".join(rows), "    ")


def _answer(question: Question, measure: Measure) -> str:
    """Write the part of the answer that is one measure's."""
    keys = ["customer", *dimension_columns(len(question.dimensions)), "since", "until"]
    names = [
        f"{_text(measure.meter_id)} AS meter",
        f"{_text(measure.event_name)} AS event_name",
    ]
    value = f"{_VALUES[measure.formula]} AS value"
    grouped = "\n".join(
        [
            _select([*names, *keys, value, "count(*) AS event_count"]),
            f"FROM {_nested(_in_windows(question, measure))}",
            "GROUP BY ALL",
        ]
    )
    if measure.formula is not Formula.AVG:
        return grouped
    averages = f"SELECT *,\n{indent(_AVERAGE, '    ')}\nFROM {_nested(grouped)}"
    columns = ["meter", "event_name", *keys, "average AS value", "event_count"]
    return f"{_select(columns)}\nFROM {_nested(averages)}"


def _in_windows(question: Question, measure: Measure) -> str:
    """Write the events that count of a measure, each with its window."""
    counted = _counted(question, measure)
    if measure.needs_number and measure.payload_key is not None:
        counted = "\n".join(
            [
                f"SELECT * EXCLUDE (number),\n{indent(_NUMBER_OF_TEXT, '    ')}",
                f"FROM {_nested(counted)}",
            ]
        )
    window = [
        "begins + (instant - begins) // length * length AS since",
        "since + length AS until",
    ]
    return "\n".join(
        [
            _select(["*", *window]),
            f"FROM {_nested(counted)}",
            "JOIN stretch ON instant >= begins AND instant < ends",
        ]
    )


def _counted(question: Question, measure: Measure) -> str:
    """Write the events that count of a measure."""
    start, end = bounds_of(question, measure)
    named = [f"event_name = {_text(measure.event_name)}"]
    candidates = "\n".join(
        ["SELECT *", "FROM event", _where([*named, *_between(start, end)])]
    )
    conditions = []
    if measure.is_preaggregated:
        window = f"customer, instant // {measure.preaggregation_length}"
        greatest = f"max(position) OVER (PARTITION BY {window})"
        candidates += f"\nQUALIFY position = {greatest}"
        conditions += _between(question.start, question.end)
    for key, allowed in question.filters.items():
        conditions.append(_is_among(_under(key), allowed))
    columns = ["customer", "instant", "position", "number"]
    names = dimension_columns(len(question.dimensions))
    for name, key in zip(names, question.dimensions, strict=True):
        columns.append(f"{_under(key)} AS {name}")
    if measure.payload_key is not None:
        columns.append(f"{_under(measure.payload_key)} AS content")
        conditions.append("content IS NOT NULL")
    elif measure.formula is not Formula.COUNT:
        columns.append("number AS content")
        conditions.append("number IS NOT NULL")
    parts = [_select(columns), f"FROM {_nested(candidates)}"]
    return "\n".join([*parts, _where(conditions)] if conditions else parts)


def _between(start: int, end: int) -> list[str]:
    return [f"instant >= {start}", f"instant < {end}"]


def _under(key: str) -> str:
    return f"payload[{_text(key)}]"


def _is_among(column: str, words: Iterable[str]) -> str:
    known = [_text(word) for word in sorted(words)]
    return f"{column} IN ({', '.join(known)})" if known else "false"


def _select(columns: Iterable[str]) -> str:
    return "SELECT " + ",\n    ".join(columns)


def _where(conditions: Iterable[str]) -> str:
    return "WHERE " + "\n    AND ".join(conditions)


def _nested(query: str) -> str:
    return f"(\n{indent(query, '    ')}\n)"


def _in_lines(words: Iterable[str]) -> str:
    """Write a list, several to a line."""
    known = list(words)
    return ",\n".join(
        ", ".join(known[at : at + _IN_A_LINE])
        for at in range(0, len(known), _IN_A_LINE)
    )


def _text(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
