"""Labels: what lies beside the customer and the value in a payload, as strings.

A label never costs the usage beside it. A null is no label. A number keeps the digits that
it was sent with, and a floating-point one has its shortest decimal, never an exponent.
Booleans are ``true`` and ``false``. Instants are RFC 3339 in UTC, times without a zone,
dates, times of day and durations ISO 8601, all without idle zeros. Objects and lists are
compact JSON in the order in which they were sent. What has no such string, is longer than
a payload's value may be, cannot be stored, or has a name that is no payload key is left
out, and counted.

The invariant: one value has one string, whether it comes as a Python object, in a column
or within JSON.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from itertools import islice, repeat
from math import isfinite
from typing import NamedTuple
from uuid import UUID

import msgspec
import numpy as np
import pyarrow as pa

from ledger.usage.arrow import compute as pc
from metering.arguments.arrow_types import (
    as_string,
    as_text,
    is_text,
    is_value,
    texts_of,
)
from metering.arguments.columns import are_null, are_storable
from metering.arguments.numbers import number_text
from metering.arguments.strings import LONGEST_NAME, LONGEST_TEXT, is_storable
from metering.errors import shown

UNWRITABLE = object()
"""Stands for a value without a string; in JSON it spoils all that it is part of."""

_JSON = msgspec.json.Encoder()
_MICROSECOND = timedelta(microseconds=1)
_FRACTION_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_IDLE_ZEROS = re.compile(r"\.(\d*?)0+(?=$|[Z+-])")
_DATE_OF_A_YEAR = r"^\d{4}-\d\d-\d\d$"
_TIME_OF_A_YEAR = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?Z?$"


class Labels(NamedTuple):
    """The labels of one name: their strings, null where a row has none.

    Attributes:
        are_left_out: which rows had a value that is left out (bool), None if there are none.
    """

    texts: pa.Array
    are_left_out: np.ndarray | None


def is_key(name: object) -> bool:
    """Whether a name is one that a payload can have."""
    return isinstance(name, str) and len(name) <= LONGEST_NAME and is_storable(name)


def split_labels(
    payload: Mapping[object, object], strict: Collection[str]
) -> tuple[dict[object, object], list[str]]:
    """Write the labels of a payload as strings.

    Args:
        payload: values by name.
        strict: the keys of the customer and the value, whose values stay as they are.

    Returns:
        The payload, and the names of what was left out.
    """
    kept: dict[object, object] = {}
    left_out: list[str] = []
    for name, value in payload.items():
        if name in strict:
            kept[name] = value
        elif value is not None:
            text = label_text(value) if is_key(name) else None
            if text is None:
                left_out.append(name if isinstance(name, str) else shown(name))
            else:
                kept[name] = text
    return kept, left_out


def label_text(value: object) -> str | None:
    """Write a value that is not None as a label; None where it is left out."""
    text = _written(value)
    is_label = text is not None and len(text) <= LONGEST_TEXT and is_storable(text)
    return text if is_label else None


def labels_of(column: pa.Array) -> Labels:
    """Write a column's values as labels."""
    plain = _plain(column)
    texts, are_fit = _texts(plain)
    if are_fit is None:
        return Labels(texts, None)
    are_left_out = ~(are_fit | are_null(plain))
    if not are_left_out.any():
        return Labels(texts, None)
    # Left where it is, a string that is no UTF-8 would spoil the others.
    kept = pc.if_else(pa.array(~are_left_out), texts, pa.scalar(None, pa.string()))
    return Labels(kept, are_left_out)


def _written(value: object) -> str | None:
    match value:
        case str():
            # A subclass may write itself otherwise in JSON.
            return value if type(value) is str else "".join((value,))
        case bool():
            return "true" if value else "false"
        case int() | float() | Decimal():
            return number_text(value) if _is_writable(value) else None
        case datetime() | date() | time() | timedelta():
            return _moment_text(value)
        case Mapping() | list() | tuple():
            return _json_text(value)
        case _:
            return str(value) if isinstance(value, UUID) else None


