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
from ledger.records.problems import RowPlace
from ledger.segments.sealed import Sealed
from metering.errors import shown
from metering.upkeep.verification.tables import CURE, Tables, differing
from projections.alerts.credit_crossings import missed_falls
from projections.alerts.pending import PendingUsage
from projections.alerts.queries import Fired
from projections.alerts.tables import (
    CHECKPOINT_ID,
    alert_checkpoint,
    burn_down_checkpoint,
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
        self._table = table
        self._place = RowPlace(table, {"checkpoint_id": CHECKPOINT_ID})
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
                key = {"checkpoint_id": row[0]}
                yield RowPlace(self._table, key).unfounded(CURE)
        if self.values is None:
            if beginning is not None:
                yield self._place.missing(CURE)
        elif beginning is None:
            yield self._place.unfounded(CURE)
        elif self.position is None:
            yield self._place.problem(f"{shown(tuple(self.values))} is stored", CURE)
        elif self.position != beginning and (
            not ends_there or self.position < beginning
        ):
            yield self._of_position(
                f"no commit from position {beginning} on ends there"
            )

    def hides(
        self, missed: Sequence[UsageAlertTriggered | CreditAlertTriggered]
    ) -> Iterator[str]:
        """Yield what has not triggered up to the checkpoint."""
        for fact in missed[:_TRIGGERS_NAMED]:
            at = (
                fact.event_position
                if isinstance(fact, UsageAlertTriggered)
                else fact.cause_position
            )
            yield self._of_position(
                f"alert {fact.alert_id} has not triggered for customer"
                f" {fact.customer} at position {at}"
            )
        if (more := len(missed) - _TRIGGERS_NAMED) > 0:
            yield self._of_position(f"{more} more triggers are missing")

    def differs(self, column: str, stored: object, right: object) -> str:
        """Say that a column is not what the log says."""
        return self._place.problem(differing(stored, right), CURE, column)

    def _of_position(self, reason: str) -> str:
        stored = f"{self.position} is stored, and {reason}"
        return self._place.problem(stored, CURE, "position")


def are_evaluated(before: AlertsBefore) -> bool:
    """Whether alerts on usage are evaluated at all."""
    return bool(before.checkpoints[alert_checkpoint.name])


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

    def restart(self, sealed: Sealed) -> None:
        """Forget the usage of segments that lead to here; their runs are there."""
        if self._reached < (self._stored.position or 0):
            self._evaluate()
        self._tables.restart(self._pending, sealed)

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

    @property
    def position(self) -> int | None:
        """The position of the checkpoint, as far as there is one."""
        return self._stored.position

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
            yield self._stored.differs("recorded_at", recorded_at, self._recorded_at)
        elif self._recorded_at is not None and beginning is not None:
            reached = Occurrence(recorded_at, self._stored.position)
            yield from self._stored.hides(list(missed_falls(seen, reached)))


class AlertsOnBurnDown:
    """Checks up to where what unbilled usage leaves was looked at.

    What was left there nobody can say any more: it was by the prices, subscriptions and
    statements of then. What was found is in the log, and the tables are folded from it.

    Args:
        before: as it is stored.
        tables: hold the alerts, folded anew.
    """

    def __init__(self, before: AlertsBefore, tables: Tables) -> None:
        self._stored = _StoredCheckpoint(burn_down_checkpoint.name, before)
        self._tables = tables
        self._ends_there = False

    def take_in(self, head: Head) -> None:
        """Take in the head that the next commit makes."""
        self._ends_there |= head.position == self._stored.position

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the checkpoint."""
        beginning = self._tables.alerts().credit_checkpoint(burn_down_checkpoint)
        yield from self._stored.problems(
            None if beginning is None else beginning.position,
            ends_there=self._ends_there,
        )
