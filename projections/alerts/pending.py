"""Pending usage: what was recorded since alerts were last evaluated, in memory.

It follows the log in front of hourly usage. So for each meter with alerts it knows usage
as it was before the first event that it holds. When more of the log is sealed, it begins
anew behind the segments, as hourly usage does: sealed usage has been evaluated.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, exists, select, table

from ledger.database.rows import RowsByKey
from ledger.entries import Commit, Passage
from ledger.facts.adjustments import (
    AdjustmentFact,
    MeterEventCancelled,
    MeterEventRestored,
)
from ledger.facts.alerts import (
    AlertActivated,
    CreditAlertCreated,
    SpendAlertCreated,
    UsageAlertCreated,
)
from ledger.facts.meters import MeterCreated
from ledger.facts.union import FACTS, Fact
from ledger.segments.sealed import Sealed
from ledger.usage.rows import FewEvents, UsageEvents
from projections.alerts.touched import TouchedCustomers
from projections.meters.tables import meter, read_definitions
from projections.usage.hourly import HourlyUsage
from projections.usage.view import UsageView

if TYPE_CHECKING:
    from projections.alerts.pieces import PendingPiece

# Of the table of alerts, which is loaded where there are any.
_HAS_ALERTS = select(exists().select_from(table("alert")))

Held: TypeAlias = "FewEvents | Mapping[str, PendingPiece]"
"""Events of one commit, few of them as they are, or of many, as pieces by event name."""


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """Usage to be evaluated.

    Attributes:
        before: usage before it, by the event names of meters that have alerts.
        events: first position and events of each part, in order; some may be of other
            meters, or part of `before`.
        cancellations: by position; some may be part of `before`.
        after: usage with all of it.
        checkpoint: that of alerts, when the holder began; a lower one now says that it
            was set back since. None where nothing is relied on that it says.
        generation: of the holder; evaluation of an earlier one changes nothing.
        is_whole: whether nothing is missing; else the log is to be read.
    """

    before: Mapping[str, UsageView]
    events: tuple[tuple[int, Held], ...]
    cancellations: Mapping[int, AdjustmentFact]
    after: UsageView
    checkpoint: int | None
    generation: int
    is_whole: bool

    @property
    def position(self) -> int:
        """The last position to be evaluated."""
        return self.after.position

    @property
    def first_base(self) -> int:
        """The position up to which no meter needs to be evaluated."""
        positions = [view.position for view in self.before.values()]
        return min(positions, default=self.position)


class PendingUsage:
    """Usage to be evaluated, held while hourly usage is folded. Thread-safe."""

    def __init__(self, usage: HourlyUsage) -> None:
        self._lock = threading.Lock()
        self._usage = usage
        self._event_names: dict[str, str] = {}
        self._alerts: dict[str, tuple[str, ...]] = {}
        self._before: dict[str, UsageView] = {}
        self._events: list[tuple[int, Held]] = []
        self._cancellations: dict[int, AdjustmentFact] = {}
        self._checkpoint: int | None = None
        self._generation = 0
        self._is_whole = True
        self._has_credit_alerts = False
        self._touched = TouchedCustomers()

    # Following the log.

    def make_runs(self, connection: Connection, sealed: Sealed) -> None:
        """Make the runs of usage that are missing."""
        self._usage.make_runs(connection, sealed)

    def restart(self, connection: Connection, sealed: Sealed) -> None:
        """Begin after the last segment.

        Args:
            connection: sees the log, and the tables that its facts folded into.
            sealed: what lies before the tail now.
        """
        with self._lock:
            self._usage.restart(connection, sealed)
            self._event_names = RowsByKey(
                meter,
                (
                    (meter_id, each.event_name)
                    for meter_id, each in read_definitions(connection).items()
                ),
            )
            self._events, self._cancellations, self._before = [], {}, {}
            self._alerts, self._has_credit_alerts = {}, False
            self._checkpoint, self._is_whole = None, True
            self._generation += 1
            self._touched.restart(sealed.position, is_wanted=False)
            if connection.execute(_HAS_ALERTS).scalar_one():
                self._watch(connection, sealed.position)

    def _watch(self, connection: Connection, sealed_position: int) -> None:
        """Watch usage for the alerts that there are."""
        from projections.alerts.queries import AlertQueries
        from projections.alerts.tables import alert
        from projections.kernels.alerts.book import CreditAlert, meters_of

        seen = AlertQueries(connection)
        alerts = seen.all()
        self._alerts = RowsByKey(
            alert,
            (
                (each.alert_id, self._named(meters))
                for each in alerts
                if (meters := meters_of(each))
            ),
        )
        on_credits = [each for each in alerts if isinstance(each, CreditAlert)]
        for each in on_credits:
            if each.includes_unbilled_usage:
                self._touched.want(sealed_position)
            else:
                self._has_credit_alerts = True
        # More may be sealed than was evaluated, if the checkpoint was lost.
        self._checkpoint = seen.checkpoint()
        self._is_whole = self._checkpoint is None or self._checkpoint >= sealed_position
        for watch in seen.watches(sealed_position):
            self._begin(watch.alert.alert_id)

    def take_in(self, commit: Commit) -> None:
        """Take in the next commit."""
        with self._lock:
            if isinstance(commit.content, FACTS):
                facts = enumerate(commit.single_facts, commit.first_position)
                for position, fact in facts:
                    self._hold_fact(position, fact)
            else:
                self._touched.take_in(commit.first_position, commit.content)
                if self._before:
                    self._hold(commit.first_position, commit.content)
            self._usage.take_in(commit)

    def take_in_passage(self, passage: Passage) -> None:
        """Take in the next commits together."""
        with self._lock:
            for position, _, fact in passage.facts:
                self._hold_fact(position, fact)
            self._touched.take_in_columns(passage.events, passage.last_position)
            if self._before:
                self._hold_columns(passage.events, passage.positions)
            self._usage.take_in_passage(passage)

    @property
    def is_torn(self) -> bool:
        """Whether usage must be forgotten: some of it was folded by half."""
        return self._usage.is_torn

    def clear_runs(self) -> None:
        """Remove the runs of usage; the next restart makes them anew."""
        self._usage.clear_runs()

    # Evaluation.

    @property
    def has_usage_alerts(self) -> bool:
        """Whether usage is watched for an alert."""
        return bool(self._before)

    @property
    def has_credit_alerts(self) -> bool:
        """Whether there ever was an alert on credits, without unbilled usage."""
        return self._has_credit_alerts

    @property
    def has_burn_down_alerts(self) -> bool:
        """Whether there ever was an alert on what unbilled usage leaves of credits."""
        return self._touched.is_wanted

    def touched_after(self, position: int) -> Mapping[str, int] | None:
        """Return who has an event after a position; None where it is not known."""
        with self._lock:
            return self._touched.after(position)

    def forget_touched(self, position: int) -> None:
        """Forget by whom usage was recorded up to a position that was evaluated."""
        with self._lock:
            self._touched.forget(position)

    def pending(self) -> Pending | None:
        """Return the usage to be evaluated now; None where no meter has alerts."""
        with self._lock:
            if not self._before:
                return None
            return Pending(
                before=dict(self._before),
                events=tuple(self._events),
                cancellations=dict(self._cancellations),
                after=self._usage.taken_in(),
                checkpoint=self._checkpoint,
                generation=self._generation,
                is_whole=self._is_whole,
            )

    def evaluated(self, pending: Pending) -> None:
        """Drop usage that was evaluated and whose triggers were recorded."""
        reached = pending.position
        with self._lock:
            if self._generation != pending.generation:
                return
            self._is_whole = True
            for event_name in pending.before:
                self._before[event_name] = pending.after
            self._events = [each for each in self._events if each[0] > reached]
            self._cancellations = {
                position: fact
                for position, fact in self._cancellations.items()
                if position > reached
            }

    # Holding usage.

    def _hold_fact(self, position: int, fact: Fact) -> None:
        match fact:
            case MeterCreated():
                self._event_names[fact.meter_id] = fact.event_name
            case UsageAlertCreated():
                self._alerts[fact.alert_id] = self._named([fact.meter_id])
                self._begin(fact.alert_id)
            case SpendAlertCreated():
                self._alerts[fact.alert_id] = self._named(fact.spend.meter_ids)
                self._begin(fact.alert_id)
            case CreditAlertCreated():
                if fact.includes_unbilled_usage:
                    self._touched.want(position)
                else:
                    self._has_credit_alerts = True
            case AlertActivated() if fact.alert_id in self._alerts:
                self._begin(fact.alert_id)
            case MeterEventCancelled() | MeterEventRestored():
                self._hold_adjustment(position, fact)
            case _:
                pass

    def _hold_adjustment(self, position: int, fact: AdjustmentFact) -> None:
        if fact.event_name in self._before:
            self._cancellations[position] = fact

    def _named(self, meter_ids: Sequence[str]) -> tuple[str, ...]:
        """Return the event names of meters."""
        return tuple(self._event_names[each] for each in meter_ids)

    def _begin(self, alert_id: str) -> None:
        """Hold the usage of an alert's meters from now on."""
        for event_name in self._alerts[alert_id]:
            if event_name not in self._before:
                self._before[event_name] = self._usage.taken_in()

    def _hold(self, first_position: int, events: UsageEvents) -> None:
        if isinstance(events, FewEvents):
            if any(row.event_name in self._before for row in events.rows):
                self._events.append((first_position, events))
        else:
            position = np.arange(first_position, first_position + len(events))
            self._hold_columns(events, position)

    def _hold_columns(self, batch: pa.RecordBatch, position: np.ndarray) -> None:
        from projections.alerts.pieces import pieces_by_meter

        held = pieces_by_meter(batch, position, self._before)
        if held:
            self._events.append((int(position[0]), held))
