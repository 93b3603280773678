"""Recording: events on their way from those who record them to the log.

What is held is written by a thread: when half of what may be held has gathered, when the
oldest has been held for long enough, and when it is asked for. What could not be written
is kept, and tried again. An event has its identifier before it is held, so that it counts
once however often its writing is tried.
"""

import atexit
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from os import PathLike
from pathlib import Path
from time import monotonic
from typing import Annotated, get_args

import msgspec
import pyarrow as pa
from msgspec import Meta

from ledger.background import Backoff
from metering.arguments.refusals import invalid
from metering.arguments.schema import checked_value
from metering.arguments.times import UsageTime, duration
from metering.errors import (
    EventsUnrecordedError,
    MeterEventInvalidError,
    RecorderClosedError,
    TimestampOutOfRangeError,
)
from metering.recording.appending import append_held, is_recorded, time_of_arrival
from metering.recording.buffer import EventBuffer, WhenFull
from metering.recording.events import HeldEvent, UnrecordedEvent
from metering.recording.limits import MAX_AGE, MAX_EVENTS
from metering.recording.signals import exit_on_sigterm, stop_exiting_on_sigterm
from metering.recording.spool import Spool
from metering.store.engine import Engine
from metering.usage.arrivals import Arrival
from metering.usage.event_rules import check_form, check_names_customer

_BACKOFF = Backoff(first_seconds=0.1, longest_seconds=10.0)
_SECONDS_BETWEEN_LOOKS = 30.0
"""How often a spool is looked through for what dead processes left."""

CLOSE_TIMEOUT = timedelta(seconds=30)
"""How long a close tries to write what is held."""

_LONGEST_MAX_AGE = timedelta(hours=1)
_EventsHeld = Annotated[int, Meta(ge=1, le=10_000_000)]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSettings:
    """How events are held; see `Metering.recorder`."""

    max_events: int = MAX_EVENTS
    max_age: timedelta = MAX_AGE
    when_full: WhenFull = "block"
    on_refused: Callable[[UnrecordedEvent], None] | None = None
    exits_on_sigterm: bool = True


def open_recording(
    engine: Engine,
    settings: RecordingSettings,
    spool: str | PathLike[str] | None,
) -> "Recording":
    """Begin to hold events, in memory or in a directory.

    Raises:
        InvalidRequestError: a setting is malformed.
        StoreError: the directory cannot be used.
    """
    checked_value(_EventsHeld, settings.max_events, "max_events")
    duration(settings.max_age, "max_age", _LONGEST_MAX_AGE)
    if settings.when_full not in get_args(WhenFull):
        raise invalid("when_full", settings.when_full, "block or raise")
    # Arrow looks for pandas when it makes its first column, for a quarter of a second
    # where it is installed: better here than while events are recorded.
    pa.array([], pa.string())
    engine.known_definitions()  # Read once, so that no record reads them.
    opened = None if spool is None else Spool(Path(spool), engine.log.lineage.succeeded)
    return Recording(engine, settings, opened)


