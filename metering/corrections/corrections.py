"""Corrections: what may be done to events that were wrong, at any age.

A correction is recorded in one database transaction, however many events it changes:
there are all of its entries, or none. What it takes out stays recorded and is explained;
what it puts in place are events like any other.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from ledger.appending.writing import Writing
from ledger.facts.adjustments import MeterEventCancelled, MeterEventRestored
from ledger.facts.corrections import CorrectionApplied, CorrectionReverted
from ledger.facts.union import Fact
from ledger.reading import read_facts
from ledger.usage.columns import usage_rows
from metering.arguments.ids import found_by_id
from metering.arguments.pages import LIMIT, ListObject, listed, page_of
from metering.arguments.schema import checked, checked_value
from metering.arguments.words import UsageWindowName
from metering.arguments.zones import ZoneName
from metering.corrections.choosing import ROWS_AT_A_TIME
from metering.corrections.impact import Impact
from metering.corrections.planning import (
    SOURCES,
    CorrectionPlan,
    CorrectionPlanning,
    Replacements,
)
from metering.corrections.previewing import RehearsedStore, preview
from metering.corrections.requests import (
    ChangeParams,
    Changes,
    CorrectionAuthor,
    CorrectionList,
    CorrectionReason,
    CorrectionRevert,
)
from metering.corrections.resources import Correction
from metering.corrections.shown import correction_resource
from metering.corrections.spooling import SpooledEvents, in_commits, without_positions
from metering.errors import InvalidRequestError
from metering.store.engine import Engine
from projections.corrections.queries import CorrectionQueries
from projections.kernels.corrections import CorrectionRecord

_CommitContent: TypeAlias = Sequence[Fact] | pa.RecordBatch


class Corrections:
    """The corrections of a store."""

    def __init__(self, engine: Engine, store: RehearsedStore) -> None:
        self._engine = engine
        self._store = store

    def preview(
        self,
        changes: Sequence[ChangeParams] | Replacements,
        *,
        window: UsageWindowName | None = "day",
        timezone: ZoneName = "UTC",
    ) -> Impact:
        """Return what a correction would change, and change nothing.

        It is applied to a branch of the store, which is thrown away; so it shows what
        applying it does, if nothing else happens meanwhile.

        Args:
            changes: as for `apply`.
            window: of usage: hour, day, week or month; None is one.
            timezone: IANA name of the zone whose clocks the windows follow.

        Raises:
            ResourceMissingError: as for `apply`.
            InvalidRequestError: as for `apply`.
            SourceError: as for `apply`.
        """
        if not isinstance(changes, SOURCES):
            changes = checked_value(Changes, changes, "changes")
        return preview(self._store, changes, window, timezone)

    def apply(
        self,
        changes: Sequence[ChangeParams] | Replacements,
        *,
        reason: str,
        author: str,
    ) -> Correction:
        """Cancel and replace events, all of them or none, at any age.

        An event that is replaced is cancelled; its replacement is an event of its own,
        recorded now, whose identifier is the correction's id, ``/`` and the position of
        what it replaces. The identifier of that stays taken, so that it can still be sent
        again. A replacement obeys the rules of events, and may be as old as it likes.

        Args:
            changes: ``{"type": "cancel", "event_name": …, "identifiers": […]}``; or with
                `customer`, `start_time`, `end_time`, `first_position`, `last_position`,
                `payload` in place of identifiers, which means the events that count; or
                ``{"type": "replace", …, "replace": {"value": …}}``, also with `customer`,
                `event_name`, `timestamp`, `payload`. Or an Arrow table, or the path of a
                file, that can be ingested: each row replaces the event of its event name
                and identifier, and one that says the same as that changes nothing.
            reason: why.
            author: who decided it.

        Raises:
            ResourceMissingError: an identifier is that of no event.
            InvalidRequestError: an argument is malformed, a change means no event, an
                event is meant twice or was cancelled already, or a replacement breaks a
                rule of events. Nothing was recorded.
            SourceError: the file cannot be read.
        """
        if not isinstance(changes, SOURCES):
            changes = checked_value(Changes, changes, "changes")
        reason = checked_value(CorrectionReason, reason, "reason")
        author = checked_value(CorrectionAuthor, author, "author")
        engine = self._engine
        correction_id = engine.new_id("corr")
        with CorrectionPlanning(engine, changes, correction_id) as planning:
            is_applied = False
            while not is_applied:
                plan = planning.plan()
                fact = CorrectionApplied(
                    correction_id=correction_id,
                    reason=reason,
                    author=author,
                    cancelled=plan.replaced.rows + plan.cancelled.rows,
                    replaced=plan.replaced.rows,
                )
                with engine.writing(needs_events=True) as writing:
                    is_applied = self._still_holds(plan, writing)
                    if is_applied:
                        writing.record_several(correction_id, _applied(fact, plan))
        engine.sealing.appended()
        return self.retrieve(correction_id)

    def revert(
        self,
        correction_id: str,
        *,
        reason: str | None = None,
        author: str | None = None,
    ) -> Correction:
        """Let count again what a correction took out, and not what it put in its place.

        Each event counts as it did, in its old place in the log.

        Args:
            correction_id: of the correction.
            reason: why.
            author: who decided it.

        Raises:
            ResourceMissingError: there is no such correction.
            InvalidRequestError: it is reverted already, or one of its replacements was
                cancelled or replaced since: that is to be reverted first.
        """
        asked = checked(CorrectionRevert, reason=reason, author=author)
        with self._engine.writing(needs_events=True) as writing:
            seen = CorrectionQueries(writing.connection)
            known = correction_of(seen, correction_id)
            self._check_revertible(known)
            fact = CorrectionReverted(
                correction_id=known.correction_id,
                reason=asked.reason or "",
                author=asked.author or "",
                cancelled=known.replaced,
                restored=known.cancelled,
            )
            contents = self._reverted(fact, known, writing)
            writing.record_several(known.correction_id, contents)
        return self.retrieve(correction_id)

    def retrieve(self, correction_id: str) -> Correction:
        """Return a correction by its id.

        Raises:
            ResourceMissingError: there is no such correction.
        """
        with self._engine.log.read() as connection:
            known = correction_of(CorrectionQueries(connection), correction_id)
        return correction_resource(known, livemode=self._engine.settings.livemode)

    def list(
        self,
        *,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[Correction]:
        """Return corrections, newest first.

        Args:
            limit: 1 to 100.
            starting_after: id of the correction before the first one to list.
            ending_before: id of the correction behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no correction.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                CorrectionList,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def _page(self, asked: CorrectionList) -> ListObject[Correction]:
        livemode = self._engine.settings.livemode
        with self._engine.log.read() as connection:
            seen = CorrectionQueries(connection)
            page = page_of(
                asked, lambda each, at: correction_of(seen, each, at).position
            )
            shown = [
                correction_resource(each, livemode=livemode) for each in seen.page(page)
            ]
        return listed(asked, shown, self._page)

    def _still_holds(self, plan: CorrectionPlan, writing: Writing) -> bool:
        """Whether a plan comes to the same by all that was recorded since."""
        if writing.head.has_entries_of(plan.head):
            return True
        meters = self._engine.catalog.read(writing.connection)
        if meters.by_id != plan.definitions.by_id:
            return False
        view = self._engine.usage.view()
        return not view.are_cancelled(plan.positions).any()

    def _check_revertible(self, known: CorrectionRecord) -> None:
        if known.reverted_position is not None:
            raise InvalidRequestError(
                f"Correction {known.correction_id} is reverted already; apply its changes"
                " again where they were right",
                code="correction_reverted",
                param="id",
            )
        view, first = self._engine.usage.view(), known.first_replacement
        for start in range(first, known.last_position + 1, ROWS_AT_A_TIME):
            end = min(start + ROWS_AT_A_TIME, known.last_position + 1)
            cancelled = view.cancellations_of(np.arange(start, end))
            for at in np.flatnonzero(cancelled)[:1].tolist():
                raise InvalidRequestError(
                    f"Correction {known.correction_id} cannot be reverted: its"
                    f" replacement at position {start + at} was cancelled since, at"
                    f" position {cancelled[at]}; revert that first",
                    code="correction_corrected",
                    param="id",
                )

    def _reverted(
        self, fact: CorrectionReverted, known: CorrectionRecord, writing: Writing
    ) -> Iterator[_CommitContent]:
        facts: list[Fact] = [fact]
        first, end = known.first_replacement, known.last_position + 1
        for start in range(first, end, ROWS_AT_A_TIME):
            positions = np.arange(start, min(start + ROWS_AT_A_TIME, end))
            events, _ = self._engine.log.events_at(positions)
            facts += _cancellations(positions, events)
            yield facts
            facts = []
        recorded = read_facts(writing.connection, known.position - 1, first - 1)
        cancelled = (each for _, _, each in recorded)
        restored = (
            _restored(each)
            for each in cancelled
            if isinstance(each, MeterEventCancelled)
        )
        while facts := [*facts, *islice(restored, ROWS_AT_A_TIME)]:
            yield facts
            facts = []


