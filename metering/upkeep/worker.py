"""The worker: keeps a store current, round by round, until it is stopped.

A round takes in what was recorded, evaluates alerts, makes reports of what the stream
refused, enqueues events, and starts the deliveries that are due; a tail that grew too
long is sealed in another thread, reports that were asked for are made in another, and
the store is audited in a third. Each step is recorded at most once in a store, so that
several workers can share it, and one finishes what another left undone.
"""

import logging
import threading
from collections.abc import Callable
from time import monotonic
from typing import Self, TypeVar

from ledger.background import BackgroundLoop, BackgroundLoops, Backoff, may_pass
from ledger.errors import StoreClosedError, StoreForkedError
from metering.reporting.background import BackgroundReports
from metering.store.engine import Engine
from metering.upkeep.auditing.background import BackgroundAudit
from metering.upkeep.auditing.pace import AuditPace
from metering.upkeep.status import WorkReceipt
from metering.webhooks.delivery.delivering import Lanes, Tally
from metering.webhooks.delivery.sending import sender_of
from metering.webhooks.enqueueing import enqueue_all

# For what time alone brings about: expiries, and attempts to repeat.
_SECONDS_BETWEEN_LOOKS = 1.0
_RESTS = 4
_LONGEST_REST_SECONDS = 0.05
_BACKOFF = Backoff(first_seconds=0.1, longest_seconds=30.0)
_NOTHING = WorkReceipt(position=0, triggered=0, enqueued=0, delivered=0, failed=0)

StepT = TypeVar("StepT")

_logger = logging.getLogger(__name__)


