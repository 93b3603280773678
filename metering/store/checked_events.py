"""Events that were checked against the meters: which may be recorded, and why others not."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec
import numpy as np

from ledger.appending.drafts import Outcome
from ledger.records.idempotency import Request
from ledger.usage.rows import UsageEvents, take_events

RefusalT = TypeVar("RefusalT")


class Doubts(msgspec.Struct, Generic[RefusalT], frozen=True):
    """Events that are refused unless they repeat what is recorded.

    They obey every rule but those of the clock and of the state of their meter, which an
    event obeyed when it was recorded.

    Attributes:
        rows: their indices among the checked events (int64, ascending).
        refuse: returns why some of them are refused, by number, given their indices.
    """

    rows: np.ndarray
    refuse: Callable[[np.ndarray], Mapping[int, RefusalT]]

    def rows_without_original(self, settled: Outcome) -> np.ndarray:
        """Return which of them repeat neither what is recorded nor an event before them.

        Args:
            settled: what becomes of all checked events by what is recorded.
        """
        here = np.flatnonzero(settled.are_here)
        doubted = here[np.isin(here, self.rows)]
        certain = np.setdiff1d(here, doubted, assume_unique=True)
        # Events here are new, or repeat the new one of a place among these.
        originals = np.full(len(settled.positions), len(settled.positions))
        np.minimum.at(originals, settled.positions[certain], certain)
        first: np.ndarray = originals[settled.positions[doubted]]
        unknown: np.ndarray = doubted[doubted < first]
        return unknown

    @classmethod
    def of(
        cls, refusals: Mapping[int, RefusalT], numbers: Sequence[int]
    ) -> "Doubts[RefusalT] | None":
        """Keep why events are refused; None where none are.

        Args:
            refusals: by number.
            numbers: of all checked events.
        """
        if not refusals:
            return None
        rows = [row for row, number in enumerate(numbers) if number in refusals]

        def refuse(refused: np.ndarray) -> Mapping[int, RefusalT]:
            at = [numbers[row] for row in refused.tolist()]
            return {number: refusals[number] for number in at}

        return cls(np.array(rows, np.int64), refuse)


class CheckedEvents(msgspec.Struct, Generic[RefusalT], frozen=True, kw_only=True):
    """Which of some events may be recorded, and why the others may not.

    Attributes:
        events: those that may, in canonical form and in the order in which they came.
        numbers: the number of each among all that were checked (int64, ascending).
        has_own_timestamp: which of them carry their sender's timestamp (bool).
        refusals: the others, by number.
        doubts: which events are refused all the same, unless they repeat others.
        requests: the index of an event, and the request to write down if it is new.
        sent_at: when each was first sent (int64), see `Draft`; None is now.
        is_rounded: which of them have a rounded value (bool); None is none of them.
        left_out: names of what was left out of payloads, and the numbers of the events
            that lack it.
    """

    events: UsageEvents
    numbers: np.ndarray
    has_own_timestamp: np.ndarray
    refusals: Mapping[int, RefusalT]
    doubts: Doubts[RefusalT] | None = None
    requests: Sequence[tuple[int, Request]] = ()
    sent_at: np.ndarray | None = None
    is_rounded: np.ndarray | None = None
    left_out: Mapping[str, np.ndarray] = msgspec.field(default_factory=dict)

    def without(
        self, refused: np.ndarray, refusals: Mapping[int, RefusalT]
    ) -> "CheckedEvents[RefusalT]":
        """Refuse some events, given by their indices, and doubt none of the others."""
        rows = np.setdiff1d(np.arange(len(self.events)), refused)
        row_of = dict(zip(rows.tolist(), range(len(rows)), strict=True))
        return msgspec.structs.replace(
            self,
            events=take_events(self.events, rows),
            numbers=self.numbers[rows],
            has_own_timestamp=self.has_own_timestamp[rows],
            refusals={**self.refusals, **refusals},
            doubts=None,
            requests=[
                (row_of[row], request)
                for row, request in self.requests
                if row in row_of
            ],
            sent_at=None if self.sent_at is None else self.sent_at[rows],
            is_rounded=None if self.is_rounded is None else self.is_rounded[rows],
        )
