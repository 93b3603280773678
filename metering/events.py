"""Meter events: recording them one by one or in bulk, and listing them."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from ledger.appends import Status, UsageDraft, UsageOutcome
from ledger.columns import UsageRow, usage_rows
from ledger.few_events import FewEvents
from metering.checks import Arrival, PayloadValue, check_event, check_word
from metering.engine import Engine
from metering.errors import IdentifierConflictError, MeterEventInvalidError
from metering.ingest.ingestion import Ingestion
from metering.ingest.layout import Columns
from metering.ingest.receipts import IngestReceipt, ProgressCallback
from metering.listing import RecordedEvent, Wanted, event_resource, recorded_events
from metering.resources import MeterEvent
from metering.times import Time, instant
from projections.catalog import Definitions

_GIVEN = np.array([True])
_ASSIGNED = np.array([False])


class MeterEvents:
    """The meter events of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self,
        *,
        event_name: str,
        payload: Mapping[str, PayloadValue],
        identifier: str | None = None,
        timestamp: Time | None = None,
    ) -> MeterEvent:
        """Record one event, durably.

        Sending an event again with the same identifier and content is safe for ever: it
        answers with the original, marked `duplicate`, and counts once.

        Args:
            event_name: that of an active meter.
            payload: strings, whole numbers or decimals by key; holds the customer, and
                the value unless the meter only counts.
            identifier: 1 to 100 characters, unique within the event name; made up where
                absent, and then a repetition is another event.
            timestamp: when the usage happened, from 35 days ago to 5 minutes from now;
                now where absent, and then a repetition does not compare it.

        Raises:
            MeterEventInvalidError: the event breaks a rule.
            IdentifierConflictError: the identifier has an event of other content.
            StoreError: nothing was recorded; send it again.
        """
        now = self._engine.now()
        name = self._engine.ids.identifier(now) if identifier is None else identifier
        row: UsageRow | None = None

        def check(definitions: Definitions) -> UsageDraft:
            nonlocal row
            arrival = Arrival(now=now, definitions=definitions, takes_any_past=False)
            row = check_event(
                arrival,
                event_name=event_name,
                identifier=name,
                timestamp=timestamp,
                payload=payload,
            )
            return UsageDraft(
                events=FewEvents((row,)),
                has_own_timestamp=_ASSIGNED if timestamp is None else _GIVEN,
                facts_position=definitions.facts_position,
                now=self._engine.now,
            )

        outcome = self._append(check)
        assert row is not None, "one event was checked"
        position = int(outcome.positions[0])
        if outcome.statuses[0] == Status.CONFLICT:
            raise IdentifierConflictError(name, outcome.conflicts[0], position)
        if outcome.statuses[0] == Status.DUPLICATE:
            return self._original(position)
        found = RecordedEvent(
            row=row, position=position, recorded_at=outcome.recorded_at, cancelled=False
        )
        return self._resource(found, duplicate=False)

    def ingest(
        self,
        source: object,
        *,
        backfill: bool = False,
        progress: ProgressCallback | None = None,
        columns: Columns | None = None,
    ) -> IngestReceipt:
        """Record many events, batch by batch, each batch durably.

        A bad row, a repeated row or a conflict never fails the others. An ingestion
        that was interrupted can be started again from the beginning: events that carry
        identifiers count once.

        Args:
            source: a pyarrow Table, RecordBatch or RecordBatchReader, anything that
                offers an Arrow stream, an iterable of dicts, or the path of a
                ``.parquet``, ``.csv``, ``.ndjson`` or ``.arrow`` file, the text formats
                also as ``.gz`` or ``.zst``. Rows hold `event_name`, `identifier`,
                `timestamp` and either `payload` (map, struct or JSON) or, flat, a
                column for each payload key. Rows of a file without identifiers get
                ones made of the file's content and the row number.
            backfill: take timestamps of any past time, from 1970 on.
            progress: is called after each batch.
            columns: which columns of the source mean what, where they have other names.

        Raises:
            SourceError: the source cannot be read; batches before the fault are kept.
            StoreError: the batch at hand was not recorded; those before it are kept.
        """
        ingestion = Ingestion(
            self._engine, takes_any_past=backfill, columns=columns or Columns()
        )
        return ingestion.run(source, progress)

    def list(
        self,
        *,
        event_name: str | None = None,
        customer: str | None = None,
        start_time: Time | None = None,
        end_time: Time | None = None,
    ) -> Iterator[MeterEvent]:
        """List events in the order of the log, cancelled ones among them and marked.

        Args:
            event_name: only those of this name.
            customer: only those of this customer.
            start_time: only those with this timestamp or a later one.
            end_time: only those with an earlier timestamp.
        """
        if event_name is not None:
            check_word(event_name, "event_name")
        if customer is not None:
            check_word(customer, "customer")
        low = 0 if start_time is None else instant(start_time, "start_time")
        high = 1 << 62 if end_time is None else instant(end_time, "end_time")
        self._engine.log.catch_up()
        wanted = Wanted(event_name, customer, low, max(low, high))
        view, definitions = self._engine.usage.view(), self._engine.definitions()
        return (
            event_resource(
                definitions.by_event_name[found.row.event_name],
                found,
                livemode=self._engine.settings.livemode,
            )
            for found in recorded_events(self._engine.log, view, wanted)
        )

    def _append(self, check: Callable[[Definitions], UsageDraft]) -> UsageOutcome:
        known = self._engine.known_definitions()
        try:
            outcome = self._engine.append(check)
        except MeterEventInvalidError:
            # Another process may have made or reactivated the meter since.
            if self._engine.definitions().facts_position == known.facts_position:
                raise
            outcome = self._engine.append(check)
        assert outcome is not None, "one event was to be appended"
        return outcome

    def _original(self, position: int) -> MeterEvent:
        events, recorded_at = self._engine.log.events_at(np.array([position]))
        (row,) = usage_rows(events)
        found = RecordedEvent(
            row=row,
            position=position,
            recorded_at=int(recorded_at[0]),
            cancelled=self._engine.is_cancelled(position),
        )
        return self._resource(found, duplicate=True)

    def _resource(self, found: RecordedEvent, *, duplicate: bool) -> MeterEvent:
        definitions = self._engine.known_definitions()
        return event_resource(
            definitions.by_event_name[found.row.event_name],
            found,
            livemode=self._engine.settings.livemode,
            duplicate=duplicate,
        )
