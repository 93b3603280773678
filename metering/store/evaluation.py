"""Evaluation: what alerts trigger is found, and recorded exactly once.

What triggers follows from the log alone. An evaluator finds it in what came after the
checkpoint, and records it in the database transaction that moves the checkpoint: if it
dies before, nothing has happened; if another one was faster, what that one has recorded
is left out. It may begin earlier than the checkpoint: it then finds again, and leaves
out, what is recorded already.

A repair sets the checkpoint back. A process that had evaluated beyond it may not move it
ahead again, over what was never evaluated: it goes through the whole log first.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from ledger.appending.writing import Writing
from ledger.errors import LedgerError
from ledger.log import Log
from ledger.records.idempotency import Request
from metering.store.scheduled_credits import ScheduledCredits
from projections.alerts.pending import PendingUsage
from projections.meters.catalog import Catalog
from projections.usage.summaries import Summaries

if TYPE_CHECKING:
    from metering.store.credit_evaluation import CreditEvaluator
    from metering.store.usage_evaluation import UsageEvaluator


class BurnDownAlerts(Protocol):
    """Evaluates alerts on what unbilled usage leaves of credits.

    It is rated far above the store, by what makes statements, which is why it is only
    described here; see `metering.spending.watching`.
    """

    def evaluate(self, pending: PendingUsage) -> int:
        """Record what triggers now, and return how often something did."""

    def is_settled(
        self, writing: Writing, pending: PendingUsage, *, is_first: bool
    ) -> bool:
        """Whether nothing triggers by what was recorded before a transaction."""

    def may_recover(self, writing: Writing, before: int) -> bool:
        """Whether what was recorded after a position may have raised what had fallen."""

    def is_needed(self, writing: Writing) -> bool:
        """Whether there is such an alert, as a transaction sees it."""


class Evaluator:
    """Evaluates the alerts of a log, once there are any. Thread-safe.

    Attributes:
        burn_down: returns what evaluates alerts on what unbilled usage leaves.

    Args:
        log: what is evaluated.
        watched: what of it has not been evaluated; the log's fold of usage.
        catalog: the meters.
        summaries: reads usage.
        scheduled: what falls due, which is recorded before credits are evaluated.
        now: returns the time, microseconds since 1970 UTC.
    """

    def __init__(  # what is evaluated is made of these parts
        self,
        log: Log,
        watched: PendingUsage,
        catalog: Catalog,
        summaries: Summaries,
        scheduled: ScheduledCredits,
        now: Callable[[], int],
    ) -> None:
        self._log = log
        self._watched = watched
        self._catalog = catalog
        self._summaries = summaries
        self._scheduled = scheduled
        self._now = now
        self._lock = threading.Lock()
        self._on_usage: UsageEvaluator | None = None
        self._on_credits: CreditEvaluator | None = None
        self.burn_down: Callable[[], BurnDownAlerts] | None = None

    def evaluate(self) -> int:
        """Record what triggers in everything recorded so far, and count it.

        Raises:
            StoreError: nothing was recorded; what was found will be found again.
        """
        self._log.catch_up()
        with self._lock:
            triggered = 0
            if self._watched.has_usage_alerts:
                triggered += self._usage().evaluate()
            if self._watched.has_credit_alerts:
                triggered += self._credits().evaluate()
            if self._watched.has_burn_down_alerts and self.burn_down is not None:
                triggered += self.burn_down().evaluate(self._watched)
            return triggered

    @contextmanager
    def writing(
        self, request: Request | None, *, needs_events: bool, only_lowers: bool
    ) -> Iterator[Writing]:
        """Open a database transaction to record facts in; see `Log.writing`.

        What unbilled usage leaves of credits is looked at before, so that no fact lifts
        it over a threshold to which it had fallen unseen; and where a fact may have
        lifted it, at once after.

        Args:
            request: on whose behalf it records.
            needs_events: whether everything committed so far must be taken in before.
            only_lowers: whether what it records can lift nothing, so nobody looks.
        """
        if only_lowers:
            with self._log.writing(
                self._now, needs_events=needs_events, request=request
            ) as writing:
                yield writing
            return
        is_looked_at, is_first, may_recover = (
            self._watched.has_burn_down_alerts,
            True,
            False,
        )
        while True:
            with self._log.writing(
                self._now, needs_events=needs_events or is_looked_at, request=request
            ) as writing:
                if not is_looked_at and not self._is_news(writing):
                    yield writing
                    return
                if is_looked_at and self._is_settled(writing, is_first=is_first):
                    before = writing.head.position
                    yield writing
                    may_recover = self._may_recover(writing, before)
                    break
            if is_looked_at:
                self.evaluate()
                is_first = False
            is_looked_at = True
        if may_recover:
            # The facts are recorded; what fails here is found by the next evaluation.
            with suppress(LedgerError):
                self.evaluate()

    def _is_news(self, writing: Writing) -> bool:
        """Whether others have created the first alert that facts are preceded by a look for."""
        is_known = self._log.known_head.facts_position == writing.head.facts_position
        if is_known or self.burn_down is None:
            return False
        return self.burn_down().is_needed(writing)

    def _is_settled(self, writing: Writing, *, is_first: bool) -> bool:
        if self.burn_down is None:
            return True
        return self.burn_down().is_settled(writing, self._watched, is_first=is_first)

    def _may_recover(self, writing: Writing, before: int) -> bool:
        if self.burn_down is None or writing.commit is None:
            return False
        return self.burn_down().may_recover(writing, before)

    @property
    def has_credit_alerts(self) -> bool:
        """Whether there is an alert on credits, as of what was taken in."""
        return self._watched.has_credit_alerts

    def restart(self) -> None:
        """Forget what was evaluated, after a repair."""
        with self._lock:
            self._on_usage = self._on_credits = None

    def _usage(self) -> "UsageEvaluator":
        from metering.store.usage_evaluation import UsageEvaluator

        if self._on_usage is None:
            self._on_usage = UsageEvaluator(
                self._log, self._watched, self._catalog, self._summaries, self._now
            )
        return self._on_usage

    def _credits(self) -> "CreditEvaluator":
        from metering.store.credit_evaluation import CreditEvaluator

        if self._on_credits is None:
            self._on_credits = CreditEvaluator(
                self._log, self._catalog.clocks, self._scheduled, self._now
            )
        return self._on_credits