class Worker:
    """Works on a store in a thread, from the entry of a with statement to its exit.

    A step of its rounds that fails is tried again, less and less often, while the others
    go on: `Metering.status` shows it. Only a store that was closed ends it. The exit, and
    `join` once it has ended, raise what a step was failing with, unless that passes by
    itself, as an unreachable store does.

    Args:
        engine: of the store.
        poll_seconds: how often it looks for what other processes recorded; what this
            process records wakes it.
        progress: is called in its thread after each round that did something. What it
            fails for is added to what it is called with next.
        audit: when it audits; None is never.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        poll_seconds: float,
        progress: Callable[[WorkReceipt], None] | None,
        audit: AuditPace | None,
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
        self._unreported = _NOTHING
        self._next_look = 0.0
        self._background = engine.log.background
        self._steps = _RoundSteps(self._background)
        self._reports = BackgroundReports(
            engine, self._steps.reports, self._stopping.is_set
        )
        self._audit = None if audit is None else self._auditing(audit)

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def _auditing(self, pace: AuditPace) -> BackgroundAudit:
        return BackgroundAudit(
            self._engine, self._steps.auditing, pace.every, with_files=pace.files
        )

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Stop, once the attempts that are being made are recorded.

        Raises:
            Exception: what a step fails with for good, unless the block raised one.
        """
        self._stopping.set()
        self._engine.news.set()
        if kind is None:
            self.join()
        else:
            self._ended.wait()

    @property
    def has_ended(self) -> bool:
        """Whether it has ended; by itself it does only where the store was closed."""
        return self._ended.is_set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the worker has ended.

        Args:
            timeout: seconds to wait at most.

        Returns:
            Whether it has ended.

        Raises:
            Exception: the error that ended it, or what a step was failing with for good.
        """
        has_ended = self._ended.wait(timeout)
        if self._error is not None:
            raise self._error
        return has_ended

    # In its thread.

    def _run(self) -> None:
        try:
            self._work()
        # What it ends with is raised where the worker is left, which may be in a year.
        except (StoreClosedError, StoreForkedError) as error:
            self._error = error
            _logger.critical("The worker has ended: %s", error.message)
        except Exception as error:
            self._error = error
            _logger.critical("The worker has ended", exc_info=True)
        else:
            self._error = self._steps.standing_fault
        finally:
            self._stopping.set()
            self._reports.join()
            if self._audit is not None:
                self._audit.stop()
            self._steps.end()
            self._ended.set()

    def _work(self) -> None:
        sender, background = sender_of(self._engine.settings), self._background
        lanes = Lanes(self._engine, sender, self._stopping.is_set, background)
        if self._audit is not None:
            self._audit.start()
        with lanes:
            while not self._stopping.is_set():
                started = monotonic()
                self._engine.news.clear()
                self._do_round(lanes)
                # Under a steady load one round would follow the other; most of the time
                # is left to appends.
                took = monotonic() - started
                self._stopping.wait(min(_RESTS * took, _LONGEST_REST_SECONDS))
                if self._stopping.is_set():
                    # Its news may be what the round began with forgetting.
                    break
                self._engine.news.wait(self._poll_seconds)
        self._report(0, 0, lanes.ended(), is_last=True)
        lanes.forget_failures()

    def _do_round(self, lanes: Lanes) -> None:
        engine, steps, now = self._engine, self._steps, monotonic()
        head = steps.tried(steps.looking, engine.log.head, None)
        if head is None:
            return
        has_news, is_first = head.position != self._position, self._position < 0
        if has_news or now >= self._next_look or steps.are_due:
            # What fails holds up nothing else: each is done again from what is recorded.
            triggered = steps.tried(steps.alerts, engine.evaluator.evaluate, 0)
            enqueued = steps.tried(steps.webhooks, lambda: enqueue_all(engine), 0)
            tally = steps.tried(steps.deliveries, lanes.start_due, Tally())
            self._reports.start_due()
            self._position = head.position
            self._next_look = now + _SECONDS_BETWEEN_LOOKS
            self._report(triggered, enqueued, tally)
        elif lanes.are_busy:
            tally = steps.tried(steps.deliveries, lanes.start_due, Tally())
            self._report(0, 0, tally)
        if has_news:
            engine.sealing.appended()
            # What a worker finds when it begins was recorded at any time.
            if self._audit is not None and not is_first:
                self._audit.noticed()

    def _report(
        self, triggered: int, enqueued: int, tally: Tally, *, is_last: bool = False
    ) -> None:
        progress, before = self._progress, self._unreported
        if progress is None:
            return
        done = self._unreported = WorkReceipt(
            position=max(self._position, 0),
            triggered=before.triggered + triggered,
            enqueued=before.enqueued + enqueued,
            delivered=before.delivered + tally.delivered,
            failed=before.failed + tally.failed,
        )
        if not (done.triggered or done.enqueued or done.delivered or done.failed):
            return

        def report() -> bool:
            progress(done)
            return True

        reporting = self._steps.reporting
        if self._steps.tried(reporting, report, otherwise=False, is_urgent=is_last):
            self._unreported = _NOTHING


class _RoundSteps:
    """The steps of a worker's rounds, each a loop of its own.

    Attributes:
        looking: where the log ends.
        alerts: evaluates them.
        webhooks: makes events, and deliveries of them.
        deliveries: starts those that are due.
        reports: makes those that were asked for.
        auditing: compares what answers are made of with the log.
        reporting: calls the caller's own function.
    """

    def __init__(self, background: BackgroundLoops) -> None:
        self._background = background
        self.looking = self._begin("worker", "The worker waits")
        self.alerts = self._begin("alerts", "Alerts are not evaluated")
        self.webhooks = self._begin("webhooks", "Events are not enqueued")
        self.deliveries = self._begin("deliveries", "Deliveries are not started")
        self.reports = self._begin("reports", "Reports are not made")
        self.auditing = self._begin("auditing", "The store is not audited")
        self.reporting = self._begin("progress", "What the worker did is not reported")
        # Looking is done in every round, and reporting where there is something to say.
        self._retried = (self.alerts, self.webhooks, self.deliveries, self.reports)
        others = self.looking, self.auditing, self.reporting
        self._all = (*others, *self._retried)

    @property
    def are_due(self) -> bool:
        """Whether a step that failed is to be tried again."""
        return any(each.error and not each.must_wait for each in self._retried)

    @property
    def standing_fault(self) -> Exception | None:
        """What a step fails with, unless it passes by itself."""
        errors = [each.error for each in self._all if each.error is not None]
        return next((each for each in errors if not may_pass(each)), None)

    def tried(
        self,
        loop: BackgroundLoop,
        step: Callable[[], StepT],
        otherwise: StepT,
        *,
        is_urgent: bool = False,
    ) -> StepT:
        """Take a step, unless it is too early for it; where it fails, note that.

        Args:
            loop: of the step.
            step: takes it.
            otherwise: what is returned where it is not taken, or fails.
            is_urgent: whether it is never too early.

        Raises:
            StoreClosedError, StoreForkedError: there is nothing to work on any more.
        """
        if loop.must_wait and not is_urgent:
            return otherwise
        try:
            done = step()
        except (StoreClosedError, StoreForkedError):
            raise
        except Exception as error:  # noqa: BLE001  # the top of the loop, which logs it
            loop.failed(error)
            return otherwise
        loop.succeeded()
        return done

    def end(self) -> None:
        """Forget the steps of a worker that has ended."""
        for each in self._all:
            self._background.end(each)

    def _begin(self, name: str, complain: str) -> BackgroundLoop:
        return self._background.begin(name, _BACKOFF, complain=complain, logger=_logger)
