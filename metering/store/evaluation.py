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
from collections.abc import Callable
from typing import TYPE_CHECKING

from ledger.log import Log
from metering.store.scheduled_credits import ScheduledCredits
from projections.alerts.pending import PendingUsage
from projections.meters.catalog import Catalog
from projections.usage.summaries import Summaries

if TYPE_CHECKING:
    from metering.store.credit_evaluation import CreditEvaluator
    from metering.store.usage_evaluation import UsageEvaluator


class Evaluator:
    """Evaluates the alerts of a log, once there are any. Thread-safe.

    Attributes:
        on_burn_down: evaluates alerts on what unbilled usage leaves of credits; see
            `metering.spending.watching`.

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
        # It is rated far above the store, by whoever makes statements.
        self.on_burn_down: Callable[[PendingUsage], int] | None = None

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
            if self._watched.has_burn_down_alerts and self.on_burn_down is not None:
                triggered += self.on_burn_down(self._watched)
            return triggered

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
