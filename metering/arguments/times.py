"""Times as callers and sources give them: datetimes, numbers, strings.

Inside, a time is a count of microseconds since 1970 UTC. What is finer is floored, also
before 1970, so that a time lies in the window that it began in. What a time does not say
itself, its unit or its zone, a `TimeReading` says; nothing is guessed.
Sources: RFC 3339; ISO 8601; PEP 495 for local times that are skipped or come twice.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Literal, TypedDict

import msgspec

from metering.arguments.clock import at_microseconds, microseconds
from metering.arguments.refusals import invalid
from metering.arguments.zones import local_readings
from metering.errors import InvalidRequestError, shown

Time = datetime | int | str
UsageTime = Time | float | Decimal
TimeUnit = Literal["s", "ms", "us", "ns"]

NANOSECONDS: dict[TimeUnit, int] = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""In one of each unit."""
UNIT_NAMES: dict[TimeUnit, str] = {
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
}
SENSIBLE = (31_536_000 * 10**6, 4_102_444_800 * 10**6)
"""The years 1971 to 2099, in microseconds: no number is in them by two units."""
ZONED_TIME = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
    r"([Zz]| ?UTC|[+-][0-9]{2}:[0-9]{2})"
)
"""A pattern for the times of RFC 3339, and those that end in UTC."""

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?"
    r" ?(Z|z|UTC|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_NUMBER = re.compile(r"-?\d{1,40}(\.\d+)?", re.ASCII)
# More digits than any number has that is let through.
_EXACT = Context(prec=80, rounding=ROUND_FLOOR)
_MOST_DIGITS = 40
_MOST_BITS = 130
_SECONDS_PER_YEAR = 31_556_952
_MINUTE = 60_000_000
_LAST_MINUTE = 24 * 60 - 1
# What a datetime can hold.
_EARLIEST_SECONDS = -62_135_596_800
LATEST_SECONDS = 253_402_300_799
"""The last second of the year 9999."""


class TimeReading(msgspec.Struct, frozen=True, kw_only=True):
    """How times are read that do not say everything themselves.

    Attributes:
        unit: what numbers count, since 1970 UTC.
        zone: where times without a zone are local; None refuses them.
        floors: whether digits beyond the microsecond are dropped; they are refused
            otherwise.
        is_of_source: whether the options of a source chose unit and zone. Its dates and
            naive datetimes are read as its strings are.
    """

    unit: TimeUnit = "s"
    zone: tzinfo | None = None
    floors: bool = True
    is_of_source: bool = False

    def instant(self, time: object, param: str) -> int:
        """Return the time of some usage as microseconds since 1970 UTC.

        Raises:
            InvalidRequestError: it is not a time, is in no year from 1 to 9999, or
                could mean several instants.
        """
        match time:
            case datetime() if time.tzinfo is not None:
                return _within(microseconds(time), time, param)
            case str():
                return _of_text(time, param, self)
            case bool():
                raise _invalid(f"{time} is not a time", param)
            case int() | float() | Decimal():
                return _of_number(time, param, self)
            case date() if self.is_of_source:
                return _of_text(time.isoformat(), param, self)
            case datetime():
                reason = f"{time.isoformat()} has no time zone, give an aware datetime"
                raise _invalid(reason, param)
            case _:
                raise _no_time(time, param)


ONE_EVENT = TimeReading(zone=UTC)
"""How the time of an event is read that is sent alone."""
ARGUMENT = TimeReading(zone=UTC, floors=False)
"""How a time is read that is asked about."""


def instant(time: object, param: str) -> int:
    """Return a time that is asked about as microseconds since 1970 UTC.

    A string without a zone is in UTC.

    Raises:
        InvalidRequestError: the time is a naive datetime, is in no year from 1 to 9999,
            has digits beyond the microsecond, or is not a time at all.
    """
    if isinstance(time, datetime | int | str):
        return ARGUMENT.instant(time, param)
    raise _no_time(time, param)


