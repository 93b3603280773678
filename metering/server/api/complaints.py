"""Complaints: how often the server logs what a client may bring about at will.

A client without a key can make a server complain: by requests while its store cannot be
asked, by connections where there are no descriptors left, by a network that breaks off.
Of each complaint so many are logged in a while, and the next one says how many were not.
"""

import logging
import time
from collections.abc import Callable

COMPLAINTS_MAX = 10
"""How often the same complaint is logged in a minute."""
_SECONDS = 60.0


class SomeOfEach(logging.Filter):
    """Passes some of the records of each place in the code, and counts the others.

    Args:
        most: how many pass in a minute.
        monotonic: returns the time in seconds, never backwards.
    """

    def __init__(
        self,
        most: int = COMPLAINTS_MAX,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._most = most
        self._monotonic = monotonic
        # By place: when its minute began, how many passed in it, how many did not.
        self._places: dict[tuple[str, int], tuple[float, int, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is logged; its message says how many before it were not."""
        place, now = (record.pathname, record.lineno), self._monotonic()
        began, passed, omitted = self._places.get(place, (now, 0, 0))
        if now - began >= _SECONDS:
            began, passed = now, 0
        if passed >= self._most:
            self._places[place] = began, passed, omitted + 1
            return False
        self._places[place] = began, passed + 1, 0
        if omitted:
            record.msg = f"{record.getMessage()} ({omitted:,} more like it, not logged)"
            record.args = ()
        return True


def limit_complaints(logger: logging.Logger) -> logging.Logger:
    """Return a logger that logs only some of what repeats itself."""
    if not any(isinstance(each, SomeOfEach) for each in logger.filters):
        logger.addFilter(SomeOfEach())
    return logger
