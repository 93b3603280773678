"""When entries count as recorded, and for what: the time of a log that was set right.

An entry keeps the instant that was written, and its digest covers it. Where a correction
follows it, it counts as recorded at the correction's instant at the latest. So instants
ascend with positions again, which all that looks for a time relies on.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec
import numpy as np

from ledger.facts.alerts import CreditAlertTriggered
from ledger.facts.credits.grants import CreditGrantCreated
from ledger.facts.log_time import LogTimeCorrected
from ledger.facts.test_clocks import TestClockTime
from ledger.facts.union import Fact


class TimeCorrection(NamedTuple):
    """A correction of the log's time.

    Attributes:
        position: of the fact.
        corrected_to: at which instant the entries before it count at the latest.
        after: the last position before it that was recorded by the right time.
    """

    position: int
    corrected_to: int
    after: int

    @classmethod
    def of(cls, fact: LogTimeCorrected, position: int) -> "TimeCorrection":
        """Return what a fact corrects."""
        return cls(position, fact.corrected_to, fact.after)


class LogTime(msgspec.Struct, frozen=True):
    """The time of a log, by its corrections in the order of the log.

    Instants are microseconds since 1970 UTC.
    """

    corrections: tuple[TimeCorrection, ...] = ()

    def __bool__(self) -> bool:
        """Whether it was ever corrected."""
        return bool(self.corrections)

    def corrected(self, correction: TimeCorrection) -> "LogTime":
        """Return the time with a correction, which may be known already."""
        if correction in self.corrections:
            return self
        return LogTime((*self.corrections, correction))

    def of(self, position: int, recorded_at: int) -> int:
        """Return when an entry counts as recorded."""
        for each in self.corrections:
            if position < each.position:
                recorded_at = min(recorded_at, each.corrected_to)
        return recorded_at

    def of_many(self, positions: np.ndarray, recorded_at: np.ndarray) -> np.ndarray:
        """Return when entries count as recorded (int64), given what was written."""
        for each in self.corrections:
            is_before = positions < each.position
            earlier = np.minimum(recorded_at, each.corrected_to)
            recorded_at = np.where(is_before, earlier, recorded_at)
        return recorded_at

    def of_facts(
        self, first_position: int, recorded_at: int, facts: Iterable[Fact]
    ) -> Iterator[tuple[int, int, Fact]]:
        """Return the facts of a commit as they count, with position and instant.

        Those of a customer of a test clock count as of its time.
        """
        counted = self.of(first_position, recorded_at)
        clocked: int | None = None
        for position, fact in enumerate(facts, first_position):
            if isinstance(fact, TestClockTime):
                clocked = fact.instant if fact.test_clock_id else None
            if clocked is None:
                yield position, counted, self._as_counted(fact, recorded_at, counted)
            else:
                yield position, clocked, fact

    def _as_counted(self, fact: Fact, recorded_at: int, counted: int) -> Fact:
        """Return a fact with the instants that it took over from the log's time."""
        match fact:
            case CreditGrantCreated(origin=None) if (
                fact.effective_at == recorded_at != counted
            ):
                # Effective from its creation on, and not from a time of its caller's.
                return msgspec.structs.replace(fact, effective_at=counted)
            case CreditAlertTriggered() if self and fact.cause_position:
                instant = self.of(fact.cause_position, fact.instant)
                return msgspec.structs.replace(fact, instant=instant)
            case _:
                return fact

    def is_wrong_at(self, position: int) -> bool:
        """Whether an entry was recorded by a time that was corrected since."""
        return any(each.after < position < each.position for each in self.corrections)

    def stretch_at(self, instant: int) -> tuple[int, int | None]:
        """Return positions between which what was written says what was recorded by then.

        Returns:
            A position that counts as recorded by the instant, and one that is the last
            that can; None is the end of the log. Between them what was written ascends,
            and compares with the instant as what counts does.
        """
        low, high = 0, None
        for each in self.corrections:
            if each.corrected_to <= instant:
                low, high = each.position, None
            elif high is None:
                high = each.position - 1
        return low, high
