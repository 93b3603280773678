"""The event rules over pieces of a source, which are columns or rows.

Rows without an identifier are checked as if they had one, and named afterwards: names are
made of what the rows come to.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import groupby

import numpy as np
import pyarrow as pa
from msgspec.structs import replace

from ledger.facts.meters import MeterStatus
from ledger.usage.arrow import compute as pc
from ledger.usage.columns import (
    TIMESTAMP,
    USAGE,
    UsageRow,
    empty_batch,
    usage_batch,
)
from ledger.usage.quantities import QUANTITY
from metering.arguments.arrow_types import holds, is_customer, is_value, texts_of
from metering.arguments.columns import (
    are_null,
    plain_identifiers,
    plain_values,
    plain_words,
)
from metering.arguments.strings import LONGEST_TEXT
from metering.arguments.time_columns import plain_timestamps
from metering.errors import MeterEventInvalidError, ValueMissingError
from metering.store.checked_events import CheckedEvents, Doubts
from metering.usage.arrivals import Arrival
from metering.usage.column_rules import ColumnPart, passed_or_checked
from metering.usage.event_rules import check_sent_event
from metering.usage.ingest.layout import Constant, LocatedColumns
from metering.usage.ingest.naming import UNNAMED
from metering.usage.ingest.options import IngestOptions
from metering.usage.ingest.payloads import (
    PlainPayload,
    have_key,
    no_plain_payload,
    plain_flat_payload,
    plain_map_payload,
)
from metering.usage.ingest.receipts import CancelledRow, Rejection
from metering.usage.ingest.source_rows import SourceRow, rows_of
from metering.usage.values import with_rounded_value
from projections.kernels.meters import MeterDefinition


def check_rows(
    rows: Iterable[SourceRow | Rejection | CancelledRow],
    arrival: Arrival,
    options: IngestOptions,
    *,
    may_repeat: bool = True,
) -> CheckedEvents[Rejection]:
    """Check rows one by one, which may repeat what is recorded or are known not to."""
    accepted: list[UsageRow] = []
    numbers: list[int] = []
    own: list[bool] = []
    are_rounded: list[bool] = []
    rejections: dict[int, Rejection] = {}
    doubts: dict[int, Rejection] = {}
    left_out: dict[str, list[int]] = {}
    nobodies = options.nobodies
    for row in rows:
        if isinstance(row, Rejection):
            rejections[row.row] = row
            continue
        if isinstance(row, CancelledRow):
            continue
        identifier = UNNAMED if row.identifier is None else row.identifier
        try:
            given, lost = row.payload_for(arrival.definitions)
            payload = _rounded(given, row, arrival, options)
            event, doubt = check_sent_event(
                arrival,
                event_name=row.event_name,
                identifier=identifier,
                timestamp=row.timestamp,
                payload=payload,
                may_repeat=may_repeat,
            )
            _check_is_somebody(event.customer, nobodies)
        except MeterEventInvalidError as error:
            rejections[row.number] = _rejection(row, error)
        else:
            accepted.append(event)
            numbers.append(row.number)
            own.append(row.timestamp is not None)
            if doubt is not None:
                doubts[row.number] = _rejection(row, doubt)
            are_rounded.append(payload is not given)
            for name in lost:
                left_out.setdefault(name, []).append(row.number)
    return CheckedEvents(
        events=usage_batch(accepted) if accepted else empty_batch(),
        numbers=np.array(numbers, np.int64),
        has_own_timestamp=np.array(own, bool),
        is_rounded=np.array(are_rounded, bool),
        refusals=rejections,
        doubts=Doubts.of(doubts, numbers),
        left_out={name: np.array(each) for name, each in left_out.items()},
    )


def _rounded(
    payload: object, row: SourceRow, arrival: Arrival, options: IngestOptions
) -> object:
    if options.rounding is None:
        return payload
    return with_rounded_value(payload, row.meter(arrival.definitions))


def _check_is_somebody(customer: str, nobodies: Collection[str]) -> None:
    if customer in nobodies:
        raise MeterEventInvalidError(
            f"Invalid customer {customer!r}: null is spelled so; give the customer, or"
            " name other spellings of null",
            code="meter_event_no_customer_defined",
            param="customer",
        )


def _rejection(row: SourceRow, error: MeterEventInvalidError) -> Rejection:
    text = row.identifier if isinstance(row.identifier, str) else None
    message = error.message
    is_null = row.customer is None and error.code == "meter_event_no_customer_defined"
    if is_null or (row.value is None and isinstance(error, ValueMissingError)):
        message += ": the column that was named for it is null in this row"
    return Rejection(row.number, _printable(text), error.code, message)


def numbers_without_identifier(
    piece: LocatedColumns | Iterable[SourceRow | Rejection | CancelledRow],
) -> np.ndarray:
    """Return the numbers of the rows that came without an identifier (int64)."""
    if isinstance(piece, LocatedColumns):
        if piece.identifier is None:
            return piece.numbers
        unnamed: np.ndarray = piece.numbers[are_null(piece.identifier)]
        return unnamed
    numbers = [
        row.number
        for row in piece
        if isinstance(row, SourceRow) and row.identifier is None
    ]
    return np.array(numbers, np.int64)


def check_columns(
    columns: LocatedColumns, arrival: Arrival, options: IngestOptions
) -> CheckedEvents[Rejection]:
    """Check a piece of a source column by column, and what is not plain row by row."""
    left_out: dict[str, list[np.ndarray]] = {}
    columns = columns.with_encoded_names()

    def parts() -> Iterator[ColumnPart]:
        for meter, alike in _by_shape(columns, arrival):
            part = columns if len(alike) == len(columns) else columns.take(alike)
            made, lost = _events(part, meter, arrival, options)
            for name, rows in lost.items():
                lost_by = part.numbers[rows[made.is_plain[rows]]]
                left_out.setdefault(name, []).append(lost_by)
            for name in columns.left_out:
                left_out.setdefault(name, []).append(part.numbers[made.is_plain])
            is_in_doubt = made.is_in_doubt | (meter.status is not MeterStatus.ACTIVE)
            yield made._replace(numbers=alike, is_in_doubt=is_in_doubt)

    def check_alone(at: np.ndarray, *, may_repeat: bool) -> CheckedEvents[Rejection]:
        rows = rows_of(columns, at)
        checked = check_rows(rows, arrival, options, may_repeat=may_repeat)
        for name, numbers in checked.left_out.items():
            left_out.setdefault(name, []).append(numbers)
        return replace(
            checked, numbers=np.searchsorted(columns.numbers, checked.numbers)
        )

    checked = passed_or_checked(parts(), _has_own_timestamp(columns), check_alone)
    return replace(
        checked,
        numbers=columns.numbers[checked.numbers],
        left_out={name: np.concatenate(each) for name, each in left_out.items()},
    )


def _by_shape(
    columns: LocatedColumns, arrival: Arrival
) -> Iterator[tuple[MeterDefinition, np.ndarray]]:
    """Split rows by where their meter looks for the customer and the value.

    Yields:
        One of the meters that look there, and the indices of the rows. All of its meters
        are active, or none. Rows without a meter are in no group.
    """
    by_name = arrival.definitions.by_event_name
    if isinstance(columns.event_name, Constant):
        meter = by_name.get(columns.event_name.text)
        if meter is not None:
            yield meter, np.arange(len(columns))
        return
    encoded = columns.event_name
    codes = encoded.indices.fill_null(-1).to_numpy()
    meters = [
        (code, meter)
        for code, name in enumerate(texts_of(encoded.dictionary))
        if (meter := by_name.get(name or ""))
    ]
    meters.sort(key=lambda each: _shape(each[1]))
    for _, group in groupby(meters, key=lambda each: _shape(each[1])):
        alike = list(group)
        if len(alike) == len(encoded.dictionary) and not encoded.null_count:
            yield alike[0][1], np.arange(len(columns))
        else:
            belongs = np.isin(codes, [code for code, _ in alike])
            yield alike[0][1], np.flatnonzero(belongs)


def _shape(meter: MeterDefinition) -> tuple[str, str, str, bool, bool]:
    return (
        meter.status.value,
        meter.customer_payload_key,
        meter.value_payload_key,
        meter.needs_value,
        meter.needs_string,
    )


def _events(
    columns: LocatedColumns,
    meter: MeterDefinition,
    arrival: Arrival,
    options: IngestOptions,
) -> tuple[ColumnPart, Mapping[str, np.ndarray]]:
    """Build events of all rows, numbered from 0; those out of time are in doubt.

    Returns:
        Also, by name, the indices of the rows that lack a label.
    """
    length = len(columns)
    identifiers, is_plain = _identifiers(columns)
    any_time = replace(arrival, ignores_the_moment=True)
    timestamps, is_time = _timestamps(columns, any_time)
    is_plain &= is_time
    is_in_time = (timestamps >= arrival.earliest) & (timestamps <= arrival.latest)
    payload = _payload(columns, meter)
    is_plain &= payload.is_plain
    if meter.needs_string:
        is_plain &= have_key(payload.rest, meter.value_payload_key)
    customer = _column(_first(columns.customer, payload.customer), length)
    customers, has_customer = plain_words(customer, LONGEST_TEXT)
    is_plain &= has_customer & _are_somebody(customers, options.nobodies)
    if clocked := arrival.definitions.clocked:
        # They have a time of their own: their events are checked alone.
        is_plain &= _are_somebody(customers, clocked.times)
    values, is_rounded = pa.nulls(length, QUANTITY), None
    if meter.needs_value:
        value = _column(_first(columns.value, payload.value), length)
        rounds = options.rounding is not None
        values, has_value, is_rounded = plain_values(value, rounds=rounds)
        is_plain &= has_value
    events = pa.RecordBatch.from_arrays(
        [
            columns.names(),
            identifiers,
            customers,
            pa.array(timestamps).view(TIMESTAMP),
            values,
            payload.rest,
        ],
        schema=USAGE,
    )
    part = ColumnPart(
        events, np.arange(length), is_plain, ~is_in_time, is_rounded=is_rounded
    )
    return part, payload.left_out


def _are_somebody(
    customers: pa.DictionaryArray, nobodies: Collection[str]
) -> np.ndarray:
    """Return which customers are none of some (bool), such as spellings of null."""
    is_nobody = pc.is_in(customers.dictionary, pa.array(sorted(nobodies), pa.string()))
    codes = customers.indices.to_numpy()
    is_somebody: np.ndarray = ~is_nobody.to_numpy(zero_copy_only=False)[codes]
    return is_somebody


def _timestamps(
    columns: LocatedColumns, arrival: Arrival
) -> tuple[np.ndarray, np.ndarray]:
    """Find the timestamps, and which of them are plainly there (bool)."""
    length, column = len(columns), columns.timestamp
    if isinstance(column, Constant):
        one = _column(column, 1)
        instants, is_time = plain_timestamps(
            one, arrival.earliest, arrival.latest, arrival.times
        )
        return instants.repeat(length), is_time.repeat(length)
    if column is None:
        return np.full(length, arrival.now), np.full(length, arrival.takes_now)
    instants, is_time = plain_timestamps(
        column, arrival.earliest, arrival.latest, arrival.times
    )
    if column.null_count and arrival.takes_now:
        absent = column.is_null().to_numpy(zero_copy_only=False)
        instants = np.where(absent, arrival.now, instants)
        is_time |= absent
    return instants, is_time


def _identifiers(columns: LocatedColumns) -> tuple[pa.Array, np.ndarray]:
    unnamed = pa.scalar(UNNAMED)
    if columns.identifier is None:
        return pa.repeat(unnamed, len(columns)), np.ones(len(columns), bool)
    given, is_plain = plain_identifiers(columns.identifier)
    if not columns.identifier.null_count:
        return given, is_plain
    absent = columns.identifier.is_null()
    identifiers = pa.compute.if_else(absent, unnamed, given)
    return identifiers, is_plain | absent.to_numpy(zero_copy_only=False)


def _payload(columns: LocatedColumns, meter: MeterDefinition) -> PlainPayload:
    """Take payloads apart; a customer and a value in named columns go before theirs."""
    payload, rows = columns.payload, len(columns)
    is_label = _is_given(columns) and not meter.needs_value
    if isinstance(payload, Mapping):
        if not all(_are_fit(payload, columns, meter)):
            return no_plain_payload(rows)
        if is_label:
            label = _column(columns.value, rows)
            payload = {**payload, meter.value_payload_key: label}
        return plain_flat_payload(payload, rows, *_keys(meter))
    if (
        not pa.types.is_map(payload.type)
        or not holds(payload.type.item_type, is_customer)
        or is_label
    ):
        # Strings to be parsed, or a mixture: every row is checked alone.
        return no_plain_payload(rows)
    return plain_map_payload(payload, *_keys(meter))


def _is_given(columns: LocatedColumns) -> bool:
    """Whether a column was named for the value, and says something."""
    value = columns.value
    is_null = isinstance(value, pa.Array) and value.null_count == len(value)
    return value is not None and not (columns.may_lack_value and is_null)


def _keys(meter: MeterDefinition) -> tuple[str, str | None]:
    value_key = meter.value_payload_key if meter.needs_value else None
    return meter.customer_payload_key, value_key


def _are_fit(
    payload: Mapping[str, pa.Array], columns: LocatedColumns, meter: MeterDefinition
) -> Iterator[bool]:
    """Return whether columns can hold the customer and the value, if they have to."""
    if columns.customer is None and meter.customer_payload_key in payload:
        yield holds(payload[meter.customer_payload_key].type, is_customer)
    needs_any = meter.needs_value or meter.needs_string
    if needs_any and columns.value is None and meter.value_payload_key in payload:
        yield holds(payload[meter.value_payload_key].type, is_value)


def _first(
    named: pa.Array | Constant | None, found: pa.Array | None
) -> pa.Array | Constant | None:
    return found if named is None else named


def _column(column: pa.Array | Constant | None, length: int) -> pa.Array:
    match column:
        case None:
            return pa.nulls(length, pa.string())
        case Constant(text):
            return pa.repeat(pa.scalar(text, pa.string()), length)
        case _:
            return column


def _has_own_timestamp(columns: LocatedColumns) -> np.ndarray:
    if not isinstance(columns.timestamp, pa.Array):
        return np.full(len(columns), columns.timestamp is not None)
    is_given: np.ndarray = columns.timestamp.is_valid().to_numpy(zero_copy_only=False)
    return is_given


def _printable(text: str | None) -> str | None:
    """Keep an identifier out of a report that cannot hold it."""
    return None if text is None else text.encode(errors="replace").decode()[:200]
