"""Columns of times: for each row an instant, and whether it is plainly the right one.

As in `metering.arguments.columns`, the masks err on the side of False, and what a mask
lets through is what `TimeReading.instant` makes of the same cell.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, tzinfo
from decimal import Decimal
from functools import lru_cache

import numpy as np
import pyarrow as pa

from ledger.usage.arrow import compute as pc
from metering.arguments.arrow_types import is_text, texts_of
from metering.arguments.columns import are_null
from metering.arguments.times import NANOSECONDS, SENSIBLE, TimeReading, UsageTime
from metering.arguments.zones import local_readings

Instants = tuple[np.ndarray, np.ndarray]
"""Microseconds since 1970 UTC (int64), and which of them count (bool)."""

# Years that nanoseconds can count, and nothing that Arrow reads otherwise than we do.
_DAY = r"^(19|20|21)\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_CLOCK = r"[T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?"
_LOCAL = rf"{_DAY}({_CLOCK})?$"
_ZONED = rf"{_DAY}{_CLOCK}(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)$"
_IN_UTC = rf"{_DAY}{_CLOCK} UTC$"
_FRACTION_DIGITS = {"s": 9, "ms": 6, "us": 3, "ns": 0}
_HOUR = 3_600_000_000
_HOURS_KEPT = 1 << 16


def plain_timestamps(
    column: pa.Array, earliest: int, latest: int, reading: TimeReading
) -> Instants:
    """Read timestamps in ``[earliest, latest]``."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    instants, is_plain = _instants(column, reading)
    is_plain &= (instants >= earliest) & (instants <= latest)
    return instants, is_plain


