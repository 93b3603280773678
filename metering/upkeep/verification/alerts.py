"""Alerts: what had to trigger up to their checkpoint has triggered.

The checkpoint follows from no fact. Moved ahead, it hides what was not evaluated, so what
triggers is found anew, from the events, and must have been recorded.
"""

from collections.abc import Iterator

from ledger.entries import Commit, Head
from ledger.facts.alerts import UsageAlertTriggered
from metering.upkeep.verification.tables import CURE, Tables
from projections.alerts.pending import PendingUsage
from projections.alerts.queries import Fired
from projections.alerts.usage_crossings import Crossings
from projections.usage.hourly import HourlyUsage
from projections.usage.series_events import SeriesEvents
from projections.usage.summaries import Summaries

_ENTRIES_AT_A_TIME = 500_000
_TRIGGERS_NAMED = 10
_PLACE = "In the table alert_checkpoint, row checkpoint_id = 1"


class AlertsOnUsage:
    """Evaluates the alerts on usage anew, up to their checkpoint.

    Args:
        usage: what was recorded so far; commits are taken in here and not there.
        checkpoint: up to where evaluation is said to have come; None where it has not
            begun.
        tables: hold the alerts, folded anew.
    """

    def __init__(
        self, usage: HourlyUsage, checkpoint: int | None, tables: Tables
    ) -> None:
        self._pending = PendingUsage(usage)
        self._crossings = Crossings(Summaries(usage, SeriesEvents()))
        self._checkpoint = checkpoint
        self._tables = tables
        self._reached = 0
        self._evaluated = 0
        self._ends_there = False
        self._fired: set[Fired] = set()
        self._found: list[tuple[int, UsageAlertTriggered]] = []

    def take_in(self, commit: Commit, head: Head) -> None:
        """Take in the next commit, which the tables have taken in."""
        self._pending.take_in(commit)
        self._reached = head.position
        self._ends_there |= self._reached == self._checkpoint
        if self._reached == self._checkpoint or (
            self._reached - self._evaluated >= _ENTRIES_AT_A_TIME
            and self._reached < (self._checkpoint or 0)
        ):
            self._evaluate()

    def _evaluate(self) -> None:
        self._evaluated = self._reached
        pending = self._pending.pending()
        if pending is not None:
            watches = self._tables.alerts().watches(pending.first_base)
            meters = self._tables.meters()
            found = self._crossings.find(pending, watches, meters, self._fired)
            self._fired |= {_key(each) for each in found}
            self._found += found
            self._pending.evaluated(pending)

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the checkpoint, and what it hides."""
        seen = self._tables.alerts()
        beginning = seen.checkpoint()
        if self._checkpoint is None:
            if beginning is not None:
                yield f"{_PLACE} is missing; {CURE}"
            return
        if beginning is None:
            yield f"{_PLACE} follows from nothing in the log; {CURE}"
        elif not self._ends_there or self._checkpoint < beginning:
            yield (
                f"{_PLACE}, column position: {self._checkpoint} is stored, and no commit"
                f" from position {beginning} on ends there; {CURE}"
            )
        fired = seen.fired(sorted({period for period, _ in self._found}))
        missed = [each for each in self._found if _key(each) not in fired]
        for _, fact in missed[:_TRIGGERS_NAMED]:
            yield (
                f"{_PLACE}, column position: {self._checkpoint} is stored, and alert"
                f" {fact.alert_id} has not triggered for customer {fact.customer} at"
                f" position {fact.event_position}; {CURE}"
            )
        if len(missed) > _TRIGGERS_NAMED:
            more = len(missed) - _TRIGGERS_NAMED
            yield f"{_PLACE}: {more} more triggers are missing; {CURE}"


def _key(found: tuple[int, UsageAlertTriggered]) -> Fired:
    period, fact = found
    return period, fact.customer, fact.window_start
