"""Rows of a source as the check of one event wants them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from msgspec import UNSET

from metering.arguments.arrow_types import (
    as_text,
    holds,
    is_customer,
    is_float,
    is_text,
    is_value,
    texts_of,
)
from metering.arguments.time_columns import times_of
from metering.arguments.times import UsageTime
from metering.decoding.json_parsing import JsonInvalidError, parse_json
from metering.errors import MeterEventInvalidError
from metering.usage.ingest.labels import UNWRITABLE, labels_of, split_labels
from metering.usage.ingest.layout import (
    Columns,
    Constant,
    LocatedColumns,
    payload_keys_among,
)
from metering.usage.ingest.receipts import Rejection
from projections.kernels.meters import MeterDefinition
from projections.meters.catalog import Definitions

_MOST_NUMBER = 1 << 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One row of a source, unchecked.

    Attributes:
        customer: where a column was named for it, else UNSET. It belongs under the
            payload key of the meter, whatever that is, and so does the value.
        value: the same of the value.
        unfit: payload keys whose column holds no customers, each with its type.
        left_out: names of what else the row has, which is left out and counted.
    """

    number: int
    event_name: object
    identifier: object
    timestamp: UsageTime | None
    payload: object
    customer: object = UNSET
    value: object = UNSET
    unfit: Mapping[str, pa.DataType] = field(default_factory=dict)
    left_out: Sequence[str] = ()

    def meter(self, definitions: Definitions) -> MeterDefinition | None:
        """Return the row's meter, None where there is none."""
        name = self.event_name
        return definitions.by_event_name.get(name) if isinstance(name, str) else None

    def payload_for(self, definitions: Definitions) -> tuple[object, Sequence[str]]:
        """Return the payload as the row's meter wants it.

        The customer and the value are where the meter looks for them, and what lies
        beside them are labels.

        Returns:
            The payload, and the names of the labels that were left out.

        Raises:
            MeterEventInvalidError: the customer or the value lies in a column of a type
                that cannot hold it.
        """
        meter = self.meter(definitions)
        if meter is None or not isinstance(self.payload, Mapping):
            return self.payload, ()
        payload = dict(self.payload)
        strict = {meter.customer_payload_key}
        if meter.needs_value or meter.needs_string:
            strict.add(meter.value_payload_key)
        for key, given in (
            (meter.customer_payload_key, self.customer),
            (meter.value_payload_key, self.value),
        ):
            if given is not UNSET:
                # Null in a column that was named: there is none, wherever else one is.
                payload.pop(key, None)
                if given is not None:
                    payload[key] = given
            elif key in strict and key in payload:
                self._check_fit(key, is_customer=key == meter.customer_payload_key)
        labelled, left_out = split_labels(payload, strict)
        return labelled, [*left_out, *self.left_out]

    def _check_fit(self, key: str, *, is_customer: bool) -> None:
        kind = self.unfit.get(key)
        if kind is not None and (is_customer or not holds(kind, is_value)):
            number = "a whole number" if is_customer else "a number"
            raise MeterEventInvalidError(
                f"Invalid payload[{key}]: expected a string or {number}, found {kind}",
                code="payload_invalid",
                param=f"payload[{key}]",
            )


def rows_of(columns: LocatedColumns, rows: np.ndarray) -> Iterator[SourceRow]:
    """Read some rows of a piece of columns, given their indices."""
    if len(rows) == 0:
        return
    part = columns.take(rows)
    names = _words(part.event_name, len(rows))
    identifiers = _words(part.identifier, len(rows))
    timestamps = _times(part.timestamp, len(rows))
    customers = _words(part.customer, len(rows), UNSET)
    values = _objects(part.value, len(rows), UNSET)
    if part.may_lack_value:
        values = [UNSET if value is None else value for value in values]
    payloads, unfit = _payloads(part.payload, len(rows))
    for at in range(len(rows)):
        yield SourceRow(
            number=int(part.numbers[at]),
            event_name=names[at],
            identifier=identifiers[at],
            timestamp=timestamps[at],
            payload=payloads[at],
            customer=customers[at],
            value=values[at],
            unfit=unfit,
            left_out=part.left_out,
        )


