"""Naming: identifiers for rows that came without one.

An identifier decides whether a row that comes again is the same usage. One that is made
holds what the row says as it was mapped, so that the same file with other columns, for
another customer or another meter is other usage, and beside that what tells it apart from
an equal row: its file and its number in it, or its number among equal rows.

What these names are made of stays as it is from release to release: a file that comes
again under another name counts twice.
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pyarrow as pa
from msgspec.structs import replace

from ledger.appending.drafts import Draft
from ledger.usage.arrow import compute as pc
from ledger.usage.columns import take_rows
from ledger.usage.content_hash import hash_contents, spelled_contents
from ledger.usage.rows import batch_of
from metering.arguments.ids import Ids
from metering.store.checked_events import CheckedEvents, RefusalT
from metering.store.engine import Engine

UNNAMED = "unnamed"
"""The identifier of a row that has none, while the row is checked."""

_DIGITS_OF_FILE = 16
_BYTES_OF_MAPPING = 5
"""Of what a row of a file says: enough to tell one mapping of it from another."""
_BYTES_OF_ROW = 16


@dataclass(frozen=True, slots=True)
class UnnamedRows:
    """Rows that obey the rules, and need an identifier.

    Attributes:
        numbers: the number of each in its source (int64, ascending).
        events: what they come to; their identifiers mean nothing.
        has_own_timestamp: which of them carry a timestamp (bool).
    """

    numbers: np.ndarray
    events: pa.RecordBatch
    has_own_timestamp: np.ndarray

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.numbers)

    def take(self, rows: np.ndarray) -> "UnnamedRows":
        """Pick rows by index."""
        return UnnamedRows(
            self.numbers[rows],
            take_rows(self.events, rows),
            self.has_own_timestamp[rows],
        )

    def called(self, identifiers: pa.Array) -> pa.RecordBatch:
        """Return the events under some identifiers."""
        at = self.events.schema.get_field_index("identifier")
        field = self.events.schema.field(at)
        return self.events.set_column(at, field, identifiers)


class Naming(Protocol):
    """A source of identifiers for rows that came without one."""

    def identifiers(self, rows: UnnamedRows) -> pa.Array:
        """Make an identifier for each row."""


class NamingByTime:
    """Identifiers made of the time: the same row again gets another."""

    def __init__(self, ids: Ids, now: Callable[[], int]) -> None:
        self._ids = ids
        self._now = now

    def identifiers(self, rows: UnnamedRows) -> pa.Array:
        """Make identifiers that nothing else has."""
        now = self._now()
        return pa.array([self._ids.identifier(now) for _ in rows.numbers], pa.string())


@dataclass(frozen=True, slots=True)
class NamingByText:
    """Identifiers made of a string and the row's number: the same row gets the same."""

    text: str

    def identifiers(self, rows: UnnamedRows) -> pa.Array:
        """Make identifiers of the rows' numbers."""
        numbers = pa.array(rows.numbers).cast(pa.string())
        return pc.binary_join_element_wise(self.text, numbers, "-")


class NamingByFile:
    """Identifiers made of a file's content, the row's number and what the row says.

    Args:
        digest: returns a digest of the file's content, decompressed; it is asked for once,
            and not before a row has to be named.
    """

    def __init__(self, digest: Callable[[], str]) -> None:
        self._find_digest = digest

    @cached_property
    def _digest(self) -> str:
        return self._find_digest()[:_DIGITS_OF_FILE]

    def identifiers(self, rows: UnnamedRows) -> pa.Array:
        """Make identifiers that the same rows of the same file get again."""
        numbers = pa.array(rows.numbers).cast(pa.string())
        contents = hash_contents(rows.events, rows.has_own_timestamp)
        bytes_of_content = contents.astype(">u8").view(np.uint8).reshape(-1, 8)
        kept = np.ascontiguousarray(bytes_of_content[:, :_BYTES_OF_MAPPING])
        digits = _hexadecimal(kept.tobytes(), len(rows))
        return pc.binary_join_element_wise(self._digest, digits, numbers, "-")


