"""Own the doors of the library: one event, dicts, tables and files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

import metering
from tests.metering.doors.door import (
    packed,
    refuse_headers,
    refuse_options,
    refuse_wire,
)
from tests.metering.doors.place import Place
from tests.metering.doors.sending import (
    ABSENT,
    Bare,
    Json,
    Refused,
    Sending,
    Taken,
    Typed,
)
from tests.metering.doors.writing import (
    CannotWriteError,
    Row,
    csv_bytes,
    flat_rows,
    ndjson_bytes,
    parquet_bytes,
    payload_of,
    table_of,
)


@dataclass(frozen=True)
class Create:
    """`meter_events.create`, an event a call."""

    name: str = "create"

    def write(self, event_name: str, sending: Sending) -> list[dict[str, Any]]:
        refuse_headers(sending)
        refuse_wire(sending)
        refuse_options(sending)
        calls: list[dict[str, Any]] = []
        for event in sending.events:
            given: dict[str, Any] = {
                "event_name": event.event_name or event_name,
                "identifier": None if event.identifier is ABSENT else event.identifier,
                "timestamp": None if event.time is ABSENT else event.time,
                "payload": payload_of(event),
            }
            _refuse_spellings(given)
            _refuse_spellings(given["payload"])
            calls.append(given)
        return calls

    def send(
        self, place: Place, sending: Sending, written: list[dict[str, Any]]
    ) -> Taken:
        del sending
        refused: dict[int, Refused] = {}
        for number, given in enumerate(written):
            try:
                place.store.meter_events.create(**given)
            except metering.MeteringError as error:
                refused[number] = Refused(error.code, error.message)
        return Taken(refused=refused)


@dataclass(frozen=True)
class Dicts:
    """`meter_events.ingest` of dicts."""

    name: str = "dicts"

    def write(self, event_name: str, sending: Sending) -> list[Row]:
        refuse_headers(sending)
        refuse_wire(sending)
        rows = flat_rows(sending, event_name)
        for row in rows:
            _refuse_spellings(row)
        return rows

    def send(self, place: Place, sending: Sending, written: list[Row]) -> Taken:
        return ingested(place, written, sending)


@dataclass(frozen=True)
class Table:
    """`meter_events.ingest` of an Arrow table."""

    name: str = "table"

    def write(self, event_name: str, sending: Sending) -> pa.Table:
        refuse_headers(sending)
        refuse_wire(sending)
        return table_of(flat_rows(sending, event_name))

    def send(self, place: Place, sending: Sending, written: pa.Table) -> Taken:
        return ingested(place, written, sending)


@dataclass(frozen=True)
class File:
    """`meter_events.ingest` of a file.

    Attributes:
        encode: makes its bytes.
        is_text: whether it may be compressed as a whole, or begin with a BOM.
    """

    name: str
    encode: Callable[[list[Row]], bytes]
    is_text: bool = True

    def write(self, event_name: str, sending: Sending) -> bytes:
        refuse_headers(sending)
        if not self.is_text:
            refuse_wire(sending)
        return packed(sending, self.encode(flat_rows(sending, event_name)))

    def send(self, place: Place, sending: Sending, written: bytes) -> Taken:
        return ingested(place, str(self.path(place, sending, written)), sending)

    def path(self, place: Place, sending: Sending, content: bytes) -> Path:
        """Make the file."""
        ending = "" if sending.wire is None else sending.wire.ending
        return place.file(f"usage.{self.name}{ending}", content)


CSV = File("csv", csv_bytes)
NDJSON = File("ndjson", ndjson_bytes)
PARQUET = File("parquet", lambda rows: parquet_bytes(table_of(rows)), is_text=False)
ARROW = File("arrow", lambda rows: arrow_file_bytes(table_of(rows)), is_text=False)


def arrow_file_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def ingested(place: Place, source: object, sending: Sending) -> Taken:
    """Ingest a source with the options of a case."""
    named: dict[str, Any] = dict(sending.columns)
    try:
        receipt = place.store.meter_events.ingest(
            source,
            columns=metering.Columns(**named),
            **sending.options,  # type: ignore[arg-type]  # whatever a case has
        )
    except metering.MeteringError as error:
        return Taken(source=Refused(error.code, error.message))
    return Taken(
        refused={
            each["row"]: Refused(each["code"], each["message"])
            for each in receipt.rejections.to_pylist()
        },
        left_out=dict(getattr(receipt, "left_out", {})),
        rounded=getattr(receipt, "rounded", 0),
    )


def _refuse_spellings(values: Row) -> None:
    """Say that a call has values, and no way of writing them."""
    for each in values.values():
        if isinstance(each, Json | Bare | Typed):
            reason = "a call has values, and no way of writing them"
            raise CannotWriteError(reason)