def span_of(start_time: Time, end_time: Time) -> tuple[int, int]:
    """Return ``[start_time, end_time)`` as microseconds since 1970 UTC.

    Raises:
        InvalidRequestError: a time is malformed, or the end is not after the start.
    """
    start, end = instant(start_time, "start_time"), instant(end_time, "end_time")
    if end <= start:
        raise not_after(start_time, end_time)
    return start, end


def not_after(start_time: Time, end_time: Time) -> InvalidRequestError:
    """Return the refusal of an end that is not after its start."""
    return InvalidRequestError(
        f"Invalid end_time: {end_time} is not after start_time {start_time}",
        param="end_time",
    )


class CreatedBounds(TypedDict, total=False):
    """Bounds of when something was recorded.

    Attributes:
        gt: after.
        gte: at or after.
        lt: before.
        lte: at or before.
    """

    gt: Time
    gte: Time
    lt: Time
    lte: Time


def bounds_of(created: CreatedBounds | None) -> tuple[int, int]:
    """Return bounds as microseconds, ``[start, end)``.

    Raises:
        InvalidRequestError: a time is malformed.
    """
    starts, ends = [-(1 << 62)], [1 << 62]
    for name, time in (created or {}).items():
        at = instant(time, f"created[{name}]")
        if name in {"gte", "gt"}:
            starts.append(at + (name == "gt"))
        else:
            ends.append(at + (name == "lte"))
    return max(starts), min(ends)


def created_within(created: Time | CreatedBounds | None) -> tuple[int, int] | None:
    """Return when something was created that is asked for, as `bounds_of` does.

    A time in whole seconds means all that second; None is any time.

    Raises:
        InvalidRequestError: a time is malformed.
    """
    if created is None:
        return None
    if isinstance(created, Mapping):
        return bounds_of(created)
    start = instant(created, "created")
    return start, start + (1 if start % 1_000_000 else 1_000_000)


def duration(value: object, param: str, longest: timedelta) -> timedelta:
    """Check a length of time that is more than nothing.

    Raises:
        InvalidRequestError: it is not a timedelta, or out of bounds.
    """
    if not isinstance(value, timedelta) or not timedelta(0) < value <= longest:
        raise invalid(param, value, f"a timedelta of more than 0, up to {longest}")
    return value


def time_of(at: datetime) -> str:
    """Return a time in RFC 3339, with milliseconds, or microseconds where it has any."""
    precision = "microseconds" if at.microsecond % 1_000 else "milliseconds"
    return at.isoformat(timespec=precision).replace("+00:00", "Z")


def _of_number(
    number: int | float | Decimal,  # noqa: PYI041  # mypy tells them apart
    param: str,
    reading: TimeReading,
) -> int:
    exact: int | Decimal
    exact = Decimal(float.__repr__(number)) if isinstance(number, float) else number
    if not _is_within_reason(exact):
        reason = "a number of so many digits is in no year from 1 to 9999"
        raise _invalid(f"{reason}, give seconds since 1970", param)
    at = _floored(exact, reading.unit)
    if SENSIBLE[0] <= at < SENSIBLE[1]:
        return at
    is_in_its_year = SENSIBLE[0] <= at <= LATEST_SECONDS * 1_000_000
    for unit in NANOSECONDS:
        other = _floored(exact, unit)
        if SENSIBLE[0] <= other < SENSIBLE[1] and not is_in_its_year:
            raise _other_unit(exact, unit, other, param, reading)
    return _within(at, f"{shown(number)} {UNIT_NAMES[reading.unit]} since 1970", param)


def _is_within_reason(number: int | Decimal) -> bool:
    """Whether a number is worth a calculation, and Python writes it."""
    if isinstance(number, int):
        return number.bit_length() < _MOST_BITS
    return number.is_finite() and number.adjusted() < _MOST_DIGITS


def _floored(number: int | Decimal, unit: TimeUnit) -> int:
    """Return so many of a unit as microseconds."""
    if isinstance(number, int):
        return number * NANOSECONDS[unit] // 1_000
    scaled = _EXACT.multiply(number, NANOSECONDS[unit])
    return int(_EXACT.divide(scaled, 1_000).to_integral_value(ROUND_FLOOR))


