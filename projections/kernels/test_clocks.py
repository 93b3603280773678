"""Test clocks: what the facts about one add up to."""

import enum
from bisect import bisect_right
from dataclasses import dataclass, replace

import msgspec

from ledger.facts.test_clocks import (
    TestClockAdvancing,
    TestClockCreated,
    TestClockDeleted,
    TestClockFact,
    TestClockFailed,
    TestClockReady,
    TestClockTime,
)

KEPT = 30 * 86_400_000_000
"""How long after its creation a clock is deleted, in microseconds."""


class ClockTimes(msgspec.Struct, frozen=True):
    """What a test clock showed, position by position.

    Attributes:
        positions: at which it began to show other instants, ascending.
        instants: that it showed from there on.
    """

    positions: tuple[int, ...]
    instants: tuple[int, ...]

    def at(self, position: int) -> int | None:
        """Return what it showed at a position; None before it was there."""
        index = bisect_right(self.positions, position)
        return self.instants[index - 1] if index else None


class FrozenTime(msgspec.Struct, frozen=True):
    """What a test clock shows.

    Attributes:
        test_clock_id: of the clock.
        instant: that it shows, microseconds since 1970 UTC.
        is_advancing: whether it is being moved on.
        is_deleted: whether it and its customers are gone.
        attached: the position at which a customer began to live by it.
        times: what it showed before, and shows.
    """

    test_clock_id: str
    instant: int
    is_advancing: bool
    is_deleted: bool
    attached: int
    times: ClockTimes

    def at(self, position: int) -> int | None:
        """Return what it showed to its customer at a position; None before it did."""
        return None if position < self.attached else self.times.at(position)


class ClockStatus(enum.Enum):
    """Whether a clock can be moved on."""

    READY = "ready"
    ADVANCING = "advancing"
    FAILED = "internal_failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockDefinition:
    """A test clock at some position of the log; instants are microseconds since 1970 UTC.

    Attributes:
        position: of the fact that created it.
        created: when that was recorded, by the log's time.
        frozen_time: what it shows.
        target: what it is to show; None where it is not being moved.
    """

    position: int
    test_clock_id: str
    name: str | None
    created: int
    frozen_time: int
    target: int | None
    status: ClockStatus
    is_deleted: bool = False

    @property
    def time(self) -> TestClockTime:
        """What it shows, as a fact."""
        return TestClockTime(test_clock_id=self.test_clock_id, instant=self.frozen_time)

    @property
    def deletes_after(self) -> int:
        """When it is deleted, by the log's time."""
        return self.created + KEPT


def clock_created(
    fact: TestClockCreated, position: int, recorded_at: int
) -> ClockDefinition:
    """Return a clock as it was created."""
    return ClockDefinition(
        position=position,
        test_clock_id=fact.test_clock_id,
        name=fact.name,
        created=recorded_at,
        frozen_time=fact.frozen_time,
        target=None,
        status=ClockStatus.READY,
    )


def clock_changed(clock: ClockDefinition, fact: TestClockFact) -> ClockDefinition:
    """Return a clock as it is after a fact.

    One that is ready shows its target, also where what it showed before is not known.
    """
    match fact:
        case TestClockAdvancing():
            return replace(clock, status=ClockStatus.ADVANCING, target=fact.target)
        case TestClockTime():
            return replace(clock, frozen_time=fact.instant)
        case TestClockReady():
            shown = clock.frozen_time if clock.target is None else clock.target
            return replace(
                clock, status=ClockStatus.READY, frozen_time=shown, target=None
            )
        case TestClockFailed():
            return replace(clock, status=ClockStatus.FAILED, target=None)
        case TestClockDeleted():
            return replace(clock, is_deleted=True)
        case TestClockCreated():
            return clock