def _is_writable(number: float | Decimal) -> bool:
    """Whether a number has so few digits that it can be written without an exponent."""
    if isinstance(number, Decimal):
        return number.is_finite() and abs(number.adjusted()) < LONGEST_TEXT
    return isinstance(number, int) or isfinite(number)


def _moment_text(value: date | time | timedelta) -> str | None:
    match value:
        case timedelta():
            return _duration_text(value // _MICROSECOND, 6)
        case datetime(tzinfo=tzinfo()):
            try:
                text = value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
            except OverflowError:
                # The last hours of the year 9999 in another zone.
                return None
        case _:
            text = value.isoformat()
    # The year of pandas' missing time is "NaT".
    return _without_idle_zeros(text) if text[0].isdigit() else None


def _without_idle_zeros(text: str) -> str:
    return _IDLE_ZEROS.sub(lambda zeros: zeros[1] and f".{zeros[1]}", text)


def _duration_text(units: int, digits: int) -> str:
    """Write a duration of so many units of 10**-digits seconds."""
    seconds, fraction = divmod(abs(units), 10**digits)
    exact = f"{seconds}.{fraction:0{digits}d}" if digits else str(seconds)
    return f"{'-' if units < 0 else ''}PT{_without_idle_zeros(exact)}S"


def _json_text(value: object) -> str | None:
    try:
        return _encoded(_json_value(value))
    except RecursionError:
        return None


def _encoded(value: object) -> str | None:
    """Write what `_json_value` returned; None where a part of it is unwritable."""
    try:
        return _JSON.encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        return None


def _json_value(value: object) -> object:
    """Replace what JSON lacks by strings, and numbers by all their digits."""
    match value:
        case None | bool() | int():
            return value
        case float() | Decimal():
            return (
                _json_number(number_text(value)) if _is_writable(value) else UNWRITABLE
            )
        case Mapping():
            return _json_object(
                [(_written(key), _json_value(each)) for key, each in value.items()]
            )
        case list() | tuple():
            return [_json_value(each) for each in value]
        case _:
            text = _written(value)
            return UNWRITABLE if text is None else text


def _json_number(text: str) -> object:
    return msgspec.Raw(text.encode())


def _json_object(pairs: Sequence[tuple[str | None, object]]) -> object:
    found = dict(pairs)
    if None in found or len(found) != len(pairs):
        return UNWRITABLE
    return found


def _plain(column: pa.Array) -> pa.Array:
    """Decode a column, and take off the type that an application gave it."""
    if pa.types.is_dictionary(column.type):
        return _plain(column.dictionary_decode())
    if pa.types.is_run_end_encoded(column.type):
        return _plain(pc.run_end_decode(column))
    if isinstance(column, pa.ExtensionArray) and not isinstance(column, pa.UuidArray):
        return _plain(column.storage)
    return as_string(column)


def _texts(column: pa.Array) -> tuple[pa.Array, np.ndarray | None]:
    """Write a plain column as strings, with which are fit (bool), None if all are."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.string()), None
    texts = _spelled(column)
    are_fit = are_storable(texts, LONGEST_TEXT)
    if pa.types.is_floating(kind):
        is_finite = pc.is_finite(column).fill_null(pa.scalar(value=False))
        are_fit &= is_finite.to_numpy(zero_copy_only=False)
    return texts, are_fit


def _spelled(column: pa.Array) -> pa.Array:
    kind = column.type
    if is_value(kind):
        return as_text(column)
    if pa.types.is_temporal(kind):
        return _moment_texts(column)
    if pa.types.is_nested(kind):
        values: Iterable[object] = map(_encoded_or_none, _json_values(column))
    else:
        # A UUID, or bytes.
        values = (
            str(each) if isinstance(each, UUID) else None for each in column.to_pylist()
        )
    return pa.array(values, pa.string())


def _encoded_or_none(value: object) -> str | None:
    return None if value is None else _encoded(value)


def _moment_texts(column: pa.Array) -> pa.Array:
    """Write times in the spelling of `_moment_text`, but with Arrow's digits."""
    kind = column.type
    if pa.types.is_duration(kind):
        digits = _FRACTION_DIGITS[kind.unit]
        units = column.cast(pa.int64()).to_pylist()
        return pa.array(
            [None if each is None else _duration_text(each, digits) for each in units],
            pa.string(),
        )
    if pa.types.is_date(kind):
        texts = column.cast(pa.date32(), safe=False).cast(pa.string())
        return _only(texts, _DATE_OF_A_YEAR)
    if pa.types.is_time(kind):
        return _with_few_zeros(column.cast(pa.string()))
    if not pa.types.is_timestamp(kind):
        # Months have no length.
        return pa.nulls(len(column), pa.string())
    if kind.tz is not None:
        column = column.cast(pa.timestamp(kind.unit, "UTC"))
    texts = _only(column.cast(pa.string()), _TIME_OF_A_YEAR)
    return _with_few_zeros(pc.replace_substring(texts, " ", "T"))


def _only(texts: pa.Array, pattern: str) -> pa.Array:
    """Leave out what Arrow writes for years of more digits, and that nobody means."""
    is_spelled = pc.match_substring_regex(texts, pattern)
    return pc.if_else(is_spelled, texts, pa.scalar(None, pa.string()))


def _with_few_zeros(texts: pa.Array) -> pa.Array:
    """Drop idle zeros of fractions, each of which ends a string or has a Z behind it."""
    shorter = pc.replace_substring_regex(texts, r"(\.[0-9]*[1-9])0+(Z?)$", r"\1\2")
    return pc.replace_substring_regex(shorter, r"\.0+(Z?)$", r"\1")


def _json_values(column: pa.Array) -> list[object]:
    """Read a column as `_json_value` reads objects; None is null."""
    column = _plain(column)
    kind = column.type
    if pa.types.is_nested(kind):
        return _json_nested(column)
    if pa.types.is_null(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return list(column.to_pylist())
    if is_text(kind):
        # Of any length: the JSON as a whole is judged.
        return list(texts_of(column))
    texts, are_fit = _texts(column)
    assert are_fit is not None, "whole numbers and booleans are read above"
    as_json = _json_number if is_value(kind) else str
    return [
        None if is_null else UNWRITABLE if text is None or not is_fit else as_json(text)
        for text, is_fit, is_null in zip(
            texts_of(texts), are_fit, are_null(column), strict=True
        )
    ]


def _json_nested(column: pa.Array) -> list[object]:
    if pa.types.is_struct(column.type):
        return _json_structs(column)
    if pa.types.is_map(column.type):
        return _json_maps(column)
    if pa.types.is_union(column.type):
        return [UNWRITABLE] * len(column)
    values = iter(_json_values(column.flatten()))
    lengths = pc.list_value_length(column).to_pylist()
    return [None if n is None else list(islice(values, n)) for n in lengths]


def _json_structs(column: pa.StructArray) -> list[object]:
    names = column.type.names
    fields = [_json_values(field) for field in column.flatten()]
    rows = zip(*fields, strict=True) if fields else repeat((), len(column))
    return [
        _json_object(list(zip(names, row, strict=True))) if is_there else None
        for row, is_there in zip(rows, column.is_valid().to_pylist(), strict=True)
    ]


def _json_maps(column: pa.MapArray) -> list[object]:
    offsets = column.offsets.to_pylist()
    entries = slice(offsets[0], offsets[-1])
    keys = texts_of(_texts(_plain(column.keys[entries]))[0])
    pairs = list(zip(keys, _json_values(column.items[entries]), strict=True))
    return [
        _json_object(pairs[start - offsets[0] : end - offsets[0]]) if is_there else None
        for start, end, is_there in zip(
            offsets, offsets[1:], column.is_valid().to_pylist(), strict=False
        )
    ]