def correction_of(
    seen: CorrectionQueries, correction_id: object, param: str = "id"
) -> CorrectionRecord:
    """Return a correction by its id, or refuse the parameter that holds it."""
    return found_by_id(seen.correction, correction_id, "correction", param)


def _applied(fact: CorrectionApplied, plan: CorrectionPlan) -> Iterator[_CommitContent]:
    """Yield what a plan records, commit by commit."""
    facts: list[Fact] = [fact]
    for placed in _both(plan.replaced, plan.cancelled):
        facts += _cancellations(*without_positions(placed))
        if len(facts) >= ROWS_AT_A_TIME:
            yield facts
            facts = []
    if facts:
        yield facts
    yield from in_commits(plan.replacements.batches(), ROWS_AT_A_TIME)


def _both(*spools: SpooledEvents) -> Iterator[pa.RecordBatch]:
    for each in spools:
        yield from each.batches()


def _cancellations(
    positions: np.ndarray, events: pa.RecordBatch
) -> Iterator[MeterEventCancelled]:
    for position, row in zip(positions.tolist(), usage_rows(events), strict=True):
        yield MeterEventCancelled(
            event_position=position,
            event_name=row.event_name,
            identifier=row.identifier,
            customer=row.customer,
            timestamp=row.timestamp,
            value=row.value,
        )


def _restored(cancelled: MeterEventCancelled) -> MeterEventRestored:
    return MeterEventRestored(
        event_position=cancelled.event_position,
        event_name=cancelled.event_name,
        identifier=cancelled.identifier,
        customer=cancelled.customer,
        timestamp=cancelled.timestamp,
        value=cancelled.value,
    )
