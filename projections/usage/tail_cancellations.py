"""Cancellations in the tail, which are read while others are added."""

import numpy as np

from projections.usage.cancellations import Cancellations


class TailCancellations:
    """Adjustments of events by their positions: added by one thread, read by any."""

    def __init__(self) -> None:
        self._latest: dict[int, int] = {}
        self._former: dict[int, tuple[int, ...]] = {}
        """Those before, of the few events that have several."""
        self._count = 0

    def __len__(self) -> int:
        """Return how many adjustments there are."""
        return self._count

    def add(self, event: int, adjustment: int) -> None:
        """Add the next adjustment, negative where it restores the event."""
        latest = self._latest.get(event)
        if latest is not None:
            self._former[event] = (*self._former.get(event, ()), latest)
        self._latest[event] = adjustment
        self._count += 1

    def over(
        self, earlier: np.ndarray, events: np.ndarray, position: int
    ) -> np.ndarray:
        """Return the latest adjustment of each event up to a position.

        Args:
            earlier: that before the tail (int64).
            events: int64 positions.
            position: inclusive.
        """
        if not self._count:
            return earlier
        if len(events) > self._count:
            return self.up_to(position).over(earlier, events)
        at = [self._at(event, position) for event in events.tolist()]
        found = np.array(at, np.int64)
        return np.where(found, found, earlier)

    def up_to(self, position: int) -> Cancellations:
        """Return the adjustments up to a position, inclusive."""
        return self.known().up_to(position)

    def known(self) -> Cancellations:
        """Return all adjustments."""
        # At once, as others may be added meanwhile: one that is not yet former is twice.
        latest, former = list(self._latest.items()), list(self._former.items())
        pairs = {(event, each): None for event, many in former for each in many}
        return Cancellations.of(
            [*pairs, *(each for each in latest if each not in pairs)]
        )

    def _at(self, event: int, position: int) -> int:
        latest = self._latest.get(event, 0)
        if abs(latest) <= position:
            return latest
        former = reversed(self._former.get(event, ()))
        return next((each for each in former if abs(each) <= position), 0)
