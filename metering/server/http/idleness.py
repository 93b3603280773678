"""Idleness: connections that wait for a head, and how long they may.

The one that has waited longest makes room where there are too many. A connection that
ends before its first request came to nothing, and took of the event loop what a request
takes. Clients with a key make few such; a flood of them is slowed down by whoever accepts.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

from prometheus_client import Counter

WASTED_PER_SECOND = 200
"""How many connections may come to nothing in a second, before it is a flood."""
# How often, in the time that a client has, it is looked whose is over.
_SWEEPS = 8


class Abortable(Protocol):
    """A connection."""

    def abort(self) -> None:
        """Hang up at once."""


class Idle:
    """The connections that wait for a head, the longest waiting first.

    For one event loop.

    Args:
        patience_seconds: how long they may.
    """

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._since: dict[Abortable, float] = {}
        self._is_sweeping = False

    def add(self, connection: Abortable) -> None:
        """Hang up on a connection that sends no head in time, from now on."""
        loop = asyncio.get_running_loop()
        self.discard(connection)
        self._since[connection] = loop.time()
        if not self._is_sweeping:
            self._is_sweeping = True
            loop.call_later(self._patience_seconds / _SWEEPS, self._sweep)

    def discard(self, connection: Abortable) -> None:
        """Take a connection for one that does not wait, or no longer."""
        self._since.pop(connection, None)

    def close_longest(self) -> bool:
        """Close the connection that has waited longest, if any waits."""
        longest = next(iter(self._since), None)
        if longest is None:
            return False
        longest.abort()
        return True

    def _sweep(self) -> None:
        """Hang up on those that have waited too long: a timer for each costs more."""
        loop = asyncio.get_running_loop()
        latest = loop.time() - self._patience_seconds
        for each in [each for each, since in self._since.items() if since < latest]:
            each.abort()
        self._is_sweeping = bool(self._since)
        if self._is_sweeping:
            loop.call_later(self._patience_seconds / _SWEEPS, self._sweep)


class Wasted:
    """The connections that came to nothing.

    Args:
        counter: of all of them.
        monotonic: returns the time in seconds, never backwards.
    """

    def __init__(self, counter: Counter, monotonic: Callable[[], float]) -> None:
        self._counter = counter
        self._monotonic = monotonic
        self._began = self._flooded_until = -math.inf
        self._count = 0

    @property
    def is_flood(self) -> bool:
        """Whether more of them ended within a second, not long ago, than may."""
        return self._monotonic() < self._flooded_until

    def count(self) -> None:
        """Count one more."""
        self._counter.inc()
        now = self._monotonic()
        if now >= self._began + 1:
            self._began, self._count = now, 0
        self._count += 1
        if self._count > WASTED_PER_SECOND:
            self._flooded_until = now + 1
