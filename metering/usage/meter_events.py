"""Meter events: recording them one by one or in bulk, and listing them."""

from collections.abc import Iterator, Mapping

from metering.arguments.schema import checked_value
from metering.arguments.strings import check_word
from metering.arguments.times import Time, instant
from metering.store.engine import Engine
from metering.usage.event_rules import PayloadValue
from metering.usage.ingest.ingestion import Ingestion
from metering.usage.ingest.layout import Columns
from metering.usage.ingest.receipts import IngestReceipt, ProgressCallback
from metering.usage.listing import EventQuery, recorded_events
from metering.usage.recording import NewMeterEvent, event_resource, record_events
from metering.usage.requests import LogPosition
from metering.usage.resources import MeterEvent


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
        (recorded,) = record_events(
            self._engine,
            [
                NewMeterEvent(
                    event_name=event_name,
                    payload=payload,
                    identifier=identifier,
                    timestamp=timestamp,
                )
            ],
        )
        if isinstance(recorded, MeterEvent):
            return recorded
        raise recorded

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
        starting_after: int | None = None,
    ) -> Iterator[MeterEvent]:
        """List events in the order of the log, cancelled ones among them and marked.

        Args:
            event_name: only those of this name.
            customer: only those of this customer.
            start_time: only those with this timestamp or a later one.
            end_time: only those with an earlier timestamp.
            starting_after: only those at later positions of the log; what lies before
                is not gone through again.
        """
        if event_name is not None:
            check_word(event_name, "event_name")
        if customer is not None:
            check_word(customer, "customer")
        after = 0
        if starting_after is not None:
            after = checked_value(LogPosition, starting_after, "starting_after")
        low = 0 if start_time is None else instant(start_time, "start_time")
        high = 1 << 62 if end_time is None else instant(end_time, "end_time")
        self._engine.log.catch_up()
        wanted = EventQuery(event_name, customer, low, max(low, high), after)
        view, _ = self._engine.usage.view(), self._engine.definitions()
        return (
            event_resource(
                self._engine, row, position, recorded_at, is_cancelled=is_cancelled
            )
            for row, position, recorded_at, is_cancelled in recorded_events(
                self._engine.log, view, wanted
            )
        )
