"""Pending rows: the usage to be evaluated, by meter, as columns."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pyarrow as pa

from ledger.facts.adjustments import signed_position
from ledger.usage.arrow import compute as pc
from ledger.usage.columns import usage_batch
from ledger.usage.rows import FewEvents
from projections.alerts.pending import Held, Pending
from projections.alerts.pieces import PendingPiece, pieces_by_meter
from projections.kernels.usage.decimals import widened
from projections.kernels.usage.folding import cancellation_batch


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedPiece:
    """A piece, with codes of customers that all pieces share.

    Attributes:
        shared: int64, the shared code of each of the piece's names.
    """

    piece: PendingPiece
    shared: np.ndarray

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.piece)

    @property
    def customer(self) -> np.ndarray:
        """Shared code of each row's customer (int64)."""
        codes: np.ndarray = self.shared[self.piece.code]
        return codes

    def where(self, are_picked: np.ndarray) -> "CodedPiece":
        """Return some of the rows (bool)."""
        return CodedPiece(piece=self.piece.where(are_picked), shared=self.shared)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRows:
    """Events and cancellations on one meter.

    Attributes:
        customers: by their shared codes.
        pieces: none without rows; in no order where there are cancellations.
    """

    customers: list[str]
    pieces: list[CodedPiece]

    def time_span(self) -> np.ndarray:
        """Return the earliest and the latest timestamp of at least one row."""
        timestamps = [each.piece.timestamp for each in self.pieces]
        earliest = min(int(each.min()) for each in timestamps)
        return np.array([earliest, max(int(each.max()) for each in timestamps)])

    def timestamps_at(self, positions: np.ndarray) -> dict[int, int]:
        """Return the timestamps of events by their positions (int64)."""
        positions = np.unique(positions)
        found: dict[int, int] = {}
        for piece in (each.piece for each in self.pieces):
            if piece.are_events:
                have = piece.position
                rows = np.searchsorted(have, positions)
                rows[rows == len(have)] = 0
                are_here = have[rows] == positions
                timestamps = piece.timestamp[rows[are_here]].tolist()
                at = positions[are_here].tolist()
                found.update(zip(at, timestamps, strict=True))
        return found

    @property
    def are_events(self) -> bool:
        """Whether there are no cancellations."""
        return all(each.piece.are_events for each in self.pieces)

    def of_customers(self, customers: Collection[str]) -> "PendingRows":
        """Return the rows of some customers."""
        is_one = np.array([name in customers for name in self.customers])
        picked = [piece.where(is_one[piece.customer]) for piece in self.pieces]
        return PendingRows(
            customers=self.customers, pieces=[piece for piece in picked if len(piece)]
        )

    def in_order(self) -> "OrderedRows":
        """Return all rows in the order of positions."""
        pieces = [each.piece for each in self.pieces]
        position = np.concatenate([piece.position for piece in pieces])
        order = np.argsort(position, kind="stable")
        of_events = [piece.event_position for piece in pieces]
        are_events = [np.full(len(piece), piece.are_events) for piece in pieces]
        customer = np.concatenate([each.customer for each in self.pieces])
        timestamp = np.concatenate([piece.timestamp for piece in pieces])
        words = [widened(piece.words, 2) for piece in pieces]
        return OrderedRows(
            customer=customer[order],
            position=position[order],
            event_position=np.concatenate(of_events)[order],
            timestamp=timestamp[order],
            words=np.concatenate(words, axis=1)[:, order],
            is_event=np.concatenate(are_events)[order],
            is_taken=np.concatenate([piece.is_taken for piece in pieces])[order],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedRows:
    """Events and cancellations with the columns of pieces, positions ascending.

    Attributes:
        is_event: bool, whether a row is an event.
        is_taken: bool, whether it takes one away; what does neither restores one.
    """

    customer: np.ndarray
    position: np.ndarray
    event_position: np.ndarray
    timestamp: np.ndarray
    words: np.ndarray
    is_event: np.ndarray
    is_taken: np.ndarray

    def pick(self, at: np.ndarray) -> "OrderedRows":
        """Return rows by index."""
        return OrderedRows(
            customer=self.customer[at],
            position=self.position[at],
            event_position=self.event_position[at],
            timestamp=self.timestamp[at],
            words=self.words[:, at],
            is_event=self.is_event[at],
            is_taken=self.is_taken[at],
        )


def rows_by_meter(pending: Pending) -> dict[str, PendingRows]:
    """Return pending usage by the event names of meters with alerts."""
    pieces: dict[str, list[PendingPiece]] = defaultdict(list)
    for by_meter in _pieces(pending):
        for name, piece in by_meter.items():
            base = pending.before[name].position
            after = piece
            if piece.first <= base:
                after = piece.where(piece.position > base)
            if len(after):
                pieces[name].append(after)
    customers, shared = _shared_codes(
        [piece.names for of_meter in pieces.values() for piece in of_meter]
    )
    return {
        name: PendingRows(
            customers=customers,
            pieces=[
                CodedPiece(piece=each, shared=shared[id(each.names)])
                for each in of_meter
            ],
        )
        for name, of_meter in pieces.items()
    }


def _pieces(pending: Pending) -> Iterator[Mapping[str, PendingPiece]]:
    for are_few, group in groupby(pending.events, lambda each: _is_few(each[1])):
        if are_few:
            yield _pieces_of_few(list(group), pending.before)
        else:
            yield from (held for _, held in group if not isinstance(held, FewEvents))
    if pending.cancellations:
        facts = list(pending.cancellations.values())
        yield pieces_by_meter(
            cancellation_batch(facts),
            np.array(list(pending.cancellations), np.int64),
            pending.before,
            np.array(
                [signed_position(fact.event_position, fact) for fact in facts], np.int64
            ),
        )


def _is_few(held: Held) -> bool:
    return isinstance(held, FewEvents)


def _pieces_of_few(
    parts: Sequence[tuple[int, Held]], event_names: Collection[str]
) -> dict[str, PendingPiece]:
    """Return the columns of parts of few events, made at once."""
    rows = [row for _, few in parts if isinstance(few, FewEvents) for row in few.rows]
    position = np.concatenate([np.arange(at, at + len(few)) for at, few in parts])
    return pieces_by_meter(usage_batch(rows), position, event_names)


def _shared_codes(
    dictionaries: list[pa.Array],
) -> tuple[list[str], dict[int, np.ndarray]]:
    """Merge dictionaries.

    Returns:
        The words, and each dictionary's codes, by its identity: the pieces of a commit
        have one dictionary.
    """
    if not dictionaries:
        return [], {}
    by_identity = {id(each): each for each in dictionaries}
    words = pa.chunked_array(list(by_identity.values())).unique()
    return words.to_pylist(), {
        identity: pc.index_in(each, words).to_numpy().astype(np.int64)
        for identity, each in by_identity.items()
    }