class NamingByRow:
    """Identifiers made of what a row says and its number among equal rows of its source.

    For each different row 24 bytes are kept, and at times twice that. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = _RowCounts()

    def identifiers(self, rows: UnnamedRows) -> pa.Array:
        """Make identifiers that the same rows get again in any order and any file."""
        # Not a fast hash: whoever finds two rows with one name can hide usage.
        digests = b"".join(
            hashlib.blake2b(content, digest_size=_BYTES_OF_ROW).digest()
            for content in spelled_contents(rows.events, rows.has_own_timestamp)
        )
        with self._lock:
            ordinals = self._counts.next(np.frombuffer(digests, f"S{_BYTES_OF_ROW}"))
        numbers = pa.array(ordinals).cast(pa.string())
        digits = _hexadecimal(digests, len(rows))
        return pc.binary_join_element_wise("row", digits, numbers, "-")


class NamingAsBefore:
    """Identifiers that release 0.1.0 made, for rows that it recorded.

    It made them of the file's own bytes and the row's number. Rows that it did not
    record are named by another naming.

    Args:
        naming: names the other rows.
        digest: returns a digest of the file as it lies there, compressed or not.
        engine: of the store.
    """

    def __init__(
        self, naming: Naming, digest: Callable[[], str], engine: Engine
    ) -> None:
        self._naming = naming
        self._find_digest = digest
        self._engine = engine

    @cached_property
    def _as_before(self) -> NamingByText:
        return NamingByText(self._find_digest()[:_DIGITS_OF_FILE])

    def identifiers(self, rows: UnnamedRows) -> pa.Array:
        """Make identifiers as before for rows that were recorded under them."""
        before = self._as_before.identifiers(rows)
        names = self._naming.identifiers(rows)
        are_recorded = self._are_recorded(rows, before)
        return pc.if_else(pa.array(are_recorded), before, names)

    def _are_recorded(self, rows: UnnamedRows, before: pa.Array) -> np.ndarray:
        """Return which rows were recorded (bool), and are no other usage by now."""
        outcome = self._engine.log.settle(
            Draft.of(
                rows.called(before),
                has_own_timestamp=rows.has_own_timestamp,
                facts_position=0,
                now=self._engine.now,
            )
        )
        are_recorded = ~outcome.are_here
        for row, fields in outcome.conflicts.items():
            # Columns that were wrong are mended once what they made is cancelled. What
            # differs beside customer, value and time may be read otherwise since then.
            is_other = "customer" in fields or (
                fields != ("payload",)
                and self._engine.is_cancelled(int(outcome.positions[row]))
            )
            are_recorded[row] = not is_other
        return are_recorded


class PieceNames:
    """The identifiers of one piece: a row is named once, however often it is checked."""

    def __init__(self, naming: Naming) -> None:
        self._naming = naming
        self._numbers = np.zeros(0, np.int64)
        self._names = pa.array([], pa.string())

    def identifiers(self, rows: UnnamedRows) -> pa.Array:
        """Return the identifier of each row, made where it has none yet."""
        if not len(self._numbers):
            self._numbers, self._names = rows.numbers, self._naming.identifiers(rows)
            return self._names
        fresh = np.flatnonzero(~np.isin(rows.numbers, self._numbers))
        if len(fresh):
            made = self._naming.identifiers(rows.take(fresh))
            numbers = np.concatenate([self._numbers, rows.numbers[fresh]])
            order = np.argsort(numbers)
            self._numbers = numbers[order]
            self._names = pa.concat_arrays([self._names, made]).take(pa.array(order))
        at = np.searchsorted(self._numbers, rows.numbers)
        return self._names.take(pa.array(at))


def with_identifiers(
    checked: CheckedEvents[RefusalT], unnamed: np.ndarray, names: PieceNames
) -> CheckedEvents[RefusalT]:
    """Give the checked events of some rows, which came without one, an identifier.

    Args:
        checked: the events of a piece.
        unnamed: the numbers of rows without an identifier (int64).
        names: of the piece.
    """
    at = np.flatnonzero(np.isin(checked.numbers, unnamed))
    if not len(at):
        return checked
    events = batch_of(checked.events)
    rows = UnnamedRows(checked.numbers, events, checked.has_own_timestamp)
    if len(at) == len(rows):
        return replace(checked, events=rows.called(names.identifiers(rows)))
    made = names.identifiers(rows.take(at))
    is_unnamed = np.zeros(len(rows), bool)
    is_unnamed[at] = True
    identifiers = pc.replace_with_mask(
        events.column("identifier"), pa.array(is_unnamed), made
    )
    return replace(checked, events=rows.called(identifiers))


class _RowCounts:
    """How often each digest came so far.

    Digests lie sorted in levels that are merged as they grow, each digest in one of them.
    """

    def __init__(self) -> None:
        self._levels: list[tuple[np.ndarray, np.ndarray]] = []

    def next(self, digests: np.ndarray) -> np.ndarray:
        """Count digests, and return how many equal ones came before each (int64)."""
        distinct, inverse, counts = np.unique(
            digests, return_inverse=True, return_counts=True
        )
        before = np.zeros(len(distinct), np.int64)
        is_new = np.ones(len(distinct), bool)
        for known, totals in self._levels:
            at = np.minimum(np.searchsorted(known, distinct), len(known) - 1)
            is_here = known[at] == distinct
            before[is_here] = totals[at[is_here]]
            totals[at[is_here]] += counts[is_here]
            is_new &= ~is_here
        self._add(distinct[is_new], counts[is_new])
        # In the order of their rows, equal ones beside each other.
        order = np.argsort(inverse, kind="stable")
        firsts = np.cumsum(counts) - counts
        among_equals = np.empty(len(digests), np.int64)
        among_equals[order] = np.arange(len(digests)) - np.repeat(firsts, counts)
        ordinals: np.ndarray = before[inverse] + among_equals
        return ordinals

    def _add(self, distinct: np.ndarray, counts: np.ndarray) -> None:
        if not len(distinct):
            return
        while self._levels and len(self._levels[-1][0]) <= 2 * len(distinct):
            known, totals = self._levels.pop()
            at = np.searchsorted(known, distinct)
            distinct = np.insert(known, at, distinct)
            counts = np.insert(totals, at, counts)
        self._levels.append((distinct, counts))


def _hexadecimal(digests: bytes, count: int) -> pa.Array:
    """Write digests of one length, one behind the other, each as a string."""
    digits = digests.hex().encode()
    ends = np.arange(count + 1, dtype=np.int32) * (len(digits) // max(count, 1))
    return pa.StringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(digits))
