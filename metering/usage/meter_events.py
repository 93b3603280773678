"""Meter events: recording them one by one, together or in bulk, and listing them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ledger.appending.drafts import Outcome, Status
from ledger.records.idempotency import Request
from ledger.usage.columns import UsageRow, usage_rows
from ledger.usage.quantities import format_quantity
from ledger.usage.rows import FewEvents
from metering.arguments.clock import at_microseconds
from metering.arguments.schema import checked, checked_value
from metering.arguments.strings import check_word
from metering.arguments.times import Time, TimeUnit, UsageTime, instant
from metering.arguments.words import RoundingName
from metering.errors import IdentifierConflictError, MeterEventInvalidError
from metering.store.checked_events import CheckedEvents, Doubts
from metering.store.engine import Engine
from metering.usage.arrivals import Arrival
from metering.usage.event_rules import PayloadValue, check_each
from metering.usage.ingest.options import NULL_VALUES, Identity, IngestOptions
from metering.usage.requests import LogPosition
from metering.usage.resources import MeterEvent
from metering.usage.values import with_rounded_value
from projections.meters.catalog import Definitions

if TYPE_CHECKING:
    from metering.usage.ingest.layout import Columns
    from metering.usage.ingest.receipts import IngestReceipt, ProgressCallback
    from metering.usage.stream_rules import StreamedEvent


class NewMeterEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that is to be recorded; see `MeterEvents.create`.

    Attributes:
        request: on whose behalf; it is written down with the event, if that is new.
    """

    event_name: str
    payload: Mapping[str, PayloadValue]
    identifier: str | None
    timestamp: UsageTime | None
    rounding: RoundingName | None = None
    request: Request | None = None

    def rounded(self, definitions: Definitions) -> "NewMeterEvent":
        """Return the event with its value rounded, if that is asked for."""
        if self.rounding is None:
            return self
        meter = definitions.by_event_name.get(str(self.event_name))
        payload: Any = with_rounded_value(self.payload, meter)
        return msgspec.structs.replace(self, payload=payload)