class Recording:
    """Holds events and writes them, until it is closed or the process ends in order.

    Attributes:
        holding: the events that are held.
        unrecorded: after the close, what was lost.
    """

    def __init__(
        self, engine: Engine, settings: RecordingSettings, spool: Spool | None
    ) -> None:
        self.holding = spool or EventBuffer(settings.max_events, settings.when_full)
        self.unrecorded: Sequence[UnrecordedEvent] = ()
        self._engine = engine
        self._settings = settings
        self._due = max(1, settings.max_events // 2)
        self._process = os.getpid()
        self._changed = threading.Condition(threading.Lock())
        # What the thread waits for. Whoever adds sets the first two.
        self._has_some = False
        self._has_enough = False
        self._oldest = 0.0
        # A spool is looked through at once: a process may have died with it.
        self._wanted = 1 if spool is not None else 0
        # What flushes and closes wait for.
        self._begun = 0
        self._done = 0
        self._failures = 0
        self._failure: Exception | None = None
        self._gives_up_at: float | None = None
        self._has_ended = False
        self._loop = engine.log.background.begin(
            "recorder", _BACKOFF, complain="Recorded events are held", logger=_logger
        )
        self._looks = _SECONDS_BETWEEN_LOOKS if spool is not None else None
        atexit.register(self.close)
        self._thread = threading.Thread(
            target=self._run, name="metering-recorder", daemon=True
        )
        self._thread.start()

    def exit_on_sigterm(self) -> None:
        """Let SIGTERM exit in order; to be called in the main thread."""
        if self._settings.exits_on_sigterm:
            exit_on_sigterm(self)

    # For those who record.

    def form(
        self,
        event_name: object,
        payload: object,
        identifier: object,
        timestamp: UsageTime | None,
    ) -> HeldEvent:
        """Check an event as far as it can be without its meter, and name it.

        Raises:
            MeterEventInvalidError: it breaks a rule.
            RecorderClosedError: no more events are held.
            StoreError: the store is closed, this is the child of a fork, or the event is
                too old or too new, and the store cannot be asked whether it repeats one,
                or the clock is wrong.
        """
        self._check_open()
        engine = self._engine
        now = time_of_arrival(engine)
        known = engine.known_definitions()
        arrival = Arrival(now=now, definitions=known, takes_any_past=False)

        def formed(arrival: Arrival) -> HeldEvent:
            checked = check_form(
                arrival,
                event_name=event_name,
                identifier=engine.ids.identifier(now)
                if identifier is None
                else identifier,
                timestamp=timestamp,
                payload=payload,
            )
            # The payload is held as strings: what its numbers were is seen here alone.
            meter = known.by_event_name.get(checked.event_name)
            if meter is not None:
                check_names_customer(meter, payload)
            return HeldEvent(
                checked.event_name,
                checked.identifier,
                checked.timestamp,
                now,
                timestamp is not None,
                checked.payload,
            )

        try:
            return formed(arrival)
        except TimestampOutOfRangeError as refusal:
            try:
                event = formed(
                    msgspec.structs.replace(arrival, ignores_the_moment=True)
                )
            except MeterEventInvalidError:
                raise refusal from None
            if identifier is None or not is_recorded(engine, event):
                engine.log.judge.check_now(engine.now)
                raise
            return event

    @property
    def is_closed(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._gives_up_at is not None

    def added(self) -> None:
        """Note that an event was added to what is held."""
        # Read without the lock: before a round begins, the thread takes both back, and
        # what was added before that is part of the round.
        if self._has_some and (self._has_enough or self.holding.waiting < self._due):
            return
        with self._changed:
            if not self._has_some:
                self._has_some, self._oldest = True, monotonic()
            self._has_enough = self.holding.waiting >= self._due
            self._changed.notify_all()

    def flush(self, timeout: timedelta | None) -> bool:
        """Write what was added before, and return whether that is done in time.

        Raises:
            Exception: what kept it from being written; it is kept, and tried again.
        """
        self._check_open()
        deadline = None if timeout is None else monotonic() + timeout.total_seconds()
        with self._changed:
            wanted, failures = self._begun + 1, self._failures
            self._wanted = max(self._wanted, wanted)
            self._changed.notify_all()
            while self._done < wanted and not self._has_ended:
                if self._failures > failures and self._failure is not None:
                    raise self._failure
                left = None if deadline is None else deadline - monotonic()
                if left is not None and left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def close(self, timeout: timedelta = CLOSE_TIMEOUT) -> None:
        """Write what is held and hold no more. Closing again does nothing.

        Args:
            timeout: how long to try.

        Raises:
            EventsUnrecordedError: events could not be written; they are in `unrecorded`.
        """
        if os.getpid() != self._process:
            return  # What the child of a fork has is its parent's to write.
        was_open = not self._has_ended
        with self._changed:
            self._gives_up_at = monotonic() + timeout.total_seconds()
            self._changed.notify_all()
            if threading.current_thread() is self._thread:
                return  # A callback of a refusal closes it: it ends after that.
            while not self._has_ended:
                self._changed.wait()
        atexit.unregister(self.close)
        stop_exiting_on_sigterm(self)
        if was_open and self.unrecorded:
            raise EventsUnrecordedError(len(self.unrecorded), str(self._failure))

    def _check_open(self) -> None:
        self._engine.log.check_usable()
        if self.is_closed:
            raise RecorderClosedError

    # In the thread.

    def _run(self) -> None:
        try:
            while True:
                is_last = self._wait_until_due()
                if is_last:
                    self.holding.refuse_more()
                pause = self._try_round()
                if pause is None:
                    if is_last:
                        break
                elif self._has_given_up(pause):
                    break
        finally:
            self._engine.log.background.end(self._loop)
            self._end()

    def _wait_until_due(self) -> bool:
        """Wait for a reason to begin a round, and return whether it is the last one."""
        with self._changed:
            while True:
                seconds = self._looks
                if self._gives_up_at is not None:
                    return True
                if self._has_enough or self._wanted > self._begun:
                    return False
                if self._has_some:
                    age = self._settings.max_age.total_seconds()
                    seconds = self._oldest + age - monotonic()
                    if seconds <= 0:
                        return False
                if not self._changed.wait(seconds) and not self._has_some:
                    return False  # to look

    def _try_round(self) -> float | None:
        """Write what is held; return how long to wait where it cannot be written."""
        with self._changed:
            self._begun += 1
            self._has_some = self._has_enough = False
        try:
            self.holding.begin()
            while events := self.holding.take():
                refused = append_held(self._engine, events)
                self.holding.drop(refused)
                self._report(refused)
        except Exception as error:  # noqa: BLE001  # the top of the loop, which logs it
            pause = self._loop.failed(error)
            self._failed(error)
            return pause
        self._loop.succeeded()
        with self._changed:
            self._done, self._failure = self._begun, None
            self._changed.notify_all()
        return None

    def _failed(self, error: Exception) -> None:
        with self._changed:
            self._failures += 1
            self._failure = error
            self._has_some = self._has_enough = True
            self._changed.notify_all()

    def _has_given_up(self, pause: float) -> bool:
        """Wait before the next try, and return whether there is to be none."""
        with self._changed:
            asked = self._wanted, self._gives_up_at
            if self._gives_up_at is not None:
                pause = min(pause, self._gives_up_at - monotonic())
            self._changed.wait_for(
                lambda: asked != (self._wanted, self._gives_up_at), pause
            )
            return self._gives_up_at is not None and monotonic() >= self._gives_up_at

    def _report(self, refused: Sequence[UnrecordedEvent]) -> None:
        for code, count in Counter(each.code for each in refused).items():
            _logger.warning("%d recorded events were refused: %s", count, code)
        if self._settings.on_refused is None:
            return
        for event in refused:
            try:
                self._settings.on_refused(event)
            except Exception:
                # The caller's own, and no reason to write no more.
                _logger.exception("What was told of a refused event has failed")

    def _end(self) -> None:
        lost = self.holding.close()
        if lost:
            _logger.error("%d events were not recorded: %s", len(lost), self._failure)
        with self._changed:
            code = getattr(self._failure, "code", EventsUnrecordedError.code)
            self.unrecorded = [
                UnrecordedEvent.of(event, code, str(self._failure)) for event in lost
            ]
            self._has_ended = True
            self._changed.notify_all()
