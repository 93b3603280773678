"""Who is entitled to what, as this process read it: kept as long as it is true.

It saves reading again and decides nothing. What is kept follows from facts, so it holds
at any instant until one is recorded that matters to it.
"""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from projections.entitlements.queries import EntitlementQueries, NewestFacts
    from projections.kernels.entitlements import (
        EntitlementTimeline,
        FeatureDefinition,
    )

_NO_POSITION = -1
_CUSTOMERS_MAX = 100_000


class EntitlementMemory:
    """What of entitlements was read. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._position = _NO_POSITION
        self._newest: NewestFacts | None = None
        # By an id or a lookup key, which several may have that are archived.
        self._named: dict[str, Sequence[FeatureDefinition]] = {}
        self._timelines: dict[str, EntitlementTimeline] = {}

    def known(
        self, facts_position: int, customer: str, feature: str
    ) -> "tuple[Sequence[FeatureDefinition], EntitlementTimeline] | None":
        """Return what is known as of the last fact; None where it is to be read."""
        with self._lock:
            if self._position != facts_position:
                return None
            named, timeline = self._named.get(feature), self._timelines.get(customer)
        return None if named is None or timeline is None else (named, timeline)

    def follow(self, seen: "EntitlementQueries", facts_position: int) -> None:
        """Forget what facts have changed since, up to the last that is seen."""
        with self._lock:
            if facts_position > self._position:
                self._follow(seen, facts_position)

    def keep(
        self,
        facts_position: int,
        named: "tuple[str, Sequence[FeatureDefinition]]",
        timeline: "tuple[str, EntitlementTimeline]",
    ) -> None:
        """Keep what was read as of the last fact, unless another is known already."""
        with self._lock:
            if facts_position != self._position:
                return
            if len(self._timelines) >= _CUSTOMERS_MAX:
                self._timelines.clear()
            if len(self._named) >= _CUSTOMERS_MAX:
                self._named.clear()
            self._named[named[0]] = named[1]
            self._timelines[timeline[0]] = timeline[1]

    def _follow(self, seen: "EntitlementQueries", position: int) -> None:
        newest, known = seen.newest(), self._newest
        if known is None or newest.feature != known.feature:
            # An id never changes what it means, but a lookup key may be another's too.
            self._named.clear()
        # Others live by other times, or saw other changes in theirs.
        if known is None or newest[3:] != known[3:]:
            self._timelines.clear()
        elif newest[1:] != known[1:]:
            for customer in seen.affected_after(self._position, newest):
                self._timelines.pop(customer, None)
        self._position, self._newest = position, newest
