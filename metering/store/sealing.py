"""Sealing in the background: a tail that grew too long becomes segments.

It waits for a quiet moment, so as not to compete with a bulk load for processors, but
not for ever: a tail of ten times the length is sealed whatever else goes on, which
bounds what a process holds in memory and reads when it opens a store.
"""

import logging
import threading
from collections.abc import Callable
from time import monotonic

from ledger.errors import LedgerError
from ledger.log import Log

SEAL_EVENTS = 500_000
"""How long the tail may grow, in meter events."""

_QUIET_SECONDS = 1.0
_TIMES_TOO_LONG = 10
_SECONDS_WITHOUT_EFFECT = 60.0

_logger = logging.getLogger(__name__)


class BackgroundSealing:
    """Seals a log's tail whenever it is due, in a thread of its own.

    Args:
        log: what is sealed.
        due_events: how long the tail may grow; None is for ever.
        evaluate: evaluates alerts, whose triggers must be recorded before.
    """

    def __init__(
        self, log: Log, due_events: int | None, evaluate: Callable[[], object]
    ) -> None:
        self._log = log
        self._evaluate = evaluate
        self._due_events = due_events
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._last_append = monotonic()
        self._last_complaint = ""
        self._is_stopping = False

    @property
    def is_due(self) -> bool:
        """Whether the tail has grown too long."""
        return self._is_longer_than(1)

    def appended(self) -> None:
        """Note an append."""
        self._last_append = monotonic()
        if self.is_due:
            self._start()

    def stop(self) -> None:
        """End the thread, once it is done with what it is doing."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _start(self) -> None:
        with self._changed:
            if self._thread is None and not self._is_stopping:
                self._thread = threading.Thread(
                    target=self._run, name="metering-sealing", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        try:
            self._seal_while_due()
        except Exception:
            # A fault of this program: trying again would meet it again.
            _logger.exception("Sealing in the background has ended")
            return
        with self._changed:
            self._thread = None
        if self.is_due:
            # Appended since, by a thread that saw this one at work.
            self._start()

    def _seal_while_due(self) -> None:
        """Seal when the log is quiet, until the tail is short enough."""
        seconds = _QUIET_SECONDS
        while self._waited(seconds) and self.is_due:
            seconds = self._last_append + _QUIET_SECONDS - monotonic()
            if seconds <= 0 or self._is_longer_than(_TIMES_TOO_LONG):
                has_sealed = self._seal()
                seconds = _QUIET_SECONDS if has_sealed else _SECONDS_WITHOUT_EFFECT

    def _seal(self) -> bool:
        try:
            self._evaluate()
            # Nothing is sealed where another process is sealing.
            has_sealed = self._log.seal() > 0
        except LedgerError as error:
            # Appends go on: the log is as it was, only longer.
            self._complain(error.message)
            return False
        self._last_complaint = ""
        return has_sealed

    def _complain(self, message: str) -> None:
        """Log what is wrong, once, however often it is tried."""
        if message != self._last_complaint:
            _logger.warning("The tail could not be sealed: %s", message)
        self._last_complaint = message

    def _is_longer_than(self, times: int) -> bool:
        if self._due_events is None:
            return False
        return self._log.tail_events >= times * self._due_events

    def _waited(self, seconds: float) -> bool:
        """Wait, and return whether to go on."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopping, timeout=seconds)
            return not self._is_stopping