def row_of_dict(number: int, row: object, columns: Columns) -> SourceRow | Rejection:
    """Read a dict, nested or flat, as a row; anything else is rejected."""
    if isinstance(row, ValueError):
        code = row.code if isinstance(row, JsonInvalidError) else None
        return Rejection(number, None, code or "row_invalid", f"Invalid row: {row}")
    if not isinstance(row, Mapping):
        reason = f"expected an object with keys and values, found {type(row).__name__}"
        return Rejection(number, None, "row_invalid", f"Invalid row: {reason}")
    return _row_of_dict(number, row, columns)


def _row_of_dict(number: int, row: Mapping[str, object], columns: Columns) -> SourceRow:
    def take(column: str | Constant | None) -> object:
        match column:
            case None:
                return None
            case Constant(text):
                return text
            case _:
                return row.get(column)

    event_name = _named(take(columns.event_name))
    identifier = _named(take(columns.identifier))
    timestamp = take(columns.timestamp)
    customer = UNSET if columns.customer is None else take(columns.customer)
    value = UNSET if columns.value is None else take(columns.value)
    payload = row.get(columns.payload)
    if payload is None:
        payload = {
            key: row[key]
            for key in payload_keys_among(columns, row)
            if row[key] is not None
        }
    return SourceRow(
        number=number,
        event_name=event_name,
        identifier=identifier,
        timestamp=timestamp,  # type: ignore[arg-type]  # the check refuses what is no time
        payload=_parsed(payload),
        customer=customer,
        value=value,
    )


def _named(value: object) -> object:
    """Write a whole number that names something as a string, as in a column of numbers."""
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    return str(value) if abs(value) < _MOST_NUMBER else value


def _parsed(payload: object) -> object:
    """Parse a payload in JSON; an error stands for one that cannot be."""
    if not isinstance(payload, str):
        return payload
    try:
        return parse_json(payload)
    except JsonInvalidError as error:
        return error


def _payloads(
    payload: pa.Array | Mapping[str, pa.Array], length: int
) -> tuple[list[object], Mapping[str, pa.DataType]]:
    """Read payloads, and which of their columns hold no customers, with their types."""
    if isinstance(payload, Mapping):
        unfit = {
            name: column.type
            for name, column in payload.items()
            if not holds(column.type, is_customer)
        }
        columns = {name: _cells(column) for name, column in payload.items()}
        return [
            {
                name: column[at]
                for name, column in columns.items()
                if column[at] is not None
            }
            for at in range(length)
        ], unfit
    if pa.types.is_map(payload.type):
        return _mappings(payload), {}
    return [_parsed(text) for text in texts_of(payload)], {}


def _mappings(payload: pa.MapArray) -> list[object]:
    offsets = payload.offsets.to_pylist()
    keys = _objects(payload.keys, len(payload.keys))
    items = _cells(payload.items)
    mappings: list[object] = []
    for at, is_there in enumerate(payload.is_valid().to_pylist()):
        entries = slice(offsets[at], offsets[at + 1])
        pairs = list(zip(keys[entries], items[entries], strict=True))
        mapping = dict(pairs)
        # Left as pairs, a payload that names a key twice is refused as no mapping.
        is_mapping = is_there and len(mapping) == len(pairs)
        mappings.append(mapping if is_mapping else pairs if is_there else None)
    return mappings


def _cells(column: pa.Array) -> list[object]:
    """Read a column of a payload: strings and numbers as they are, all else as labels."""
    if holds(column.type, is_value):
        return _objects(column, len(column))
    labels = labels_of(column)
    cells: list[object] = list(texts_of(labels.texts))
    if labels.are_left_out is not None:
        for at in np.flatnonzero(labels.are_left_out):
            cells[at] = UNWRITABLE
    return cells


def _objects(
    column: pa.Array | Constant | None, length: int, absent: object = None
) -> list[object]:
    match column:
        case None:
            return [absent] * length
        case Constant(text):
            return [text] * length
        case _:
            if is_text(column.type):
                return list(texts_of(column))
            if is_float(column.type):
                # By its digits: cast to a double, 0.1 in 32 bits would have 17 of them.
                digits = as_text(column).to_pylist()
                return [None if each is None else float(each) for each in digits]
            return list(column.to_pylist())


def _words(
    column: pa.Array | Constant | None, length: int, absent: object = None
) -> list[object]:
    if isinstance(column, pa.Array):
        return _objects(column.cast(pa.string()), length)
    return _objects(column, length, absent)


def _times(column: pa.Array | Constant | None, length: int) -> list[UsageTime | None]:
    match column:
        case None:
            return [None] * length
        case Constant(text):
            return [text] * length
        case _:
            return times_of(column)
