"""Where events are held: in memory here, on disk in `metering.recording.spool`."""

import threading
from collections import deque
from collections.abc import Sequence
from typing import Literal

from metering.errors import RecorderClosedError, RecorderFullError
from metering.recording.events import HeldEvent, UnrecordedEvent

WhenFull = Literal["block", "raise"]

TAKEN_AT_A_TIME = 10_000
"""How many events are appended in one commit at most: what is worked on at a time holds
the interpreter, and with it every other thread, for as long as it is large."""


class EventBuffer:
    """Events that are held in memory, up to a number.

    Any thread adds to them. One thread takes them, round by round: a round takes what was
    there when it began.

    Args:
        max_events: how many, with those that are being written.
        when_full: what `add` does where there are as many.
    """

    def __init__(self, max_events: int, when_full: WhenFull) -> None:
        self._max_events = max_events
        self._when_full = when_full
        self._has_room = threading.Condition(threading.Lock())
        self._added: list[HeldEvent] = []
        self._round: deque[Sequence[HeldEvent]] = deque()
        self._in_round = 0
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """How many events were added since the last round began."""
        return len(self._added)

    def add(self, event: HeldEvent) -> None:
        """Hold an event.

        Raises:
            RecorderFullError: as many are held as may be, and it is not to block.
            RecorderClosedError: no more are held.
        """
        with self._has_room:
            while not self._can_add() and self._when_full == "block":
                self._has_room.wait()
            if not self._can_add():
                raise RecorderFullError(self._max_events)
            self._added.append(event)

    def add_if_room(self, event: HeldEvent) -> bool:
        """Hold an event where there is room, and return whether there was.

        Raises:
            RecorderFullError, RecorderClosedError: as `add`.
        """
        with self._has_room:
            if self._can_add():
                self._added.append(event)
                return True
        if self._when_full == "raise":
            raise RecorderFullError(self._max_events)
        return False

    def wait_for_room(self) -> None:
        """Wait until there is room, or no more events are held."""
        with self._has_room:
            while not (self._is_closed or self._is_roomy()):
                self._has_room.wait()

    def begin(self) -> None:
        """Begin a round: what was added so far can be taken."""
        with self._has_room:
            added, self._added = self._added, []
            self._in_round += len(added)
        self._round.extend(
            added[start : start + TAKEN_AT_A_TIME]
            for start in range(0, len(added), TAKEN_AT_A_TIME)
        )

    def take(self) -> Sequence[HeldEvent]:
        """Return the next events of the round, the same ones until they are dropped."""
        return self._round[0] if self._round else ()

    def drop(self, refused: Sequence[UnrecordedEvent]) -> None:
        """Let go of the events that were taken."""
        del refused  # They were reported.
        with self._has_room:
            self._in_round -= len(self._round.popleft())
            self._has_room.notify_all()

    def refuse_more(self) -> None:
        """Let no more be added; what was is still taken."""
        with self._has_room:
            self._is_closed = True
            self._has_room.notify_all()

    def close(self) -> Sequence[HeldEvent]:
        """Let go of all, and return what is lost with it, the oldest first."""
        self.refuse_more()
        return [event for part in (*self._round, self._added) for event in part]

    def _can_add(self) -> bool:
        if self._is_closed:
            raise RecorderClosedError
        return self._is_roomy()

    def _is_roomy(self) -> bool:
        return len(self._added) + self._in_round < self._max_events
