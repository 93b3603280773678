"""Auditing in the background: a pass now and then, in pieces, in a worker's idle time.

A worker is idle while nothing is recorded. After each piece of work the thread rests, a few
times as long as the piece took where the worker is idle, and many times as long where it is
not: then a pass goes on all the same, or a store that is never idle would never be audited.
"""

import threading
from collections.abc import Generator
from contextlib import suppress
from datetime import timedelta
from time import monotonic

from ledger.background import BackgroundLoop
from ledger.errors import MeteringError, StoreClosedError, StoreForkedError
from ledger.records.audits.passes import Passes
from metering.store.engine import Engine
from metering.upkeep.auditing.passing import PassAbandonedError, claimed_pass

_MICROSECOND = timedelta(microseconds=1)
# Longer, and a thread that appends would wait for the interpreter more than once.
_WORK_SECONDS = 0.01
_RESTS_IDLE = 3
_RESTS_BUSY = 50
_IDLE_SECONDS = 2.0
_SECONDS_BETWEEN_LOOKS = 10.0


class BackgroundAudit:
    """Makes passes in a thread of its own, one each time that some time has passed.

    Several workers may share a store: the first makes the pass, and goes on with one that
    another has left.

    Args:
        engine: of the store.
        loop: is told what fails, and says when to try again.
        every: how long after the end of a pass the next one begins.
        with_files: whether passes read whether files of segments are what was sealed.
    """

    def __init__(
        self,
        engine: Engine,
        loop: BackgroundLoop,
        every: timedelta,
        *,
        with_files: bool,
    ) -> None:
        self._engine = engine
        self._loop = loop
        self._every = every
        self._with_files = with_files
        self._stopping = threading.Event()
        self._pieces: Generator[None] | None = None
        # So that a short life is none of auditing, where that is not asked for.
        self._first_seconds = min(_IDLE_SECONDS, every.total_seconds())
        self._look_seconds = min(_SECONDS_BETWEEN_LOOKS, every.total_seconds())
        self._due_since = monotonic()
        self._news_at = self._due_since - _IDLE_SECONDS
        self._thread = threading.Thread(
            target=self._run, name="metering-audit", daemon=True
        )

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def noticed(self) -> None:
        """Note that something was recorded."""
        self._news_at = monotonic()

    def stop(self) -> None:
        """Leave the pass that is under way to others, and end."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def _is_idle(self) -> bool:
        return monotonic() - self._news_at >= _IDLE_SECONDS

    # In its thread.

    def _run(self) -> None:
        rest = self._first_seconds
        try:
            while not self._stopping.wait(rest):
                rest = self._look_seconds if self._loop.must_wait else self._step()
        except (StoreClosedError, StoreForkedError):
            # The worker ends of itself.
            return
        finally:
            # What a pass has come to stays in any case, and its lease ends by itself.
            with suppress(MeteringError):
                self._leave()

    def _step(self) -> float:
        """Work a little, and return for how many seconds to rest."""
        started = monotonic()
        try:
            if self._pieces is None and not self._begin():
                return self._look_seconds
            self._work_until(started + _WORK_SECONDS)
        except (StoreClosedError, StoreForkedError):
            raise
        except PassAbandonedError:
            self._leave()
        except Exception as error:  # noqa: BLE001  # the top of the loop, which logs it
            self._loop.failed(error)
            self._leave()
        rests = _RESTS_IDLE if self._is_idle else _RESTS_BUSY
        return rests * (monotonic() - started)

    def _begin(self) -> bool:
        """Begin a pass, or go on with one, where it is time; return whether it was."""
        with self._engine.log.read() as connection:
            passes = Passes(connection)
            last, running = passes.ended(1), passes.running()
            now = self._engine.log.judge.real_time(connection, self._engine.now())
        if running is None and last:
            since = now - (last[0].ended_at or 0)
            if 0 <= since < self._every // _MICROSECOND:
                self._due_since = monotonic()
                return False
        is_overdue = monotonic() - self._due_since >= self._every.total_seconds()
        if not (self._is_idle or is_overdue):
            return False
        passing = claimed_pass(self._engine, with_files=self._with_files)
        if passing is None:
            return False
        self._pieces = passing.pieces()
        return True

    def _work_until(self, end: float) -> None:
        assert self._pieces is not None, "a pass is under way"
        is_time_left = True
        # A piece at least: what has not begun would not give its lease back.
        while is_time_left:
            try:
                next(self._pieces)
            except StopIteration:
                self._pieces = None
                self._due_since = monotonic()
                self._loop.succeeded()
                return
            is_time_left = monotonic() < end and not self._stopping.is_set()

    def _leave(self) -> None:
        pieces, self._pieces = self._pieces, None
        if pieces is not None:
            pieces.close()
