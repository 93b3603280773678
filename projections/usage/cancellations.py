"""Cancellations: which events do not count any more, and since which position.

An event may be restored, and cancelled again: its latest adjustment decides.
"""

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np


class Cancellations(msgspec.Struct, frozen=True, kw_only=True):
    """Adjustments of events, as columns of equal length, sorted by event, then in log order.

    Attributes:
        event: int64, position of the event.
        cancellation: int64, position of the fact that cancelled it; negative where the
            fact restored it.
    """

    event: np.ndarray
    cancellation: np.ndarray

    @classmethod
    def of(cls, adjusted: Iterable[tuple[int, int]]) -> "Cancellations":
        """Return cancellations, given events and adjustments in log order."""
        pairs = np.array(list(adjusted), np.int64).reshape(-1, 2)
        event, cancellation = pairs[:, 0], pairs[:, 1]
        return cls.together([cls(event=event, cancellation=cancellation)])

    @classmethod
    def together(cls, parts: Sequence["Cancellations"]) -> "Cancellations":
        """Merge cancellations of stretches in log order."""
        event = np.concatenate([part.event for part in parts])
        cancellation = np.concatenate([part.cancellation for part in parts])
        order = np.argsort(event, kind="stable")
        return cls(event=event[order], cancellation=cancellation[order])

    def __len__(self) -> int:
        """Return how many adjustments there are."""
        return len(self.event)

    def hold(self, events: np.ndarray) -> np.ndarray:
        """Return (bool) which events (int64 positions) are cancelled."""
        return self.of_events(events) > 0

    def of_events(self, events: np.ndarray) -> np.ndarray:
        """Return the cancellation of each event (int64 positions), 0 where it has none."""
        found: np.ndarray = self.over(np.zeros(len(events), np.int64), events)
        return found.clip(0)

    def over(self, earlier: np.ndarray, events: np.ndarray) -> np.ndarray:
        """Return the latest adjustment of each event, given that of earlier stretches."""
        if not len(self):
            return earlier
        at = (self.event.searchsorted(events, "right") - 1).clip(0)
        return np.where(self.event[at] == events, self.cancellation[at], earlier)

    def cancelled(self) -> np.ndarray:
        """Return the positions (int64, ascending) of the events that are cancelled."""
        is_latest = np.ones(len(self), bool)
        is_latest[:-1] = self.event[1:] != self.event[:-1]
        cancelled: np.ndarray = self.event[is_latest & (self.cancellation > 0)]
        return cancelled

    def up_to(self, position: int) -> "Cancellations":
        """Return the adjustments up to a position, inclusive."""
        is_known = np.abs(self.cancellation) <= position
        return Cancellations(
            event=self.event[is_known], cancellation=self.cancellation[is_known]
        )

    def equals(self, other: "Cancellations") -> bool:
        """Whether both hold the same adjustments."""
        return np.array_equal(self.event, other.event) and np.array_equal(
            self.cancellation, other.cancellation
        )
