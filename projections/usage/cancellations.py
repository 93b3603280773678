"""Cancellations: which events do not count any more, and since which position."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np


class Cancellations(msgspec.Struct, frozen=True, kw_only=True):
    """Events that were cancelled, as columns of equal length, sorted by `event`.

    Attributes:
        event: int64, position of the event.
        cancellation: int64, position of the fact that cancelled it.
    """

    event: np.ndarray
    cancellation: np.ndarray

    @classmethod
    def of(cls, cancelled: Mapping[int, int]) -> "Cancellations":
        """Return cancellations, given the position of each event's."""
        event = np.array(list(cancelled), np.int64)
        cancellation = np.array(list(cancelled.values()), np.int64)
        return cls.together([cls(event=event, cancellation=cancellation)])

    @classmethod
    def together(cls, parts: Sequence["Cancellations"]) -> "Cancellations":
        """Merge cancellations."""
        event = np.concatenate([part.event for part in parts])
        cancellation = np.concatenate([part.cancellation for part in parts])
        order = np.argsort(event, kind="stable")
        return cls(event=event[order], cancellation=cancellation[order])

    def __len__(self) -> int:
        """Return how many cancellations there are."""
        return len(self.event)

    def hold(self, events: np.ndarray) -> np.ndarray:
        """Return (bool) which events (int64 positions) were cancelled."""
        return self.of_events(events).astype(bool)

    def of_events(self, events: np.ndarray) -> np.ndarray:
        """Return the cancellation of each event (int64 positions), 0 where it has none."""
        if not len(self):
            return np.zeros(len(events), np.int64)
        at = np.minimum(np.searchsorted(self.event, events), len(self) - 1)
        found: np.ndarray = np.where(self.event[at] == events, self.cancellation[at], 0)
        return found

    def up_to(self, position: int) -> "Cancellations":
        """Return the cancellations up to a position, inclusive."""
        is_known = self.cancellation <= position
        return Cancellations(
            event=self.event[is_known], cancellation=self.cancellation[is_known]
        )

    def equals(self, other: "Cancellations") -> bool:
        """Whether both hold the same cancellations."""
        return np.array_equal(self.event, other.event) and np.array_equal(
            self.cancellation, other.cancellation
        )
