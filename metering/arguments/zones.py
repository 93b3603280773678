"""Time zones by their IANA names."""

from datetime import UTC, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta

from metering.arguments.refusals import invalid

_LONGEST = 100


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


def check_zone(name: str, param: str) -> str:
    """Return the name of a time zone that there is."""
    zone_of(name, param)
    return name


ZoneName = Annotated[str, Meta(min_length=1, max_length=_LONGEST), check_zone]
