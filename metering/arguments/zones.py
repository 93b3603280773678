"""Time zones by their IANA names."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta

from metering.arguments.clock import MICROSECOND
from metering.arguments.refusals import invalid

_LONGEST = 100
_LOCAL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # of any zone


def zone_of(name: str, param: str) -> tzinfo:
    """Return the time zone of an IANA name.

    Raises:
        InvalidRequestError: there is none.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (LookupError, OSError, TypeError, ValueError) as error:
        allowed = "a time zone of the IANA database, such as Europe/Berlin"
        raise invalid(param, name, allowed) from error


def local_readings(local: int, zone: tzinfo) -> tuple[int, int]:
    """Return the two instants that a local time can mean, mostly one and the same.

    Args:
        local: microseconds since 1970 by the clocks of the zone.
        zone: a time zone.

    Returns:
        Microseconds since 1970 UTC, by the offset before and by the offset after: the
        second is later where clocks go back and the time comes twice, and earlier where
        they go forward and it is skipped.
    """
    before = (_LOCAL_EPOCH + timedelta(microseconds=local)).replace(tzinfo=zone)
    after = before.replace(fold=1)
    first, second = (
        (zone.utcoffset(each) or timedelta(0)) // MICROSECOND
        for each in (before, after)
    )
    return local - first, local - second


def check_zone(name: str, param: str) -> str:
    """Return the name of a time zone that there is."""
    zone_of(name, param)
    return name


ZoneName = Annotated[str, Meta(min_length=1, max_length=_LONGEST), check_zone]
