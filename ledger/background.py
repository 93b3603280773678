"""Background loops: what each last did, since when it fails, and how long it waits.

A loop that fails goes on: it waits, longer each time, and tries again until the fault
has passed. It says so once for each complaint, and not more often than once a minute,
and whoever asks is told how it is. Durations are by the machine's monotonic clock, so
that a clock that jumps changes nothing.
"""

import logging
import threading
from time import monotonic

import msgspec

from ledger.errors import (
    ClockSkewError,
    CommitOutcomeUnknownError,
    MeteringError,
    RunsDirectoryError,
    SegmentStoreUnavailableError,
    StoreBusyError,
    StoreFullError,
    StoreUnavailableError,
)

_PASSING = (
    ClockSkewError,
    CommitOutcomeUnknownError,
    RunsDirectoryError,
    SegmentStoreUnavailableError,
    StoreBusyError,
    StoreFullError,
    StoreUnavailableError,
)
_SECONDS_BETWEEN_LINES = 60.0
_DOUBLINGS_MAX = 30


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait after failures, twice as long after each.

    Attributes:
        first_seconds: after the first failure.
        longest_seconds: at most.
    """

    first_seconds: float
    longest_seconds: float

    def pause(self, failures: int) -> float:
        """Return how many seconds to wait after some failures in a row."""
        assert failures > 0, "there was one"
        doublings = min(failures - 1, _DOUBLINGS_MAX)
        return min(self.first_seconds * 2.0**doublings, self.longest_seconds)


class LoopState(msgspec.Struct, frozen=True, kw_only=True):
    """How a loop is.

    Attributes:
        name: what it does, as in ``sealing``.
        done_seconds_ago: when it last did what it is for; None where it never has.
        failing_seconds: for how long it has failed; None where it does not.
        failures: how often it has failed since it last succeeded.
        failures_total: how often it has ever failed.
        code: of its last error, None where it does not fail.
        message: of its last error, None where it does not fail.
    """

    name: str
    done_seconds_ago: float | None
    failing_seconds: float | None
    failures: int
    failures_total: int
    code: str | None
    message: str | None


class BackgroundLoop:
    """One loop. Thread-safe.

    Args:
        name: what it does.
        backoff: how long it waits after failures.
        complain: begins what is logged when it fails, as in ``The tail could not be
            sealed``.
        logger: of the module whose loop it is.
    """

    def __init__(
        self, name: str, backoff: Backoff, complain: str, logger: logging.Logger
    ) -> None:
        self.name = name
        self._backoff = backoff
        self._complaint = complain
        self._logger = logger
        self._lock = threading.Lock()
        self._done_at: float | None = None
        self._failing_since: float | None = None
        self._failures = self._failures_total = 0
        self._error: Exception | None = None
        self._retry_at = 0.0
        self._said: dict[str, tuple[float, str]] = {}

    @property
    def must_wait(self) -> bool:
        """Whether it failed so lately that it should not be tried yet."""
        return monotonic() < self._retry_at

    @property
    def error(self) -> Exception | None:
        """What it fails with, None where it does not."""
        return self._error

    def succeeded(self) -> None:
        """Note that it did what it is for, or found nothing to do."""
        with self._lock:
            self._done_at = monotonic()
            had_failed, self._error = self._error is not None, None
            self._failing_since, self._failures, self._retry_at = None, 0, 0.0
        if had_failed:
            self._logger.info("The %s goes on", self.name)

    def failed(self, error: Exception) -> float:
        """Note that it failed, and return in how many seconds to try again.

        Args:
            error: one of ours is logged in a line. Any other is a fault of this program,
                which is logged with its traceback, and tried again after the longest
                pause: what it met may pass, and work must not end for it.
        """
        is_named, now = isinstance(error, MeteringError), monotonic()
        with self._lock:
            self._failures += 1
            self._failures_total += 1
            self._error = error
            if self._failing_since is None:
                self._failing_since = now
            pause = self._backoff.pause(self._failures)
            if not is_named:
                pause = self._backoff.longest_seconds
            self._retry_at = now + pause
            is_new = self._is_new(code_of(error), str(error), now)
        if is_new:
            self._complain(error)
        return pause

    def state(self) -> LoopState:
        """Return how it is."""
        with self._lock:
            now, error = monotonic(), self._error
            return LoopState(
                name=self.name,
                done_seconds_ago=_since(self._done_at, now),
                failing_seconds=_since(self._failing_since, now),
                failures=self._failures,
                failures_total=self._failures_total,
                code=None if error is None else code_of(error),
                message=None if error is None else message_of(error),
            )

    def _complain(self, error: Exception) -> None:
        if not isinstance(error, MeteringError):
            self._logger.error("%s", self._complaint, exc_info=error)
            return
        level = logging.WARNING if may_pass(error) else logging.ERROR
        self._logger.log(level, "%s: %s", self._complaint, error.message)

    def _is_new(self, code: str, message: str, now: float) -> bool:
        """Whether to log a complaint: another one, and not many of a kind."""
        before = self._said.get(code)
        if before is not None:
            at, last = before
            is_same = message == last and self._failures > 1
            if is_same or now < at + _SECONDS_BETWEEN_LINES:
                return False
        self._said[code] = (now, message)
        return True


class BackgroundLoops:
    """The loops of one connection. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loops: list[BackgroundLoop] = []

    def begin(
        self, name: str, backoff: Backoff, *, complain: str, logger: logging.Logger
    ) -> BackgroundLoop:
        """Add a loop; see `BackgroundLoop`."""
        loop = BackgroundLoop(name, backoff, complain, logger)
        with self._lock:
            self._loops.append(loop)
        return loop

    def end(self, loop: BackgroundLoop) -> None:
        """Forget a loop that has ended in order."""
        with self._lock:
            if loop in self._loops:
                self._loops.remove(loop)

    def states(self) -> tuple[LoopState, ...]:
        """Return how each loop is that has done something or tried to, by name."""
        with self._lock:
            loops = list(self._loops)
        states = [loop.state() for loop in loops]
        begun = [
            each
            for each in states
            if each.failures or each.done_seconds_ago is not None
        ]
        return tuple(sorted(begun, key=lambda state: state.name))


def may_pass(error: Exception) -> bool:
    """Whether an error passes by itself, as that of a busy store does."""
    return isinstance(error, _PASSING)


def code_of(error: Exception) -> str:
    """Return the code of an error of ours, ``internal_error`` of any other."""
    return error.code if isinstance(error, MeteringError) else "internal_error"


def message_of(error: Exception) -> str:
    """Return what an error says, in one line."""
    if isinstance(error, MeteringError):
        return error.message
    # What it says may be of anything, a secret among it; the log has it all.
    return f"A fault of this program, {type(error).__name__}; its log says where"


def _since(at: float | None, now: float) -> float | None:
    return None if at is None else now - at
