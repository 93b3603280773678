"""Rates: how many requests a key may make, by a token bucket for each.

They are in the memory of this process, which they protect.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from metering.server.api.errors import RateLimitedError


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Rates:
    """The buckets of all keys.

    Args:
        per_second: how many requests a key may make in the long run, and at once; None
            is any number.
        monotonic: returns the time in seconds, never backwards.
    """

    def __init__(self, per_second: int | None, monotonic: Callable[[], float]) -> None:
        self._per_second = per_second
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def take(self, key_id: str) -> None:
        """Count one more request of a key, unless it has made too many."""
        rate = self._per_second
        if rate is None:
            return
        with self._lock:
            now = self._monotonic()
            bucket = self._buckets.setdefault(key_id, _Bucket(float(rate), now))
            gained = (now - bucket.filled_at) * rate
            bucket.tokens = min(float(rate), bucket.tokens + gained)
            bucket.filled_at = now
            if bucket.tokens < 1:
                raise RateLimitedError((1 - bucket.tokens) / rate)
            bucket.tokens -= 1
