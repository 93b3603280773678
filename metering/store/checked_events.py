"""Events that were checked against the meters, on their way to a draft."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from ledger.records.idempotency import Request
from ledger.usage.rows import Events

RefusalT = TypeVar("RefusalT")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedEvents(Generic[RefusalT]):
    """Which of some events may be recorded, and why the others may not.

    Attributes:
        events: those that may, in canonical form and in the order in which they came.
        numbers: the number of each among all that were checked (int64, ascending).
        has_own_timestamp: which of them carry their sender's timestamp (bool).
        refusals: the others, by number.
        requests: the index of an event, and the request to write down if it is new.
    """

    events: Events
    numbers: np.ndarray
    has_own_timestamp: np.ndarray
    refusals: Mapping[int, RefusalT]
    requests: Sequence[tuple[int, Request]] = ()

    def __post_init__(self) -> None:
        """Check that the columns have one length."""
        assert len(self.events) == len(self.numbers), "each event has a number"