def times_of(column: pa.Array) -> list[UsageTime | None]:
    """Read times as strings with all their digits, or as numbers."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if _is_number(column.type):
        return list(column.to_pylist())
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        # In UTC, since the last hours of the year 9999 are in no year of other zones.
        column = column.cast(pa.timestamp(column.type.unit, "UTC"))
    return list(texts_of(column.cast(pa.string())))


def _instants(column: pa.Array, reading: TimeReading) -> Instants:
    if is_text(column.type):
        return _of_texts(column, reading)
    if pa.types.is_integer(column.type):
        return _of_integers(column, reading)
    if _is_number(column.type):
        return _of_numbers(column, reading)
    is_local = pa.types.is_date(column.type) or column.type.tz is None
    if pa.types.is_date(column.type):
        # Milliseconds of a day, which some writers leave in a date, say nothing.
        column = column.cast(pa.date32(), safe=False).cast(pa.timestamp("s"))
    instants, is_plain = _of_counts(column, NANOSECONDS[column.type.unit], reading)
    return (
        _in_zone(instants, is_plain, reading.zone) if is_local else (instants, is_plain)
    )


def _is_number(kind: pa.DataType) -> bool:
    return any(
        is_kind(kind)
        for is_kind in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    )


def _of_counts(column: pa.Array, nanoseconds: int, reading: TimeReading) -> Instants:
    """Read counts of a unit that are in sensible years."""
    counts = column.view(pa.int64()).fill_null(0).to_numpy()
    first, end = (each * 1_000 // nanoseconds for each in SENSIBLE)
    is_plain = ~are_null(column) & (counts >= first) & (counts < end)
    if nanoseconds == 1:
        instants = counts // 1_000
        if not reading.floors:
            is_plain &= instants * 1_000 == counts
        return instants, is_plain
    return np.where(is_plain, counts, 0) * (nanoseconds // 1_000), is_plain


def _of_integers(column: pa.Array, reading: TimeReading) -> Instants:
    # One that is too large for the type becomes negative.
    counts = column.cast(pa.int64(), safe=False)
    return _of_counts(counts, NANOSECONDS[reading.unit], reading)


def _of_numbers(column: pa.Array, reading: TimeReading) -> Instants:
    """Take numbers with fractions that nanoseconds can count."""
    if pa.types.is_floating(column.type):
        column = pa.array(
            [
                None if each is None else _decimal_text(each)
                for each in column.to_pylist()
            ],
            pa.string(),
        )
        return _of_texts(column, reading)
    return _of_decimals(column, reading)


def _decimal_text(number: float) -> str:
    text = repr(number)
    return f"{Decimal(text):f}" if "e" in text else text


def _of_decimals(column: pa.Array, reading: TimeReading) -> Instants:
    """Take decimals, or strings of them, as nanoseconds."""
    exact = pa.decimal128(38, _FRACTION_DIGITS[reading.unit])
    try:
        exact_numbers = column.cast(exact)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _nothing(len(column))
    # Each is two words, the lower one first; nanoseconds of sensible years fit in one.
    words = np.frombuffer(exact_numbers.buffers()[1], np.int64)
    words = words[2 * exact_numbers.offset :][: 2 * len(column)].reshape(-1, 2)
    nanoseconds, is_plain = _of_counts(pa.array(words[:, 0]), 1, reading)
    return nanoseconds, is_plain & (words[:, 1] == 0) & ~are_null(column)


def _of_texts(texts: pa.Array, reading: TimeReading) -> Instants:
    """Take strings of the usual kinds, first of the kind that the first one is of."""
    instants, is_plain = _nothing(len(texts))
    first = texts_of(texts[:1])
    kinds = sorted(
        _kinds_of(reading),
        key=lambda kind: not (first and re.search(kind[0], first[0] or "", re.ASCII)),
    )
    for pattern, take in kinds:
        others = texts if not is_plain.any() else _only(texts, pa.array(~is_plain))
        is_usual = pc.match_substring_regex(others, pattern).fill_null(
            pa.scalar(value=False)
        )
        if not pc.any(is_usual).as_py():
            continue
        taken, are_good = take(_only(others, is_usual))
        instants[are_good] = taken[are_good]
        is_plain |= are_good
        if is_plain.all():
            break
    return instants, is_plain


def _only(texts: pa.Array, wanted: pa.Array) -> pa.Array:
    if pc.all(wanted).as_py():
        return texts
    return pc.if_else(wanted, texts, pa.scalar(None, texts.type))


def _kinds_of(
    reading: TimeReading,
) -> Iterator[tuple[str, Callable[[pa.Array], Instants]]]:
    def zoned(column: pa.Array) -> Instants:
        return _parsed(column, pa.timestamp("ns", "UTC"), reading)

    def in_utc(column: pa.Array) -> Instants:
        return zoned(pc.replace_substring(column, " UTC", "Z"))

    def local(column: pa.Array) -> Instants:
        return _in_zone(*_parsed(column, pa.timestamp("ns"), reading), reading.zone)

    def number(column: pa.Array) -> Instants:
        return _of_decimals(column, reading)

    digits = _FRACTION_DIGITS[reading.unit]
    fraction = rf"(\.\d{{1,{digits}}})?" if digits else ""
    yield _ZONED, zoned
    if reading.zone is not None:
        yield _LOCAL, local
    yield rf"^\d{{1,19}}{fraction}$", number
    yield _IN_UTC, in_utc


def _parsed(texts: pa.Array, kind: pa.TimestampType, reading: TimeReading) -> Instants:
    try:
        return _of_counts(texts.cast(kind), 1, reading)
    except pa.ArrowInvalid:
        # One is no day of its month; the check of one event finds which.
        return _nothing(len(texts))


def _in_zone(local: np.ndarray, is_plain: np.ndarray, zone: tzinfo | None) -> Instants:
    """Turn local times into instants, where they mean one in the whole of their hour."""
    if zone is None:
        return local, np.zeros(len(local), bool)
    if zone is UTC:
        return local, is_plain
    hours, of_row = np.unique(
        np.where(is_plain, local // _HOUR, 0), return_inverse=True
    )
    offsets = [_offset_in_hour(hour, zone) for hour in hours.tolist()]
    is_certain = np.array([offset is not None for offset in offsets], bool)
    by_hour = np.array([offset or 0 for offset in offsets], np.int64)
    return local - by_hour[of_row], is_plain & is_certain[of_row]


@lru_cache(_HOURS_KEPT)
def _offset_in_hour(hour: int, zone: tzinfo) -> int | None:
    """Return what is to be taken off each local time in an hour, None if that varies."""
    start, last = hour * _HOUR, (hour + 1) * _HOUR - 1
    offsets = {
        local - instant
        for local in (start, last)
        for instant in local_readings(local, zone)
    }
    return offsets.pop() if len(offsets) == 1 else None


def _nothing(length: int) -> Instants:
    return np.zeros(length, np.int64), np.zeros(length, bool)
