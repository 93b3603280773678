"""Times as callers give them: aware datetimes, whole seconds, ISO 8601 strings.

Inside, a time is a count of microseconds since 1970 UTC. Nothing is rounded: digits
beyond the microsecond must be zero.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from metering.arguments.clock import microseconds
from metering.arguments.refusals import invalid
from metering.errors import InvalidRequestError, shown

Time = datetime | int | str

_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?)?\s?"
    r"(Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_SECONDS = re.compile(r"\d{1,12}", re.ASCII)
# What a datetime can hold.
_EARLIEST_SECONDS = -62_135_596_800
LATEST_SECONDS = 253_402_300_799
"""The last second of the year 9999."""


def instant(time: object, param: str) -> int:
    """Return a time as microseconds since 1970 UTC.

    Raises:
        InvalidRequestError: the time is naive, has digits beyond the microsecond, is in
            no year from 1 to 9999, or is not a time at all.
    """
    match time:
        case datetime():
            if time.tzinfo is None:
                reason = f"{time.isoformat()} has no time zone, give an aware datetime"
                raise _invalid(reason, param)
            return _within(microseconds(time), time, param)
        case bool():
            raise _invalid(f"{time} is not a time", param)
        case int():
            if not _EARLIEST_SECONDS <= time <= LATEST_SECONDS:
                reason = f"{shown(time)} is in no year from 1 to 9999, give seconds since 1970"
                raise _invalid(reason, param)
            return time * 1_000_000
        case str():
            return _instant_of_text(time, param)
        case _:
            reason = (
                f"{shown(time)} is not a time, give an aware datetime, whole seconds since"
                " 1970 or an ISO 8601 string"
            )
            raise _invalid(reason, param)


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


def _instant_of_text(text: str, param: str) -> int:
    if _SECONDS.fullmatch(text):
        return instant(int(text), param)
    parts = _ISO.fullmatch(text)
    if parts is None:
        reason = f"{shown(text)} is not an ISO 8601 time such as 2026-01-31T12:00:00Z"
        raise _invalid(reason, param)
    day, clock, fraction, zone = parts.groups(default="")
    if fraction[6:].strip("0"):
        reason = (
            f"{shown(text)} has digits beyond the microsecond, which cannot be kept"
        )
        raise _invalid(reason, param)
    try:
        time = datetime.fromisoformat(f"{day}T{clock or '00:00'}{zone}")
    except ValueError as error:
        raise _invalid(f"{shown(text)} is not a time: {error}", param) from error
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    at = microseconds(time) + int(fraction[:6].ljust(6, "0") or 0)
    return _within(at, text, param)


def _within(at: int, time: object, param: str) -> int:
    """Check that a datetime in UTC can hold a time: an offset may carry it beyond."""
    if not _EARLIEST_SECONDS * 1_000_000 <= at < (LATEST_SECONDS + 1) * 1_000_000:
        raise _invalid(f"{time} is in no year from 1 to 9999 in UTC", param)
    return at


def _invalid(reason: str, param: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"Invalid {param}: {reason}", code="timestamp_invalid", param=param
    )
