"""The event rules over columns: how many events are checked as fast as a few.

Columns decide nothing that `metering.usage.event_rules` does not decide. An event passes
by its columns only where they show that the check of one event would accept it, with the
very same result. Every other event is checked alone. So a mask that errs on the side of
False costs time and never changes an outcome, and what one event comes to does not
depend on how many it came with.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from ledger.usage.columns import in_order, take_rows
from ledger.usage.rows import batch_of
from metering.store.checked_events import CheckedEvents, Doubts, RefusalT


class ColumnPart(NamedTuple):
    """Events built from columns.

    Attributes:
        numbers: the number of each (int64, ascending).
        is_plain: which of them plainly obey the rules that hold at any time (bool); the
            others mean nothing.
        is_in_doubt: which of the plain ones break a rule of the moment (bool).
        is_rounded: which of them have a rounded value (bool); None is none of them.
    """

    events: pa.RecordBatch
    numbers: np.ndarray
    is_plain: np.ndarray
    is_in_doubt: np.ndarray
    is_rounded: np.ndarray | None = None


class CheckAlone(Protocol[RefusalT]):
    """A check of events one by one."""

    def __call__(
        self, numbers: np.ndarray, /, *, may_repeat: bool
    ) -> CheckedEvents[RefusalT]:
        """Check the events of some numbers.

        Args:
            numbers: of the events (int64, ascending).
            may_repeat: whether they may repeat what is recorded; each is refused for any
                rule otherwise, also one of the moment.
        """


def passed_or_checked(
    parts: Iterable[ColumnPart],
    has_own_timestamp: np.ndarray,
    check_alone: CheckAlone[RefusalT],
) -> CheckedEvents[RefusalT]:
    """Take what plainly obeys the rules, and check every other event alone.

    Args:
        parts: events from columns, in any order; each number in one part at most.
        has_own_timestamp: of all events, by number (bool).
        check_alone: checks events one by one.
    """
    passed = np.zeros(len(has_own_timestamp), bool)
    is_in_doubt = np.zeros(len(has_own_timestamp), bool)
    is_rounded = np.zeros(len(has_own_timestamp), bool)
    batches: list[pa.RecordBatch] = []
    numbers: list[np.ndarray] = []
    for part in parts:
        events, at = part.events, part.numbers
        is_in_doubt[at] = part.is_plain & part.is_in_doubt
        if part.is_rounded is not None:
            is_rounded[at] = part.is_rounded
        if not part.is_plain.all():
            plain = np.flatnonzero(part.is_plain)
            events, at = take_rows(events, plain), at[plain]
        batches.append(events)
        numbers.append(at)
        passed[at] = True
    if len(batches) == 1 and passed.all():
        return CheckedEvents(
            events=batches[0],
            numbers=numbers[0],
            has_own_timestamp=has_own_timestamp,
            is_rounded=is_rounded,
            refusals={},
            doubts=_doubts(numbers[0], is_in_doubt, check_alone),
        )
    others = check_alone(np.flatnonzero(~passed), may_repeat=True)
    if others.is_rounded is not None:
        is_rounded[others.numbers] = others.is_rounded
    events, at = in_order(
        [*batches, batch_of(others.events)], [*numbers, others.numbers]
    )
    assert len(at) + len(others.refusals) == len(passed), "each event is judged once"
    if others.doubts is not None:
        is_in_doubt[others.numbers[others.doubts.rows]] = True
    return CheckedEvents(
        events=events,
        numbers=at,
        has_own_timestamp=has_own_timestamp[at],
        is_rounded=is_rounded[at],
        refusals=others.refusals,
        doubts=_doubts(at, is_in_doubt, check_alone),
    )


def _doubts(
    numbers: np.ndarray,
    is_in_doubt: np.ndarray,
    check_alone: CheckAlone[RefusalT],
) -> Doubts[RefusalT] | None:
    """Say why events in doubt are refused only where they are: that takes time."""

    def refuse(refused: np.ndarray) -> Mapping[int, RefusalT]:
        alone = check_alone(numbers[refused], may_repeat=False)
        assert len(alone.refusals) == len(refused), "each breaks a rule of the moment"
        return alone.refusals

    rows = np.flatnonzero(is_in_doubt[numbers])
    return Doubts(rows, refuse) if len(rows) else None
