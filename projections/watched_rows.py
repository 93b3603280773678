"""Watched rows: what is to be evaluated, meter by meter, as columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pyarrow as pa

from ledger.columns import timestamps_of, usage_batch
from ledger.few_events import Events, FewEvents, batch_of
from projections.kernels.decimals import words_of
from projections.kernels.folding import cancellation_batch
from projections.watched import HELD, Pending


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedRows:
    """Events and cancellations, as columns of equal length, positions ascending.

    Attributes:
        customers: the words that `customer` is the index of.
        customer: int32.
        position: int64, of the event or of what cancels it.
        event_position: int64, of the event.
        timestamp: int64, of the event, microseconds since 1970 UTC.
        words: int64, two words by rows: the event's value in units; 0 for none.
        is_event: bool.
    """

    customers: list[str]
    customer: np.ndarray
    position: np.ndarray
    event_position: np.ndarray
    timestamp: np.ndarray
    words: np.ndarray
    is_event: np.ndarray

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.position)

    def pick(self, at: np.ndarray) -> "WatchedRows":
        """Pick rows by index or mask."""
        return WatchedRows(
            customers=self.customers,
            customer=self.customer[at],
            position=self.position[at],
            event_position=self.event_position[at],
            timestamp=self.timestamp[at],
            words=self.words[:, at],
            is_event=self.is_event[at],
        )


def rows_by_meter(pending: Pending) -> Iterator[tuple[str, WatchedRows]]:
    """Split what is pending by the event names of meters that are watched."""
    if not pending.events and not pending.cancellations:
        return
    names, codes, rows = _all_rows(pending)
    # Two bytes are sorted by counting, which is many times faster.
    order = np.argsort(codes.astype(np.uint16), kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(names)))
    for name, start, end in zip(names, [0, *ends[:-1].tolist()], ends, strict=True):
        base = pending.before.get(name)
        if base is not None:
            of_meter = rows.pick(order[start:end])
            yield name, _in_order(_after(of_meter, base.position))


def _all_rows(pending: Pending) -> tuple[list[str], np.ndarray, WatchedRows]:
    batches, positions = [], []
    for few, group in groupby(pending.events, lambda each: _is_few(each[1])):
        parts = list(group)
        batches += _batches([events for _, events in parts], are_few=few)
        positions += [np.arange(at, at + len(events)) for at, events in parts]
    cancellations = list(pending.cancellations.values())
    event_positions = [*positions]
    if cancellations:
        batches.append(_held(cancellation_batch(cancellations)))
        positions.append(np.array(list(pending.cancellations), np.int64))
        of_events = [fact.event_position for fact in cancellations]
        event_positions.append(np.array(of_events, np.int64))
    batch = _one_batch(batches)
    is_event = np.ones(batch.num_rows, bool)
    is_event[batch.num_rows - len(cancellations) :] = False
    customer = batch.column("customer")
    name = batch.column("event_name")
    rows = WatchedRows(
        customers=customer.dictionary.to_pylist(),
        customer=customer.indices.to_numpy(),
        position=np.concatenate(positions),
        event_position=np.concatenate(event_positions),
        timestamp=timestamps_of(batch),
        words=words_of(batch.column("value")),
        is_event=is_event,
    )
    return name.dictionary.to_pylist(), name.indices.to_numpy(), rows


def _is_few(events: Events) -> bool:
    return isinstance(events, FewEvents)


def _batches(parts: list[Events], *, are_few: bool) -> list[pa.RecordBatch]:
    if not are_few:
        return [_held(batch_of(events)) for events in parts]
    rows = [row for few in parts if isinstance(few, FewEvents) for row in few.rows]
    return [_held(usage_batch(rows))]


def _held(batch: pa.RecordBatch) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([batch.column(name) for name in HELD], HELD)


def _one_batch(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    table = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()
    (batch,) = table.to_batches()
    return batch


def _after(rows: WatchedRows, position: int) -> WatchedRows:
    """Leave out what came before usage that is known."""
    if len(rows) and rows.position.min() > position:
        return rows
    return rows.pick(np.flatnonzero(rows.position > position))


def _in_order(rows: WatchedRows) -> WatchedRows:
    """Put cancellations where they were recorded."""
    if rows.is_event.all():
        return rows
    return rows.pick(np.argsort(rows.position, kind="stable"))
