"""The event rules over pieces of a source, which are columns or rows.

Rows without an identifier are checked as if they had one, and named afterwards: names are
made of what the rows come to.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby

import numpy as np
import pyarrow as pa

from ledger.facts.meters import MeterStatus
from ledger.usage.columns import (
    TIMESTAMP,
    USAGE,
    UsageRow,
    empty_batch,
    usage_batch,
    words,
)
from ledger.usage.quantities import QUANTITY
from metering.arguments.arrow_types import is_float, texts_of
from metering.arguments.columns import (
    are_null,
    plain_identifiers,
    plain_timestamps,
    plain_values,
    plain_words,
)
from metering.arguments.strings import LONGEST_TEXT
from metering.errors import MeterEventInvalidError
from metering.store.engine import CheckedEvents, Doubts
from metering.usage.column_rules import ColumnPart, passed_or_checked
from metering.usage.event_rules import Arrival, check_sent_event
from metering.usage.ingest.layout import Constant, LocatedColumns
from metering.usage.ingest.naming import UNNAMED
from metering.usage.ingest.options import IngestOptions
from metering.usage.ingest.payloads import (
    have_key,
    plain_flat_payload,
    plain_map_payload,
)
from metering.usage.ingest.receipts import Rejection
from metering.usage.ingest.source_rows import SourceRow, rows_of
from metering.usage.values import with_rounded_value
from projections.kernels.meters import MeterDefinition


def check_rows(
    rows: Iterable[SourceRow | Rejection], arrival: Arrival, options: IngestOptions
) -> CheckedEvents[Rejection]:
    """Check rows one by one."""
    accepted: list[UsageRow] = []
    numbers: list[int] = []
    own: list[bool] = []
    are_rounded: list[bool] = []
    rejections: dict[int, Rejection] = {}
    doubts: dict[int, Rejection] = {}
    for row in rows:
        if isinstance(row, Rejection):
            rejections[row.row] = row
            continue
        identifier = UNNAMED if row.identifier is None else row.identifier
        payload = given = row.payload_for(arrival.definitions)
        if options.rounding is not None:
            meter = arrival.definitions.by_event_name.get(str(row.event_name))
            payload = with_rounded_value(given, meter)
        try:
            event, doubt = check_sent_event(
                arrival,
                event_name=row.event_name,
                identifier=identifier,
                timestamp=row.timestamp,
                payload=payload,
            )
        except MeterEventInvalidError as error:
            rejections[row.number] = _rejection(row, error)
        else:
            accepted.append(event)
            numbers.append(row.number)
            own.append(row.timestamp is not None)
            if doubt is not None:
                doubts[row.number] = _rejection(row, doubt)
            are_rounded.append(payload is not given)
    return CheckedEvents(
        events=usage_batch(accepted) if accepted else empty_batch(),
        numbers=np.array(numbers, np.int64),
        has_own_timestamp=np.array(own, bool),
        is_rounded=np.array(are_rounded, bool),
        refusals=rejections,
        doubts=Doubts.of(doubts, numbers),
    )


def _rejection(row: SourceRow, error: MeterEventInvalidError) -> Rejection:
    text = row.identifier if isinstance(row.identifier, str) else None
    return Rejection(row.number, _printable(text), error.code, error.message)


def numbers_without_identifier(
    piece: LocatedColumns | Iterable[SourceRow | Rejection],
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

    def check_alone(at: np.ndarray) -> CheckedEvents[Rejection]:
        checked = check_rows(rows_of(columns, at), arrival, options)
        return replace(
            checked, numbers=np.searchsorted(columns.numbers, checked.numbers)
        )

    checked = passed_or_checked(
        _parts(columns, arrival, options), _has_own_timestamp(columns), check_alone
    )
    return replace(checked, numbers=columns.numbers[checked.numbers])


def _parts(
    columns: LocatedColumns, arrival: Arrival, options: IngestOptions
) -> Iterator[ColumnPart]:
    for meter, alike in _by_shape(columns, arrival):
        part = columns if len(alike) == len(columns) else columns.take(alike)
        made = _events(part, meter, arrival, options)
        is_in_doubt = made.is_in_doubt | (meter.status is not MeterStatus.ACTIVE)
        yield made._replace(numbers=alike, is_in_doubt=is_in_doubt)


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
    encoded = words(columns.event_name)
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
) -> ColumnPart:
    """Build events of all rows, numbered from 0; those out of time are in doubt."""
    length = len(columns)
    identifiers, is_plain = _identifiers(columns)
    timestamps = np.full(length, arrival.now)
    if columns.timestamp is not None:
        any_time = replace(arrival, ignores_the_moment=True)
        instants, is_time = plain_timestamps(
            columns.timestamp, any_time.earliest, any_time.latest
        )
        absent = columns.timestamp.is_null().to_numpy(zero_copy_only=False)
        timestamps = np.where(absent, timestamps, instants)
        is_plain &= is_time | absent
    is_in_time = (timestamps >= arrival.earliest) & (timestamps <= arrival.latest)
    customer, value, rest, is_plain_payload = _payload(columns, meter)
    is_plain &= is_plain_payload
    if isinstance(customer, pa.Array) and is_float(customer.type):
        is_plain[:] = False
    if meter.needs_string:
        is_plain &= have_key(rest, meter.value_payload_key)
    customers, has_customer = plain_words(_column(customer, length), LONGEST_TEXT)
    is_plain &= has_customer
    values, is_rounded = pa.nulls(length, QUANTITY), None
    if meter.needs_value:
        rounds = options.rounding is not None
        values, has_value, is_rounded = plain_values(
            _column(value, length), rounds=rounds
        )
        is_plain &= has_value
    names = _column(columns.event_name, length)
    events = pa.RecordBatch.from_arrays(
        [
            words(names),
            identifiers,
            customers,
            pa.array(timestamps).view(TIMESTAMP),
            values,
            rest,
        ],
        schema=USAGE,
    )
    return ColumnPart(
        events, np.arange(length), is_plain, ~is_in_time, is_rounded=is_rounded
    )


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


def _payload(
    columns: LocatedColumns, meter: MeterDefinition
) -> tuple[
    pa.Array | Constant | None, pa.Array | Constant | None, pa.Array, np.ndarray
]:
    """Find the customer, the value, and the rest of the payload."""
    customer_key = meter.customer_payload_key
    value_key = meter.value_payload_key if meter.needs_value else None
    customer, value = columns.customer, columns.value
    if isinstance(columns.payload, Mapping):
        flat = dict(columns.payload)
        found = flat.pop(customer_key, None)
        customer = found if customer is None else customer
        if value_key is not None:
            found = flat.pop(value_key, None)
            value = found if value is None else value
        elif value is not None:
            flat[meter.value_payload_key] = _column(value, len(columns))
        gathered = plain_flat_payload(flat, len(columns))
        return customer, value, gathered.rest, gathered.is_plain
    if (
        not pa.types.is_map(columns.payload.type)
        or is_float(columns.payload.type.item_type)
        or customer is not None
        or value is not None
    ):
        # Strings to be parsed, or a mixture: every row is checked alone.
        nothing = plain_flat_payload({}, len(columns))
        return None, None, nothing.rest, np.zeros(len(columns), bool)
    mapped = plain_map_payload(columns.payload, customer_key, value_key)
    return mapped.customer, mapped.value, mapped.rest, mapped.is_plain


def _column(column: pa.Array | Constant | None, length: int) -> pa.Array:
    match column:
        case None:
            return pa.nulls(length, pa.string())
        case Constant(text):
            return pa.repeat(pa.scalar(text, pa.string()), length)
        case _:
            return column


def _has_own_timestamp(columns: LocatedColumns) -> np.ndarray:
    if columns.timestamp is None:
        return np.zeros(len(columns), bool)
    is_given: np.ndarray = columns.timestamp.is_valid().to_numpy(zero_copy_only=False)
    return is_given


def _printable(text: str | None) -> str | None:
    """Keep an identifier out of a report that cannot hold it."""
    return None if text is None else text.encode(errors="replace").decode()[:200]
