"""What a column looks like: one of another name, or one of times.

Nothing is taken for what it looks like. Refusals say it.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date

from metering.arguments.times import NANOSECONDS, SENSIBLE, TimeReading
from metering.errors import InvalidRequestError

_SEPARATORS = re.compile(r"[\s_-]+")
_TIME_NAME = re.compile(
    r"time|date|created|occurred|(^|[\W_])(at|ts|when|day)$", re.IGNORECASE
)


def near_names(wanted: str, names: Iterable[str]) -> list[str]:
    """Return names that differ only by case, blanks, - or _."""
    return sorted(name for name in names if _bare(name) == _bare(wanted))


def has_times(name: str, first: object) -> bool:
    """Whether a column looks as if it held times, by its first cell and its name."""
    match first:
        case None:
            return _TIME_NAME.search(name) is not None
        case date():
            return True
        case str() if not first.strip().isdecimal():
            return _is_sensible(first.strip())
        case _:
            return _TIME_NAME.search(name) is not None and _is_sensible(first)


def _bare(name: str) -> str:
    return _SEPARATORS.sub("", name).casefold()


def _is_sensible(cell: object) -> bool:
    """Whether a cell is a time in a sensible year, by some unit where it is a number."""
    for unit in NANOSECONDS:
        try:
            at = TimeReading(unit=unit, zone=UTC).instant(cell, "timestamp")
        except InvalidRequestError:
            continue
        if SENSIBLE[0] <= at < SENSIBLE[1]:
            return True
    return False
