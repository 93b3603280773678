"""Strangers: requests whose key no look has found, which wait in line for their turns.

What a stranger asks for costs the server more than the stranger, so a flood of them
takes a fixed part of the event loop, and clients with keys keep the rest. A line costs
nothing while it waits: nothing of a body is read.
"""

import asyncio
import math
import time

from metering.server.api.errors import ServerBusyError

STRANGERS_PER_SECOND = 200
"""How many requests without a known key are answered a second, in the long run."""
VISITORS_PER_SECOND = 100
"""How many requests for what needs no key are, such as those for the health."""
STRANGERS_WAITING_MAX = 512
"""How many of either wait for their turns; more are refused."""
_AT_ONCE = 100
_TOGETHER_SECONDS = 0.1


class Line:
    """A line in which requests wait for their turns. For one event loop at a time.

    Args:
        per_second: how many turns there are a second, beside a few at once.
        waiting_max: how many may wait.
    """

    def __init__(self, per_second: int, waiting_max: int) -> None:
        self._interval = 1 / per_second
        self._waiting_max = waiting_max
        self._waiting = 0
        self._next = 0.0
        self._refused_at = -math.inf

    @property
    def has_refused(self) -> bool:
        """Whether more have come in the last second than may wait."""
        return time.monotonic() < self._refused_at + 1

    async def turn(self) -> None:
        """Wait for a turn.

        Raises:
            ServerBusyError: as many wait as may.
        """
        now = asyncio.get_running_loop().time()
        earliest = now - _AT_ONCE * self._interval
        if self._waiting >= self._waiting_max:
            self._refused_at = time.monotonic()
            raise ServerBusyError("too many requests come without a key that it knows")
        turn = max(self._next, earliest)
        self._next = turn + self._interval
        if turn <= now:
            return
        # Some at a time, who share a look at the keys.
        turn = math.ceil(turn / _TOGETHER_SECONDS) * _TOGETHER_SECONDS
        self._waiting += 1
        try:
            await asyncio.sleep(turn - now)
        finally:
            self._waiting -= 1
