"""The worker: keeps a store current, round by round, until it is stopped.

A round takes in what was recorded, evaluates alerts, makes reports of what the stream
refused, enqueues events, and starts the deliveries that are due; a tail that grew too
long is sealed in another thread. Each step is recorded at most once in a store, so that
several workers can share it, and one finishes what another left undone.
"""

import logging
import threading
from collections.abc import Callable
from time import monotonic
from typing import Self

from ledger.errors import (
    ClockSkewError,
    CommitOutcomeUnknownError,
    RunsDirectoryError,
    SegmentStoreUnavailableError,
    StoreBusyError,
    StoreFullError,
    StoreUnavailableError,
)
from metering.store.engine import Engine
from metering.upkeep.status import WorkReceipt
from metering.webhooks.delivering import Lanes, Tally
from metering.webhooks.enqueueing import enqueue_all
from metering.webhooks.sending import sender_of

# For what time alone brings about: expiries, and attempts to repeat.
_SECONDS_BETWEEN_LOOKS = 1.0
_RESTS = 4
_LONGEST_REST_SECONDS = 0.05
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 30.0
_PASSING = (
    ClockSkewError,
    CommitOutcomeUnknownError,
    RunsDirectoryError,
    SegmentStoreUnavailableError,
    StoreBusyError,
    StoreFullError,
    StoreUnavailableError,
)

_logger = logging.getLogger(__name__)


class Worker:
    """Works on a store in a thread, from the entry of a with statement to its exit.

    While the store cannot be used, it waits and tries again, less and less often. Any
    other error ends it, and is raised by `join` and by the exit.

    Args:
        engine: of the store.
        poll_seconds: how often it looks for what other processes recorded; what this
            process records wakes it.
        progress: is called in its thread after each round that did something.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        poll_seconds: float,
        progress: Callable[[WorkReceipt], None] | None,
    ) -> None:
        self._engine = engine
        self._poll_seconds = poll_seconds
        self._progress = progress
        self._stopping = threading.Event()
        # Python before 3.13 takes a thread for ended where a signal interrupts its join.
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="metering-worker", daemon=True
        )
        self._error: Exception | None = None
        self._position = -1
        self._next_look = 0.0
        self._complaint = ""

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Stop, once the attempts that are being made are recorded.

        Raises:
            MeteringError: the error that ended the worker, unless the block raised one.
        """
        self._stopping.set()
        self._engine.news.set()
        if kind is None:
            self.join()
        else:
            self._ended.wait()

    @property
    def has_ended(self) -> bool:
        """Whether it has ended; by itself it does only with an error."""
        return self._ended.is_set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the worker has ended.

        Args:
            timeout: seconds to wait at most.

        Returns:
            Whether it has ended.

        Raises:
            MeteringError: the error that ended it.
        """
        has_ended = self._ended.wait(timeout)
        if self._error is not None:
            raise self._error
        return has_ended

    # In its thread.

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:
            # It is raised where the worker is left, which may be in a year.
            self._error = error
            _logger.critical("The worker has ended", exc_info=True)
        finally:
            self._ended.set()

    def _work(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        sender = sender_of(self._engine.settings)
        lanes = Lanes(self._engine, sender, self._stopping.is_set)
        with lanes:
            while not self._stopping.is_set():
                started = monotonic()
                self._engine.news.clear()
                try:
                    self._do_round(lanes)
                except _PASSING as error:
                    self._complain(error.message)
                    self._stopping.wait(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                else:
                    self._complaint, pause = "", _FIRST_PAUSE_SECONDS
                    # Under a steady load one round would follow the other; most of the
                    # time is left to appends.
                    took = monotonic() - started
                    self._stopping.wait(min(_RESTS * took, _LONGEST_REST_SECONDS))
                    if self._stopping.is_set():
                        # Its news may be what the round began with forgetting.
                        break
                    self._engine.news.wait(self._poll_seconds)
        try:
            self._report(0, 0, lanes.ended())
        except _PASSING as error:
            # What these lanes left undone is done again.
            self._complain(error.message)

    def _do_round(self, lanes: Lanes) -> None:
        engine, now = self._engine, monotonic()
        head = engine.log.head()
        has_news = head.position != self._position
        if has_news or now >= self._next_look:
            triggered = engine.evaluator.evaluate()
            enqueued = enqueue_all(engine)
            self._position = head.position
            self._next_look = now + _SECONDS_BETWEEN_LOOKS
            self._report(triggered, enqueued, lanes.start_due())
            for error in lanes.newly_waiting():
                _logger.error("Deliveries wait: %s", error.message)
        elif lanes.are_busy:
            self._report(0, 0, lanes.start_due())
        if has_news:
            engine.sealing.appended()

    def _report(self, triggered: int, enqueued: int, tally: Tally) -> None:
        done = WorkReceipt(
            position=max(self._position, 0),
            triggered=triggered,
            enqueued=enqueued,
            delivered=tally.delivered,
            failed=tally.failed,
        )
        is_something = triggered or enqueued or tally.delivered or tally.failed
        if is_something and self._progress is not None:
            self._progress(done)

    def _complain(self, message: str) -> None:
        """Log what is wrong, once for as long as it stays the same."""
        if message != self._complaint:
            _logger.warning("The worker waits: %s", message)
        self._complaint = message
