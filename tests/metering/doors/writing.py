"""Own how neutral events are written: as JSON, CSV, forms and Arrow columns."""

import io
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

from tests.metering.doors.sending import ABSENT, Bare, Event, Json, Sending, Typed

Row = dict[str, object]
USUAL = {
    "event_name": "event_name",
    "identifier": "identifier",
    "timestamp": "timestamp",
    "customer": "stripe_customer_id",
    "value": "value",
}


class CannotWriteError(Exception):
    """A format has no way of writing a value; the message says why."""


def flat_rows(sending: Sending, event_name: str) -> list[Row]:
    """Return events as rows of columns; what is absent in a row is not in it."""
    return [_flat(event, event_name, sending.written) for event in sending.events]


def _flat(event: Event, event_name: str, written: Mapping[str, str]) -> Row:
    names = {**USUAL, **written}
    own: dict[str, object] = {
        "event_name": event.event_name or event_name,
        "identifier": ABSENT if event.identifier is None else event.identifier,
        "timestamp": event.time,
        "customer": event.customer,
        "value": event.value,
    }
    row = {names[role]: each for role, each in own.items()}
    if clash := row.keys() & event.payload.keys():
        reason = f"a row has one column {', '.join(sorted(clash))}"
        raise CannotWriteError(reason)
    return {
        key: each for key, each in {**row, **event.payload}.items() if each != ABSENT
    }


def payload_of(event: Event) -> Row:
    """Return a payload with the customer and the value under their keys."""
    whole = {
        USUAL["customer"]: event.customer,
        USUAL["value"]: event.value,
        **event.payload,
    }
    return {key: each for key, each in whole.items() if each != ABSENT}


def json_text(value: object) -> str:
    """Write JSON with every digit that a number has.

    Raises:
        CannotWriteError: JSON has no such value.
    """
    match value:
        case Json() | Decimal():
            return value.text if isinstance(value, Json) else str(value)
        case datetime():
            return json_text(time_text(value))
        case Mapping():
            pairs = (f"{json_text(key)}:{json_text(value[key])}" for key in value)
            return "{" + ",".join(pairs) + "}"
        case list() | tuple():
            return "[" + ",".join(map(json_text, value)) + "]"
        case str() | int() | float() | None:
            # Escaped only where it must be: half a surrogate pair has no bytes.
            is_utf8 = not isinstance(value, str) or _is_utf8(value)
            return json.dumps(value, ensure_ascii=not is_utf8)
        case _:
            reason = f"JSON has no {type(value).__name__}"
            raise CannotWriteError(reason)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def ndjson_bytes(rows: Sequence[Row]) -> bytes:
    return "".join(f"{json_text(row)}\n" for row in rows).encode()


def csv_bytes(rows: Sequence[Row]) -> bytes:
    """Write CSV: text in quotes, all else bare, a null as nothing."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    lines = [",".join(map(_quoted, names))]
    lines += [",".join(_cell(row.get(name)) for name in names) for row in rows]
    return encoded("".join(f"{line}\n" for line in lines))


def encoded(text: str) -> bytes:
    if not _is_utf8(text):
        reason = "half a surrogate pair is no UTF-8"
        raise CannotWriteError(reason)
    return text.encode()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case Bare(text):
            return text
        case Json():
            reason = "a cell of CSV is text, not JSON"
            raise CannotWriteError(reason)
        case str():
            return _quoted(value)
        case datetime():
            return time_text(value)
        case dict() | list():
            return _quoted(json_text(value))
        case _:
            return json_text(value)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def form_text(value: object) -> str:
    """Write a value in a form, which has strings alone.

    Raises:
        CannotWriteError: there is nothing like it in a form.
    """
    match value:
        case str():
            return value
        case bool() | None | Mapping() | list() | Json() | Bare() | Typed():
            reason = f"a form has no {type(value).__name__}"
            raise CannotWriteError(reason)
        case _:
            return str(value)


def time_text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def table_of(rows: Sequence[Row]) -> pa.Table:
    """Return rows as an Arrow table.

    Raises:
        CannotWriteError: a column would have values of several types.
    """
    names = dict.fromkeys(key for row in rows for key in row)
    for name in names:
        encoded(name)
    return pa.table({name: _column([row.get(name) for row in rows]) for name in names})


def _column(cells: list[object]) -> pa.Array:
    kinds = {each.type for each in cells if isinstance(each, Typed)}
    if any(isinstance(each, Json | Bare) for each in cells):
        reason = "a column has values, and no way of writing them"
        raise CannotWriteError(reason)
    if len(kinds) > 1 or len({type(each) for each in cells if each is not None}) > 1:
        reason = "a column has one type"
        raise CannotWriteError(reason)
    values = [each.value if isinstance(each, Typed) else each for each in cells]
    if any(_is_large(each) for each in values):
        return pa.array([Decimal(str(each)) for each in values], pa.decimal128(38, 0))
    for each in values:
        if isinstance(each, str):
            encoded(each)
    try:
        return pa.array(values, next(iter(kinds), None))
    except (pa.ArrowException, UnicodeEncodeError, OverflowError) as error:
        reason = f"no column can hold it: {error}"
        raise CannotWriteError(reason) from error


def _is_large(value: object) -> bool:
    is_number = isinstance(value, int) and not isinstance(value, bool | date)
    return is_number and not -(2**63) <= int(str(value)) < 2**63


def parquet_bytes(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    try:
        pq.write_table(table, sink)
    except pa.ArrowException as error:
        reason = f"Parquet cannot hold it: {error}"
        raise CannotWriteError(reason) from error
    return sink.getvalue()


def stream_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
