"""Exporting: everything that the log says, as Parquet that any engine reads.

It is of one position. A file that says what the export has is written last: without it
there is no export, and what a process left that was killed is written anew.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import numpy as np
import pyarrow as pa

from ledger.backups.errors import ExportUnavailableError
from ledger.backups.rows import read_rows, schema_of
from ledger.commits import read_head
from ledger.entries import Head
from ledger.errors import SegmentStoreUnavailableError
from ledger.reading import read_facts
from ledger.segments.store import SegmentStore, open_segment_store
from ledger.usage.arrow import parquet as pq
from ledger.usage.columns import TIMESTAMP, column_of
from metering.copies.receipts import ExportedFile, ExportReceipt
from metering.store.engine import Engine
from projections.folds import folded_tables
from projections.scans.recorded import RECORDED, RecordedEvents

EXPORT = "export.json"
"""The file that is written last."""

EVENTS = pa.schema([*RECORDED, pa.field("cancelled", pa.bool_(), nullable=False)])
"""Columns of events; `recorded_at` is when each counts as recorded."""
FACTS = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("recorded_at", TIMESTAMP, nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("fact", pa.string(), nullable=False),
    ]
)
"""Columns of facts; `fact` is JSON with every digit."""

ExportProgress = Callable[[int, int], None]
"""Receives how many entries were written, and how many there are."""

_FILE_BYTES = 64 << 20
_FACTS_AT_A_TIME = 10_000
_PREFIXES = ("events-", "facts-", "table-")


def export(
    engine: Engine, target: str, progress: ExportProgress | None
) -> ExportReceipt:
    """Export a store; see `Metering.export`."""
    engine.log.check_usable()
    with _translated():
        place = open_segment_store(target)
        _check_empty(place)
        writer = _Writer(place)
        with engine.log.read() as connection:
            head = read_head(connection)
            facts = read_facts(connection, 0, head.position)
            writer.write("facts-", FACTS, _facts(facts, writer, head, progress))
            for table in folded_tables():
                rows = read_rows(connection, table)
                writer.write(f"table-{table.name}-", schema_of(table), rows)
        # Without a snapshot: what was recorded up to a position stays so.
        recorded = engine.recorded(head.position)
        writer.write("events-", EVENTS, _events(recorded, writer, head, progress))
        receipt = ExportReceipt(
            epoch=head.epoch,
            position=head.position,
            digest=head.digest.hex(),
            events=writer.events,
            facts=writer.facts,
            bytes=sum(each.bytes for each in writer.files),
            files=tuple(writer.files),
        )
        place.put(EXPORT, pa.py_buffer(msgspec.json.encode(receipt)))
    return receipt


def _check_empty(place: SegmentStore) -> None:
    """Refuse a place with anything but what an export left that was killed."""
    names = place.names("")
    others = [name for name in names if not name.startswith(_PREFIXES)]
    if others:
        raise ExportUnavailableError(
            place.url, f"it holds {others[0]!r}; give an empty place"
        )
    place.sweep()
    for name in names:
        place.remove(name)


def _facts(
    facts: Iterator[tuple[int, int, object]],
    writer: "_Writer",
    head: Head,
    progress: ExportProgress | None,
) -> Iterator[pa.RecordBatch]:
    rows: list[tuple[int, int, str, str]] = []
    for position, recorded_at, fact in facts:
        tag = str(fact.__struct_config__.tag)  # type: ignore[attr-defined]  # all have one
        rows.append((position, recorded_at, tag, msgspec.json.encode(fact).decode()))
        if len(rows) == _FACTS_AT_A_TIME:
            yield _fact_batch(rows)
            writer.facts += len(rows)
            rows = []
            if progress is not None:
                progress(writer.facts, head.position)
    if rows:
        writer.facts += len(rows)
        yield _fact_batch(rows)


def _fact_batch(rows: list[tuple[int, int, str, str]]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    arrays = [
        pa.array(values, field.type)
        for values, field in zip(columns, FACTS, strict=True)
    ]
    return pa.record_batch(arrays, schema=FACTS)


def _events(
    recorded: RecordedEvents,
    writer: "_Writer",
    head: Head,
    progress: ExportProgress | None,
) -> Iterator[pa.RecordBatch]:
    for segment in recorded.segments:
        table = recorded.reader.table(segment, RECORDED.names)
        yield from _shown(recorded, table, writer)
        if progress is not None:
            progress(writer.facts + writer.events, head.position)
    yield from _shown(recorded, recorded.tail, writer)


def _shown(
    recorded: RecordedEvents, events: pa.Table, writer: "_Writer"
) -> Iterator[pa.RecordBatch]:
    """Return events up to the position, with what is known of them there."""
    positions = events.column("position").to_numpy()
    is_known = positions <= recorded.position
    if not is_known.all():
        events, positions = events.filter(pa.array(is_known)), positions[is_known]
    written = events.column("recorded_at").cast(pa.int64()).to_numpy()
    counted = recorded.time.of_many(positions, written)
    at = events.schema.names.index("recorded_at")
    events = events.set_column(at, "recorded_at", column_of(counted).view(TIMESTAMP))
    cancelled = pa.array(np.isin(positions, recorded.cancelled))
    events = events.select(RECORDED.names).append_column("cancelled", cancelled)
    writer.events += events.num_rows
    yield from events.cast(EVENTS).to_batches()


class _Writer:
    """Writes files of rows into a place, and counts what is in them."""

    def __init__(self, place: SegmentStore) -> None:
        self._place = place
        self.files: list[ExportedFile] = []
        self.events = self.facts = 0

    def write(
        self, prefix: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]
    ) -> None:
        """Write rows into as many files as they need, and into one where there are none."""
        held: list[pa.RecordBatch] = []
        number = 0
        for batch in batches:
            held.append(batch)
            if sum(each.nbytes for each in held) >= _FILE_BYTES:
                self._put(f"{prefix}{number:06d}.parquet", schema, held)
                held, number = [], number + 1
        if held or not number:
            self._put(f"{prefix}{number:06d}.parquet", schema, held)

    def _put(self, name: str, schema: pa.Schema, held: list[pa.RecordBatch]) -> None:
        rows, sink = pa.Table.from_batches(held, schema), pa.BufferOutputStream()
        pq.write_table(rows, sink, compression="zstd")
        content = sink.getvalue()
        self._place.put(name, content)
        self.files.append(
            ExportedFile(
                name=name,
                rows=rows.num_rows,
                bytes=content.size,
                sha256=hashlib.sha256(content).hexdigest(),
            )
        )


@contextmanager
def _translated() -> Iterator[None]:
    """Say of the place of an export that it cannot be used, and of no segment store."""
    try:
        yield
    except SegmentStoreUnavailableError as error:
        raise ExportUnavailableError(error.url, error.reason) from error
