"""Evaluation of alerts on credits: where credits fell is recorded exactly once.

As with usage, what triggers follows from the log alone, and is recorded in the database
transaction that moves the checkpoint. It is looked for before the log is locked, and
again under the lock only where facts were recorded meanwhile.
"""

from collections.abc import Callable

from ledger.commits import read_head
from ledger.entries import recording_instant
from ledger.facts.alerts import CreditAlertTriggered
from ledger.log import Log
from metering.store.scheduled_credits import ScheduledCredits
from projections.alerts.credit_crossings import CreditCrossings
from projections.alerts.queries import AlertQueries
from projections.credits.schedule_queries import ScheduleQueries
from projections.test_clocks.clocked import ClockedCatalog


class CreditEvaluator:
    """Evaluates the alerts on credits of a log. For one thread at a time.

    Args:
        log: what is evaluated.
        clocks: who lives by test clocks.
        scheduled: what falls due is recorded before it is looked for what fell.
        now: returns the time, microseconds since 1970 UTC.
    """

    def __init__(
        self,
        log: Log,
        clocks: ClockedCatalog,
        scheduled: ScheduledCredits,
        now: Callable[[], int],
    ) -> None:
        self._log = log
        self._clocks = clocks
        self._scheduled = scheduled
        self._now = now
        self._crossings = CreditCrossings()

    def evaluate(self) -> int:
        """Record what triggers up to now, where there was an alert on credits.

        Returns:
            How often one triggered.
        """
        while (triggered := self._evaluated()) is None:
            self._scheduled.record_due()
        return triggered

    def _evaluated(self) -> int | None:
        """Evaluate, unless a grant has fallen due that nobody recorded: None says so."""
        with self._log.read() as connection:
            head = read_head(connection)
            present = recording_instant(head, self._now())
            if self._scheduled.are_due(
                ScheduleQueries(connection), head.facts_position, None, present
            ):
                return None
            clocked = self._clocks.read(connection, head.facts_position)
            found = self._crossings.find(AlertQueries(connection), clocked, present)
        if not found.are_news:
            self._crossings.recorded(found)
            return 0
        with self._log.writing(self._now) as writing:
            seen = AlertQueries(writing.connection)
            facts_position = writing.head.facts_position
            if self._scheduled.are_due(
                ScheduleQueries(seen.connection), facts_position, None, writing.now
            ):
                return None
            if (
                facts_position != found.facts_position
                or writing.now < found.instant
                or seen.credit_checkpoint() != found.checkpoint
            ):
                clocked = self._clocks.read(seen.connection, facts_position)
                found = self._crossings.find(seen, clocked, writing.now)
            seen.move_credit_checkpoint(found.reached)
            writing.record(found.triggers)
        self._crossings.recorded(found)
        return sum(isinstance(each, CreditAlertTriggered) for each in found.triggers)
