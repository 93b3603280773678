"""Alerts: what had to trigger up to their checkpoints has triggered.

The checkpoints follow from no fact. Moved ahead, one hides what was not evaluated. So what
triggers is found anew, from usage and from credits, and must have been recorded.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.entries import Commit, Head
from ledger.facts.alerts import CreditAlertTriggered, UsageAlertTriggered
from ledger.facts.instants import LogTime
from metering.errors import shown
from metering.upkeep.verification.tables import CURE, Tables
from projections.alerts.credit_crossings import missed_falls
from projections.alerts.pending import PendingUsage
from projections.alerts.queries import Fired
from projections.alerts.tables import (
    CHECKPOINT_ID,
    alert_checkpoint,
    credit_alert_checkpoint,
)
from projections.alerts.usage_crossings import Crossings, FoundTriggers, fired_by
from projections.kernels.credits.falls import Occurrence
from projections.usage.hourly import HourlyUsage
from projections.usage.series_events import SeriesEvents
from projections.usage.summaries import Summaries

_ENTRIES_AT_A_TIME = 500_000
_TRIGGERS_NAMED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsBefore:
    """How far alerts were evaluated, as one snapshot of the database says.

    Attributes:
        checkpoints: the rows of the checkpoints as they are stored, by table.
        time: when entries count as recorded.
    """

    checkpoints: Mapping[str, Sequence[Sequence[Any]]]
    time: LogTime


class _StoredCheckpoint:
    """The row of a checkpoint, which need be neither there nor of its types."""

    def __init__(self, table: str, before: AlertsBefore) -> None:
        self.table = table
        self.place = f"In the table {table}, row checkpoint_id = {CHECKPOINT_ID}"
        self._rows = before.checkpoints[table]
        found = [row[1:] for row in self._rows if row[0] == CHECKPOINT_ID]
        self.values: Sequence[Any] | None = found[0] if found else None
        self.position: int | None = None
        if self.values is not None and {*map(type, self.values)} == {int}:
            self.position = self.values[0]

    def problems(self, beginning: int | None, *, ends_there: bool) -> Iterator[str]:
        """Yield what is wrong with the row.

        Args:
            beginning: where the first alert was created; None where there was none.
            ends_there: whether a commit ends at its position.
        """
        for row in self._rows:
            if row[0] != CHECKPOINT_ID:
                key = f"row checkpoint_id = {shown(row[0])}"
                yield f"In the table {self.table}, {key} follows from nothing; {CURE}"
        if self.values is None:
            if beginning is not None:
                yield f"{self.place} is missing; {CURE}"
        elif beginning is None:
            yield f"{self.place} follows from nothing in the log; {CURE}"
        elif self.position is None:
            yield f"{self.place}: {shown(tuple(self.values))} is stored; {CURE}"
        elif not ends_there or self.position < beginning:
            yield (
                f"{self.place}, column position: {self.position} is stored, and no"
                f" commit from position {beginning} on ends there; {CURE}"
            )

    def hides(
        self, missed: Sequence[UsageAlertTriggered | CreditAlertTriggered]
    ) -> Iterator[str]:
        """Yield what has not triggered up to the checkpoint."""
        stored = f"{self.place}, column position: {self.position} is stored"
        for fact in missed[:_TRIGGERS_NAMED]:
            at = (
                fact.event_position
                if isinstance(fact, UsageAlertTriggered)
                else fact.cause_position
            )
            yield (
                f"{stored}, and alert {fact.alert_id} has not triggered for customer"
                f" {fact.customer} at position {at}; {CURE}"
            )
        if (more := len(missed) - _TRIGGERS_NAMED) > 0:
            yield f"{stored}, and {more} more triggers are missing; {CURE}"


class AlertsOnUsage:
    """Evaluates the alerts on usage anew, up to their checkpoint.

    Args:
        usage: what was recorded so far; commits are taken in here and not there.
        before: as it is stored.
        tables: hold the alerts, folded anew.
    """

    def __init__(
        self, usage: HourlyUsage, before: AlertsBefore, tables: Tables
    ) -> None:
        self._pending = PendingUsage(usage)
        self._crossings = Crossings(Summaries(usage, SeriesEvents()))
        self._stored = _StoredCheckpoint(alert_checkpoint.name, before)
        self._tables = tables
        self._reached = 0
        self._evaluated = 0
        self._ends_there = False
        self._fired: set[Fired] = set()
        self._found: FoundTriggers = []

    def take_in(self, commit: Commit, head: Head) -> None:
        """Take in the next commit, which the tables have taken in."""
        self._pending.take_in(commit)
        self._reached, checkpoint = head.position, self._stored.position or 0
        self._ends_there |= self._reached == checkpoint
        is_much = self._reached - self._evaluated >= _ENTRIES_AT_A_TIME
        if self._reached == checkpoint or (is_much and self._reached < checkpoint):
            self._evaluate()

    def _evaluate(self) -> None:
        self._evaluated = self._reached
        pending = self._pending.pending()
        if pending is not None:
            watches = self._tables.alerts().watches(pending.first_base)
            meters = self._tables.meters()
            found = self._crossings.find(pending, watches, meters, self._fired)
            self._fired |= {fired_by(each) for each in found}
            self._found += found
            self._pending.evaluated(pending)

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the checkpoint, and what it hides."""
        seen = self._tables.alerts()
        yield from self._stored.problems(seen.checkpoint(), ends_there=self._ends_there)
        fired = seen.fired(sorted({period for period, _ in self._found}))
        missed = [
            fact
            for period, fact in self._found
            if fired_by((period, fact)) not in fired
        ]
        yield from self._stored.hides(missed)


class AlertsOnCredits:
    """Finds anew where credits fell to thresholds, up to the checkpoint.

    Args:
        before: as it is stored.
        tables: hold the credits and the alerts, folded anew.
    """

    def __init__(self, before: AlertsBefore, tables: Tables) -> None:
        self._stored = _StoredCheckpoint(credit_alert_checkpoint.name, before)
        self._tables = tables
        self._is_time_corrected = bool(before.time)
        self._recorded_at: int | None = None

    def take_in(self, head: Head) -> None:
        """Take in the head that the next commit makes."""
        if head.position == self._stored.position:
            self._recorded_at = head.recorded_at

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the checkpoint, and what it hides."""
        seen = self._tables.alerts()
        beginning = seen.credit_checkpoint()
        yield from self._stored.problems(
            None if beginning is None else beginning.position,
            ends_there=self._recorded_at is not None,
        )
        # A correction takes the checkpoint back to an instant of its own, before what is
        # decided anew.
        if self._is_time_corrected or not self._stored.values:
            return
        if self._stored.position is None:
            return
        recorded_at = self._stored.values[1]
        if self._recorded_at is not None and recorded_at != self._recorded_at:
            yield (
                f"{self._stored.place}, column recorded_at: {recorded_at} is stored, the"
                f" log says {self._recorded_at}; {CURE}"
            )
        elif self._recorded_at is not None and beginning is not None:
            reached = Occurrence(recorded_at, self._stored.position)
            yield from self._stored.hides(list(missed_falls(seen, reached)))
