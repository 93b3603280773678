"""Watched rows: what is to be evaluated, meter by meter, as columns."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ledger.columns import timestamps_of, usage_batch
from ledger.few_events import Events, FewEvents, batch_of
from projections.kernels.decimals import narrowed, widened, words_of
from projections.kernels.folding import cancellation_batch
from projections.watched import Pending


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Events, or cancellations, of all meters, as columns of equal length.

    Attributes:
        customer: int64, index of the customer among those of all parts.
        position: int64, of the event or of what cancels it, ascending.
        event_position: int64, of the event.
        timestamp: int64, of the event, microseconds since 1970 UTC.
        words: int64, words by rows: the event's value in units, one word where that
            holds all of them; 0 for none.
        are_events: whether it is of events.
    """

    customer: np.ndarray
    position: np.ndarray
    event_position: np.ndarray
    timestamp: np.ndarray
    words: np.ndarray
    are_events: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some rows of a part: those of one meter.

    What is read of them is picked when it is read, and not kept: a piece fits in the
    processor's caches, all of them do not.
    """

    part: Part
    at: np.ndarray

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.at)

    @property
    def customer(self) -> np.ndarray:
        """Of each row its customer; see `Part`."""
        picked: np.ndarray = self.part.customer[self.at]
        return picked

    @property
    def position(self) -> np.ndarray:
        """Of each row its position; see `Part`."""
        picked: np.ndarray = self.part.position[self.at]
        return picked

    @property
    def timestamp(self) -> np.ndarray:
        """Of each row the timestamp of its event; see `Part`."""
        picked: np.ndarray = self.part.timestamp[self.at]
        return picked

    @property
    def words(self) -> np.ndarray:
        """Of each row the value of its event; see `Part`."""
        picked: np.ndarray = self.part.words[:, self.at]
        return picked

    def where(self, are_picked: np.ndarray) -> "Piece":
        """Pick some of the rows (bool)."""
        return Piece(part=self.part, at=self.at[are_picked])


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedRows:
    """Events and cancellations on one meter.

    Attributes:
        customers: the words that customers are indices of.
        pieces: none without rows; where there are cancellations, not in order.
    """

    customers: list[str]
    pieces: list[Piece]

    def time_span(self) -> np.ndarray:
        """Find the earliest and the latest timestamp; there is a row."""
        timestamps = [piece.timestamp for piece in self.pieces]
        earliest = min(int(each.min()) for each in timestamps)
        return np.array([earliest, max(int(each.max()) for each in timestamps)])

    @property
    def are_events(self) -> bool:
        """Whether there are no cancellations."""
        return all(piece.part.are_events for piece in self.pieces)

    def of_customers(self, customers: Collection[str]) -> "WatchedRows":
        """Pick the rows of some customers."""
        is_one = np.array([name in customers for name in self.customers])
        picked = [piece.where(is_one[piece.customer]) for piece in self.pieces]
        return WatchedRows(
            customers=self.customers, pieces=[piece for piece in picked if len(piece)]
        )

    def in_order(self) -> "OrderedRows":
        """Put all rows one behind the other, in the order of positions."""
        position = np.concatenate([piece.position for piece in self.pieces])
        order = np.argsort(position, kind="stable")
        of_events = [piece.part.event_position[piece.at] for piece in self.pieces]
        are_events = [
            np.full(len(piece), piece.part.are_events) for piece in self.pieces
        ]
        customer = np.concatenate([piece.customer for piece in self.pieces])
        timestamp = np.concatenate([piece.timestamp for piece in self.pieces])
        words = [widened(piece.words, 2) for piece in self.pieces]
        return OrderedRows(
            customer=customer[order],
            position=position[order],
            event_position=np.concatenate(of_events)[order],
            timestamp=timestamp[order],
            words=np.concatenate(words, axis=1)[:, order],
            is_event=np.concatenate(are_events)[order],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedRows:
    """Events and cancellations, positions ascending; columns as those of a part.

    Attributes:
        is_event: bool.
    """

    customer: np.ndarray
    position: np.ndarray
    event_position: np.ndarray
    timestamp: np.ndarray
    words: np.ndarray
    is_event: np.ndarray

    def pick(self, at: np.ndarray) -> "OrderedRows":
        """Pick rows by index."""
        return OrderedRows(
            customer=self.customer[at],
            position=self.position[at],
            event_position=self.event_position[at],
            timestamp=self.timestamp[at],
            words=self.words[:, at],
            is_event=self.is_event[at],
        )


def rows_by_meter(pending: Pending) -> dict[str, WatchedRows]:
    """Split what is pending by the event names of meters that are watched."""
    uncoded = list(_uncoded(pending))
    customers, codes = _coded([each.batch.column("customer") for each in uncoded])
    pieces: dict[str, list[Piece]] = {name: [] for name in pending.before}
    for each, customer in zip(uncoded, codes, strict=True):
        part = each.part(customer)
        for name, rows in _rows_by_name(each.batch):
            if name in pieces:
                base = pending.before[name].position
                piece = Piece(part=part, at=rows)
                if part.position[0] <= base:
                    piece = piece.where(piece.position > base)
                if len(piece):
                    pieces[name].append(piece)
    return {
        name: WatchedRows(customers=customers, pieces=of_meter)
        for name, of_meter in pieces.items()
        if of_meter
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Uncoded:
    """A part, before the customers of all parts are known."""

    batch: pa.RecordBatch
    position: np.ndarray
    event_position: np.ndarray | None

    def part(self, customer: np.ndarray) -> Part:
        of_events = self.event_position
        return Part(
            customer=customer,
            position=self.position,
            event_position=self.position if of_events is None else of_events,
            timestamp=timestamps_of(self.batch),
            words=np.ascontiguousarray(narrowed(words_of(self.batch.column("value")))),
            are_events=of_events is None,
        )


def _uncoded(pending: Pending) -> Iterator[_Uncoded]:
    for are_few, group in groupby(pending.events, lambda each: _is_few(each[1])):
        parts = list(group)
        positions = [np.arange(at, at + len(events)) for at, events in parts]
        batches = _batches([events for _, events in parts], are_few=are_few)
        if are_few:
            positions = [np.concatenate(positions)]
        for batch, position in zip(batches, positions, strict=True):
            yield _Uncoded(batch=batch, position=position, event_position=None)
    if pending.cancellations:
        facts = list(pending.cancellations.values())
        yield _Uncoded(
            batch=cancellation_batch(facts),
            position=np.array(list(pending.cancellations), np.int64),
            event_position=np.array([fact.event_position for fact in facts], np.int64),
        )


def _is_few(events: Events) -> bool:
    return isinstance(events, FewEvents)


def _batches(parts: list[Events], *, are_few: bool) -> list[pa.RecordBatch]:
    """Get parts as columns; few events have theirs made all at once."""
    if not are_few:
        return [batch_of(events) for events in parts]
    rows = [row for few in parts if isinstance(few, FewEvents) for row in few.rows]
    return [usage_batch(rows)]


def _coded(parts: list[pa.DictionaryArray]) -> tuple[list[str], list[np.ndarray]]:
    """Give words codes that all parts share; the words, and the codes of each part."""
    if not parts:
        return [], []
    dictionaries = [part.dictionary for part in parts]
    words = pa.chunked_array(dictionaries).unique()
    shared = [
        pc.index_in(each, words).to_numpy().astype(np.int64) for each in dictionaries
    ]
    return words.to_pylist(), [
        code[part.indices.to_numpy()] for part, code in zip(parts, shared, strict=True)
    ]


def _rows_by_name(batch: pa.RecordBatch) -> Iterator[tuple[str, np.ndarray]]:
    encoded = batch.column("event_name")
    names: list[str] = encoded.dictionary.to_pylist()
    codes = encoded.indices.to_numpy()
    # Two bytes are sorted by counting, which is many times faster.
    order = np.argsort(codes.astype(np.uint16), kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(names)))
    yield from zip(names, np.split(order, ends[:-1]), strict=True)