_Checked = CheckedEvents[MeterEventInvalidError]
Recorded = MeterEvent | MeterEventInvalidError | IdentifierConflictError
"""An event that was recorded, or why it was not."""


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
        timestamp: UsageTime | None = None,
        rounding: RoundingName | None = None,
    ) -> MeterEvent:
        """Record one event, durably.

        Sending an event again with the same identifier and content is safe for ever: it
        answers with the original, marked `duplicate`, and counts once.

        Args:
            event_name: that of an active meter.
            payload: strings or numbers by key, a float as its shortest decimal; holds
                the customer, and the value unless the meter only counts.
            identifier: 1 to 100 characters, unique within the event name; made up where
                absent, and then a repetition is another event.
            timestamp: when the usage happened, from 35 days ago to 5 minutes from now;
                now where absent, and then a repetition does not compare it.
            rounding: ``"half_even"`` rounds a value of more than 12 fraction digits,
                which is refused otherwise.

        Raises:
            InvalidRequestError: `rounding` is something else.
            MeterEventInvalidError: the event breaks a rule.
            IdentifierConflictError: the identifier has an event of other content.
            StoreError: nothing was recorded; send it again.
        """
        if rounding is not None:
            rounding = checked_value(RoundingName, rounding, "rounding")
        (recorded,) = record_events(
            self._engine,
            [
                NewMeterEvent(
                    event_name=event_name,
                    payload=payload,
                    identifier=identifier,
                    timestamp=timestamp,
                    rounding=rounding,
                )
            ],
        )
        if isinstance(recorded, MeterEvent):
            return recorded
        raise recorded

    def ingest(  # noqa: PLR0913  # a source's options are its arguments
        self,
        source: object,
        *,
        backfill: bool = False,
        now: bool = False,
        timestamp_unit: TimeUnit = "s",
        timezone: str | None = None,
        rounding: RoundingName | None = None,
        identity: Identity = "file",
        null_values: Sequence[str] = NULL_VALUES,
        progress: "ProgressCallback | None" = None,
        columns: "Columns | None" = None,
    ) -> "IngestReceipt":
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
                column for each payload key.
            backfill: take timestamps of any past time, from 1970 on.
            now: take rows without a timestamp as happening now; a source without the
                column, and a row without a timestamp, are refused otherwise.
            timestamp_unit: what timestamps that are numbers count, since 1970 UTC.
            timezone: where timestamps without a zone are local, by its IANA name, such
                as ``UTC``; where absent they are refused.
            rounding: ``"half_even"`` rounds values of more than 12 fraction digits, and
                the receipt counts them; they are refused otherwise.
            identity: what identifiers are made of for rows that have none. By ``file``
                they are made of the file's content, decompressed, the row's number and
                what the row says as it was mapped: the same file counts once, and with
                other columns it is other usage. Rows that come in no file are new each
                time. By ``row`` they are made of what the row says and its number among
                equal rows of the source: rows count once in whatever file and order they
                come. Both are for all files of one kind: a row that was named by one is
                another event by the other.
            null_values: what stands for null in a cell of CSV without quotes, as an empty
                one does. No customer is spelled so, nor in upper or lower case, whatever
                holds it: that row is rejected for want of a customer.
            progress: is called after each batch.
            columns: which columns of the source mean what, where they have other names.

        Raises:
            InvalidRequestError: `columns` are none, or another argument is of another
                type.
            SourceError: the source cannot be read; batches before the fault are kept.
            StoreError: the batch at hand was not recorded; those before it are kept.
        """
        from metering.usage.ingest.ingestion import Ingestion
        from metering.usage.ingest.layout import columns_given

        options = checked(
            IngestOptions,
            backfill=backfill,
            now=now,
            timestamp_unit=timestamp_unit,
            timezone=timezone,
            rounding=rounding,
            identity=identity,
            null_values=null_values,
        )
        ingestion = Ingestion(self._engine, columns_given(columns), options)
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
        from metering.usage.listing import EventQuery, recorded_events

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
        view, known = self._engine.usage.view(), self._engine.definitions()
        gone = known.clocked.gone()
        return (
            event_resource(
                self._engine, row, position, recorded_at, is_cancelled=is_cancelled
            )
            for row, position, recorded_at, is_cancelled in recorded_events(
                self._engine.log, view, wanted
            )
            if row.customer not in gone
        )


def record_events(
    engine: Engine, events: Sequence[NewMeterEvent]
) -> Sequence[Recorded]:
    """Record events, durably, in one commit.

    Returns:
        For each event what `MeterEvents.create` would return, or raise: one that
        is refused does not fail the others.

    Raises:
        StoreError: nothing was recorded; send them again.
    """
    now = engine.now()
    names = _identifiers(engine, events, now)

    def check(definitions: Definitions) -> _Checked:
        arrival = Arrival(now=now, definitions=definitions, takes_any_past=False)
        to_record = [event.rounded(definitions) for event in events]
        found = check_each(arrival, range(len(events)), to_record, names)
        rows = found.rows
        return CheckedEvents(
            events=FewEvents(tuple(rows.values())),
            numbers=np.array(list(rows), np.int64),
            has_own_timestamp=np.array(
                [events[number].timestamp is not None for number in rows], np.bool_
            ),
            refusals=found.refusals,
            doubts=Doubts.of(found.doubts, list(rows)) if found.doubts else None,
            requests=[
                (row, request)
                for row, number in enumerate(rows)
                if (request := events[number].request) is not None
            ],
        )

    checked, outcome = engine.append(check)
    recorded: dict[int, Recorded] = dict(checked.refusals)
    if outcome is not None:
        recorded |= _recorded(engine, checked, outcome)
    return [recorded[number] for number in range(len(events))]


def accept_events(
    engine: Engine, events: "Sequence[StreamedEvent]"
) -> Mapping[int, MeterEventInvalidError]:
    """Record events durably, in one commit, and return only what was refused.

    An event whose identifier was recorded before is left out silently, whatever it
    holds.

    Args:
        engine: of the store.
        events: as a decoder made them, which checked the lengths of their strings.

    Returns:
        Why events were refused, by their number.

    Raises:
        StoreError: nothing was recorded; send them again.
    """
    from metering.usage.stream_rules import check_stream

    now = engine.now()
    identifiers = _identifiers(engine, events, now)

    def check(definitions: Definitions) -> _Checked:
        arrival = Arrival(now=now, definitions=definitions, takes_any_past=False)
        return check_stream(events, identifiers, arrival)

    checked, _ = engine.append(check)
    return checked.refusals


def event_resource(
    engine: Engine,
    row: UsageRow,
    position: int,
    recorded_at: int,
    *,
    is_cancelled: bool = False,
    is_repeat: bool = False,
) -> MeterEvent:
    """Return an event as callers get it, its customer and value in the payload."""
    known = engine.known_definitions()
    meter = known.by_event_name[row.event_name]
    if (time := known.clocked.times.get(row.customer)) is not None:
        shown = time.at(position)
        recorded_at = recorded_at if shown is None else shown
    payload = dict(row.payload)
    payload[meter.customer_payload_key] = row.customer
    if row.value is not None:
        payload[meter.value_payload_key] = format_quantity(row.value)
    return MeterEvent(
        created=at_microseconds(recorded_at),
        event_name=row.event_name,
        identifier=row.identifier,
        payload=payload,
        timestamp=at_microseconds(row.timestamp),
        livemode=engine.settings.livemode,
        position=position,
        duplicate=is_repeat,
        cancelled=is_cancelled,
    )


def _identifiers(
    engine: Engine, events: "Sequence[NewMeterEvent | StreamedEvent]", now: int
) -> Sequence[str]:
    """Return the identifiers of events, made up where one has none."""
    return [
        engine.ids.identifier(now) if each.identifier is None else each.identifier
        for each in events
    ]


def _recorded(
    engine: Engine, checked: _Checked, outcome: Outcome
) -> Mapping[int, Recorded]:
    """Return the events of an outcome as callers get them, by number."""
    assert isinstance(checked.events, FewEvents), "they were checked one by one"
    recorded: dict[int, Recorded] = {}
    statuses, positions = outcome.statuses.tolist(), outcome.positions.tolist()
    for at, (number, row) in enumerate(
        zip(checked.numbers.tolist(), checked.events.rows, strict=True)
    ):
        match statuses[at]:
            case Status.CONFLICT:
                recorded[number] = IdentifierConflictError(
                    row.identifier, outcome.conflicts[at], positions[at]
                )
            case Status.DUPLICATE:
                recorded[number] = original_event(engine, positions[at])
            case _:
                recorded[number] = event_resource(
                    engine, row, positions[at], outcome.recorded_at
                )
    return recorded


def original_event(engine: Engine, position: int) -> MeterEvent:
    """Return the event at a position, marked as a repetition of it is answered."""
    events, recorded_at = engine.log.events_at(np.array([position]))
    (row,) = usage_rows(events)
    is_cancelled = engine.is_cancelled(position)
    return event_resource(
        engine,
        row,
        position,
        int(recorded_at[0]),
        is_cancelled=is_cancelled,
        is_repeat=True,
    )
