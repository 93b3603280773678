"""Sealing in the background: a tail that grew too long becomes segments.

A tail is long by its events, by its commits or by its bytes: a process that begins reads
all of it, and each commit costs something, however few events it holds.

It waits for a quiet moment, so as not to compete with a bulk load for processors, but
not for ever: a tail of ten times the length is sealed whatever else goes on, which
bounds what a process holds in memory and reads when it opens a store. Many commits are
no bulk load, and wait for nothing. A bulk load that is faster than sealing waits for it
in the end. Processes that never live to see a quiet moment seal such a tail when they
close the store.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic

from ledger.background import Backoff
from ledger.entries import TailSize
from ledger.log import Log
from metering.store.memory import give_back_memory

SEAL_EVENTS = 500_000
"""How long the tail may grow, in meter events."""

# The first process of a machine reads each as a row, which takes about a second in all.
# Fewer would leave more segments, each of which costs a scan of all some milliseconds.
_SEAL_COMMITS = 50_000
_SEAL_BYTES = 128 << 20

_QUIET_SECONDS = 1.0
_TIMES_TOO_LONG = 10
# So much comes while the sealing of such a tail is under way, and no more.
_TIMES_FAR_TOO_LONG = 12
_SECONDS_BETWEEN_LOOKS = 0.1
_SECONDS_WITHOUT_EFFECT = 60.0
_BACKOFF = Backoff(first_seconds=1.0, longest_seconds=60.0)

_logger = logging.getLogger(__name__)


class BackgroundSealing:
    """Seals a log's tail whenever it is due, in a thread of its own.

    Args:
        log: what is sealed.
        due_events: how long the tail may grow; None is for ever.
        evaluate: evaluates alerts, whose triggers must be recorded before.
        backoff: how long to wait after a failure. Appends go on meanwhile: the log is as
            it was, only longer.
    """

    def __init__(
        self,
        log: Log,
        due_events: int | None,
        evaluate: Callable[[], object],
        *,
        backoff: Backoff = _BACKOFF,
    ) -> None:
        self._loop = log.background.begin(
            "sealing", backoff, complain="The tail could not be sealed", logger=_logger
        )
        self._log = log
        self._evaluate = evaluate
        self._due_events = due_events
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._last_append: float | None = None
        self._is_stopping = False
        self._is_sealing = False

    @property
    def is_due(self) -> bool:
        """Whether the tail has grown too long."""
        return self._is_long(self._log.tail_size)

    def appended(self) -> None:
        """Note an append."""
        self._last_append = monotonic()
        if self._exceeds(self._log.tail_size, 1):
            self._start()

    def wait_if_outrun(self) -> None:
        """Wait for the thread while it seals a tail that outgrows it.

        For bulk loads, which would fill the memory. A tail that cannot be sealed, or
        that another process seals, keeps nobody.
        """
        if not self._is_outrun:
            return
        with self._changed:
            # The tail is short before its sealing has ended.
            while not self._changed.wait_for(
                lambda: not self._is_outrun, _SECONDS_BETWEEN_LOOKS
            ):
                pass
        # The tail that was.
        give_back_memory()

    @property
    def _is_outrun(self) -> bool:
        return self._is_sealing and self._exceeds(
            self._log.tail_size, _TIMES_FAR_TOO_LONG
        )

    def stop(self) -> None:
        """End the thread, once it is done with what it is doing.

        A process that appended leaves no tail behind that is sealed whatever else goes
        on: those that come after it may live as short.
        """
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()
        if self._last_append is not None and self._is_too_long(self._log.tail_size):
            self._last_append = None
            # One segment, should the tail be that of years.
            self._seal(self._is_too_long, is_brief=True)

    def _start(self) -> None:
        with self._changed:
            if self._thread is None and not self._is_stopping:
                thread = threading.Thread(
                    target=self._run, name="metering-sealing", daemon=True
                )
                # None starts while the interpreter ends, in which recorders still write.
                with suppress(RuntimeError):
                    thread.start()
                    self._thread = thread

    def _run(self) -> None:
        try:
            self._seal_while_due()
        finally:
            with self._changed:
                self._thread = None
        if self.is_due:
            # Appended since, by a thread that saw this one at work.
            self._start()

    def _seal_while_due(self) -> None:
        """Seal when the log is quiet, until the tail is short enough."""
        seconds = _QUIET_SECONDS
        while self._waited(seconds) and self.is_due:
            seconds = (self._last_append or 0.0) + _QUIET_SECONDS - monotonic()
            if seconds <= 0 or self._is_too_long(self._log.tail_size):
                seconds = self._seal(self._is_long)

    def _seal(
        self, is_wanted: Callable[[TailSize], bool], *, is_brief: bool = False
    ) -> float:
        """Seal, and return in how many seconds to look again."""
        try:
            with self._noted_as_sealing():
                self._evaluate()
                # And after each segment: what it took is free, but not for its reader.
                give_back_memory()
                made = self._log.seal(
                    lambda *_: give_back_memory(), is_wanted, is_brief=is_brief
                )
            if made:
                give_back_memory()
        except Exception as error:  # noqa: BLE001  # the top of the loop, which logs it
            # The tail of a process that lives for months must not grow for as long.
            return self._loop.failed(error)
        self._loop.succeeded()
        # Where another process is sealing, nothing is.
        return _QUIET_SECONDS if made else _SECONDS_WITHOUT_EFFECT

    @contextmanager
    def _noted_as_sealing(self) -> Iterator[None]:
        self._is_sealing = True
        try:
            yield
        finally:
            with self._changed:
                self._is_sealing = False
                self._changed.notify_all()

    def _is_long(self, tail: TailSize) -> bool:
        return self._exceeds(tail, 1)

    def _is_too_long(self, tail: TailSize) -> bool:
        return self._exceeds(tail, _TIMES_TOO_LONG)

    def _exceeds(self, tail: TailSize, times: int) -> bool:
        if self._due_events is None or not tail.events:
            # Facts alone cannot be sealed.
            return False
        return (
            tail.events >= times * self._due_events
            or tail.commits >= _SEAL_COMMITS
            or tail.content_bytes >= times * _SEAL_BYTES
        )

    def _waited(self, seconds: float) -> bool:
        """Wait, and return whether to go on."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopping, timeout=seconds)
            return not self._is_stopping