def _other_unit(
    number: int | Decimal, unit: TimeUnit, at: int, param: str, reading: TimeReading
) -> InvalidRequestError:
    """Return the refusal of a number that another unit would put in a sensible year."""
    seconds = _floored(number, reading.unit) // 1_000_000
    year = 1970 + seconds // _SECONDS_PER_YEAR
    cure = f"timestamp_unit={unit!r}" if reading.is_of_source else "seconds"
    return _invalid(
        f"{number} is in the year {year} in {UNIT_NAMES[reading.unit]}; in"
        f" {UNIT_NAMES[unit]} it is {time_of(at_microseconds(at))}; give {cure}",
        param,
    )


def _of_text(text: str, param: str, reading: TimeReading) -> int:
    if _NUMBER.fullmatch(text):
        number = Decimal(text) if "." in text else int(text)
        return _of_number(number, param, reading)
    parts = _ISO.fullmatch(text)
    if parts is None:
        raise _no_iso(text, param)
    *written, fraction, zone = parts.groups(default="")
    if not reading.floors and fraction[6:].strip("0"):
        reason = f"{shown(text)} has digits beyond the microsecond"
        raise _invalid(f"{reason}, which cannot be kept", param)
    year, month, day, hour, minute, second = (int(each or 0) for each in written)
    if len(zone) == len("+02") and zone != "UTC" and not written[3]:
        # It might be the hour.
        raise _no_iso(text, param)
    is_leap = second == 60
    try:
        local = datetime(year, month, day, hour, minute, second - is_leap, tzinfo=UTC)
        offset = _offset_of(zone)
    except ValueError as error:
        raise _invalid(f"{shown(text)} is not a time: {error}", param) from error
    at = microseconds(local) + int(fraction[:6].ljust(6, "0") or 0)
    at = _in_zone(at, text, param, reading) if offset is None else at - offset
    if is_leap:
        minutes = at // _MINUTE
        if minutes % (_LAST_MINUTE + 1) != _LAST_MINUTE:
            reason = f"{shown(text)} has a leap second, which only 23:59 UTC can have"
            raise _invalid(reason, param)
        at = (minutes + 1) * _MINUTE
    return _within(at, text, param)


def _offset_of(zone: str) -> int | None:
    """Return what a zone's sign, hours and minutes come to, None where there are none.

    Raises:
        ValueError: it is a day or more.
    """
    if not zone:
        return None
    if zone in {"Z", "z", "UTC"}:
        return 0
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        reason = f"offset {zone} is not from -23:59 to +23:59"
        raise ValueError(reason)
    return (hours * 60 + minutes) * (-_MINUTE if zone[0] == "-" else _MINUTE)


def _in_zone(at: int, text: str, param: str, reading: TimeReading) -> int:
    """Return the instant of a local time."""
    if reading.zone is None:
        cure = "end it in Z or an offset, or give timezone, such as timezone='UTC'"
        raise _invalid(f"{shown(text)} has no time zone; {cure}", param)
    first, second = local_readings(at, reading.zone)
    if first == second:
        return first
    kind = "comes twice" if first < second else "is skipped"
    both = " or ".join(time_of(at_microseconds(each)) for each in (first, second))
    reason = f"{shown(text)} {kind} in {reading.zone}; it could mean {both}"
    raise _invalid(f"{reason}; give one of these", param)


def _within(at: int, time: object, param: str) -> int:
    """Check that a datetime in UTC can hold a time: an offset may carry it beyond."""
    if not _EARLIEST_SECONDS * 1_000_000 <= at < (LATEST_SECONDS + 1) * 1_000_000:
        raise _invalid(f"{time} is in no year from 1 to 9999 in UTC", param)
    return at


def _no_iso(text: str, param: str) -> InvalidRequestError:
    reason = f"{shown(text)} is not an ISO 8601 time such as 2026-01-31T12:00:00Z"
    return _invalid(reason, param)


def _no_time(time: object, param: str) -> InvalidRequestError:
    reason = (
        f"{shown(time)} is not a time, give an aware datetime, whole seconds since"
        " 1970 or an ISO 8601 string"
    )
    return _invalid(reason, param)


def _invalid(reason: str, param: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"Invalid {param}: {reason}", code="timestamp_invalid", param=param
    )
