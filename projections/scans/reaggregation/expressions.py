"""Expressions: of what queries are made, in the SQL of DuckDB.

Source: https://duckdb.org/docs/stable/sql/functions/overview
"""

import re
from collections.abc import Iterable, Sequence
from textwrap import indent

from ledger.usage.quantities import (
    FRACTION_DIGITS,
    LONGEST_TEXT,
    QUANTITY,
)
from projections.scans.reaggregation.question import WindowStretch

TYPE = f"DECIMAL({QUANTITY.precision}, {QUANTITY.scale})"
NO_NUMBER = "has no number that fits"
"""What the error of a string that is no quantity says."""

# The cast of DuckDB takes blanks and underscores, and rounds.
EXACT = f"""\
regexp_extract(content, '^[^eE]*') AS mantissa,
replace(mantissa, '.', '') AS digits,
length(regexp_extract(mantissa, '[.]([0-9]+)', 1))
    - coalesce(try_cast(regexp_extract(content, '[eE](.*)', 1) AS INTEGER), 0)
    - (length(digits) - length(rtrim(digits, '0'))) AS fraction_digits,
CASE
    WHEN length(content) > {LONGEST_TEXT} OR NOT regexp_full_match(content,
        '-?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]{{1,4}})?') THEN NULL
    WHEN regexp_full_match(digits, '-?0*') THEN 0
    WHEN fraction_digits <= {FRACTION_DIGITS} THEN try_cast(content AS {TYPE})
END AS exact"""
"""The string `content` as the quantity `exact`; null where it is none."""
NUMBER = f"""\
{EXACT},
coalesce(exact, error(printf('the event at position %d {NO_NUMBER}: %s',
    position, content))) AS number"""
"""The string `content` as the quantity `number`, or an error."""
# DuckDB divides in floating point. A quotient is a guess there, and a little too small,
# lest its product overflow; what remains is exact, and below a unit after three of them.
_GUESSES = 3
_GUESS = f"(undivided / event_count * 0.999999999999999)::{TYPE}"
_UNIT = (
    f"0.{'1':0>{FRACTION_DIGITS}}::DECIMAL({FRACTION_DIGITS + 1}, {FRACTION_DIGITS})"
)
_AVERAGE = f"""\
CASE
    WHEN 2 * abs(undivided) < {_UNIT} * event_count THEN average
    WHEN 2 * abs(undivided) = {_UNIT} * event_count
        AND average % (2 * {_UNIT}) = 0 THEN average
    ELSE average + sign(undivided) * {_UNIT}
END"""

# All at which `str.splitlines` begins a new line.
_LINE_END = re.compile("[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_ESCAPE = "\\"
_PATTERN_LETTERS = str.maketrans({"[": "[[]", "*": "[*]", "?": "[?]"})


def averages(sums: str) -> str:
    """Write sums with their `average`, a half rounded to the even neighbour.

    Args:
        sums: have what is to be divided yet as `undivided`, by `event_count`, and as
            `average` what is to be added to it, an even number of units.
    """
    for at in range(_GUESSES):
        guessed = f"SELECT *, {_GUESS} AS guess_{at}\nFROM {nested(sums)}"
        replaced = f"average + guess_{at} AS average, undivided - guess_{at} * event_count AS undivided"
        sums = f"SELECT * REPLACE ({replaced})\nFROM {nested(guessed)}"
    return f"SELECT * REPLACE ({_AVERAGE} AS average)\nFROM {nested(sums)}"


def dimension_columns(dimensions: Sequence[str]) -> list[str]:
    """Return the columns of dimensions, whose payload keys could clash with others."""
    return [f"dimension_{at}" for at in range(len(dimensions))]


def named_dimensions(dimensions: Sequence[str]) -> list[str]:
    """Return the columns of dimensions under their payload keys."""
    names = dimension_columns(dimensions)
    return [
        f"{name} AS {_quoted(key)}" for name, key in zip(names, dimensions, strict=True)
    ]


def in_dimensions(dimensions: Sequence[str]) -> list[str]:
    """Return the strings of an event under the payload keys of dimensions."""
    names = dimension_columns(dimensions)
    return [
        f"{under(key)} AS {name}" for name, key in zip(names, dimensions, strict=True)
    ]


def number_of_window(stretches: Sequence[WindowStretch]) -> str:
    """Return the number of the window of an `instant`.

    To halve the stretches takes a few comparisons, and a third of the time that joining
    them takes. Numbers are grouped and sorted faster than instants are.
    """
    if len(stretches) > 1:
        half = len(stretches) // 2
        before, after = map(number_of_window, (stretches[:half], stretches[half:]))
        is_before = f"instant < {stretches[half].begins}"
        return f"CASE WHEN {is_before} THEN {before}\nELSE {after} END"
    ((_, length, shift),) = stretches
    return f"(instant {-shift:+}) // {length}"


def in_stretch(stretches: Sequence[WindowStretch], found: str) -> str:
    """Return what is found of the `window_number` of a window."""
    if len(stretches) > 1:
        half = len(stretches) // 2
        before, after = (
            in_stretch(stretches[:half], found),
            in_stretch(stretches[half:], found),
        )
        is_before = f"window_number < {stretches[half].first}"
        return f"CASE WHEN {is_before} THEN {before}\nELSE {after} END"
    ((_, length, shift),) = stretches
    return found.format(length=length, shift=shift)


def files_read(paths: Iterable[str]) -> str:
    """Return what reads the rows of Parquet files, at least one."""
    places = ",\n".join(text(path.translate(_PATTERN_LETTERS)) for path in paths)
    return f"read_parquet([\n{indent(places, '    ')}\n], hive_partitioning = false)"


def under(key: str) -> str:
    """Return the string of an event under a payload key; null where it has none."""
    return f"payload[{text(key)}]"


def is_among(column: str, words: Iterable[str]) -> str:
    """Return whether a column has one of some strings."""
    known = [text(word) for word in sorted(filter(is_storable, words))]
    return f"{column} IN ({', '.join(known)})" if known else "false"


def is_storable(word: str) -> bool:
    """Whether an event can have a string: queries cannot hold the others."""
    if word.isascii():
        return "\0" not in word
    try:
        return b"\0" not in word.encode()
    except UnicodeEncodeError:
        return False


def between(column: str, start: str, end: str) -> list[str]:
    """Return the conditions of ``[start, end)``."""
    return [f"{column} >= {start}", f"{column} < {end}"]


def select(columns: Iterable[str]) -> str:
    """Return the columns that a query has."""
    return "SELECT " + ",\n    ".join(columns)


def where(conditions: Iterable[str]) -> str:
    """Return conditions, all of which hold; nothing without any."""
    known = list(conditions)
    return "\nWHERE " + "\n    AND ".join(known) if known else ""


def nested(query: str) -> str:
    """Return a query inside another one."""
    return f"(\n{indent(query, '    ')}\n)"


def text(word: str) -> str:
    """Return a string as it is written in a query, where lines may be indented."""
    quoted = word.replace("'", "''")
    if not _LINE_END.search(word):
        return f"'{quoted}'"
    return f"E'{_LINE_END.sub(_escaped, quoted.replace(_ESCAPE, _ESCAPE * 2))}'"


def _escaped(end: re.Match[str]) -> str:
    return "".join(f"{_ESCAPE}x{byte:02x}" for byte in end[0].encode())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
