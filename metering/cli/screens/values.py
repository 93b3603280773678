"""Values of results: whatever a query returns, as JSON, as CSV and on a screen.

Decimals keep all their digits and lose trailing zeros. Times outside Python's range and
intervals become strings. Maps with string keys become objects, other maps become lists of
keys with their values.
"""

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa

from ledger.usage.quantities import shortest
from metering.cli.screens.screen import ENCODER
from metering.cli.screens.text import moment
from projections.errors import QueryError


def plain_values(column: pa.Array | pa.ChunkedArray, name: str) -> list[object]:
    """Turn a column into values that JSON has.

    Raises:
        QueryError: it holds a value that only Arrow can hold.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return plain_values(column.cast(kind.value_type), name)
    has_nanoseconds = pa.types.is_temporal(kind) and getattr(kind, "unit", "") == "ns"
    try:
        if has_nanoseconds:
            return _as_strings(column)
        return [_plain(value, kind) for value in column.to_pylist()]
    except (OverflowError, ValueError, pa.ArrowException) as error:
        # Years beyond 9999, for instance.
        if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
            return _as_strings(column)
        reason = f"its column {name!r} has a value that cannot be written: {error}"
        raise QueryError(f"{reason}; cast it to VARCHAR") from error


def text_in_csv(value: object) -> str | None:
    """Write a plain value as a field of a CSV file, None where there is none."""
    match value:
        case None:
            return None
        case str():
            return value
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case float() | date() | time():
            return str(value)
        case _:
            return ENCODER.encode(value).decode()


def text_on_screen(value: object) -> str:
    """Write a plain value for people to read."""
    match value:
        case datetime():
            return moment(value) if value.tzinfo else value.isoformat(" ")
        case dict() if all(isinstance(each, str) for each in value.values()):
            return ", ".join(f"{key}={each}" for key, each in value.items())
        case _:
            return text_in_csv(value) or ""


def _plain(value: object, kind: pa.DataType) -> object:
    match value:
        case Decimal():
            return shortest(value)
        case bytes():
            return value.hex()
        case pa.MonthDayNano():
            return _interval(value)
        case dict() | list():
            return _nested(value, kind)
        case _:
            return value


def _nested(value: dict[str, object] | list[Any], kind: pa.DataType) -> object:
    if isinstance(value, dict):
        return {field.name: _plain(value[field.name], field.type) for field in kind}
    if not pa.types.is_map(kind):
        return [_plain(each, kind.value_type) for each in value]
    pairs = [
        (_plain(key, kind.key_type), _plain(each, kind.item_type))
        for key, each in value
    ]
    if pa.types.is_string(kind.key_type):
        return dict(pairs)
    return [{"key": key, "value": each} for key, each in pairs]


def _interval(value: pa.MonthDayNano) -> str:
    """Write an interval as ISO 8601 does."""
    seconds = shortest(Decimal(value.nanoseconds).scaleb(-9))
    return f"P{value.months}M{value.days}DT{seconds:f}S"


def _as_strings(column: pa.Array | pa.ChunkedArray) -> list[object]:
    strings: list[object] = column.cast(pa.string()).to_pylist()
    return strings
