"""Segments that move out of the database into the segment store that a log was given.

A file lies in the database, or in the segment store, or for a moment in both. It is put
into the segment store, durably, and compared before it is removed from the database:
where it is says how far it has come, and a kill at any step leaves a file that is read
from one of them and moved by the next sealing.
"""

import hashlib

import pyarrow as pa

from ledger.errors import SegmentDamagedError, SegmentMissingError
from ledger.segments.entry import Segment
from ledger.segments.in_database import DatabaseStore
from ledger.segments.parts import whole_content
from ledger.segments.store import SegmentStore


class MovingStore:
    """A segment store, and the database that files may still have to be moved from.

    Args:
        target: where files are put.
        origin: where they are read from until they are there.
    """

    def __init__(self, target: SegmentStore, origin: DatabaseStore) -> None:
        self._target = target
        self._origin = origin

    @property
    def url(self) -> str:
        """Of the segment store."""
        return self._target.url

    @property
    def urls(self) -> tuple[str, str]:
        """Of the segment store, and of the database."""
        return self._target.url, self._origin.url

    def move(self, segment: Segment) -> bool:
        """Move the file of a segment, and return whether it was in the database.

        Raises:
            SegmentDamagedError: it is not what was sealed; it stays where it is.
            SegmentStoreUnavailableError: it cannot be put where it belongs.
        """
        try:
            content = whole_content(self._origin, segment.name)
        except SegmentMissingError:
            return False
        if hashlib.sha256(content).digest() != segment.sha256:
            raise SegmentDamagedError(
                segment.name, "what is in the database is not what was sealed"
            )
        self._target.put(segment.name, content)
        self._origin.remove(segment.name)
        return True

    def put(self, name: str, content: pa.Buffer) -> None:
        """Store a file where it belongs."""
        self._target.put(name, content)

    def open(self, name: str) -> pa.NativeFile:
        """Open a file where it is."""
        try:
            return self._target.open(name)
        except SegmentMissingError:
            if self._origin.size(name) is not None:
                return self._origin.open_until_moved(
                    name, lambda: self._target.open(name)
                )
        # It may have come between the looks.
        return self._target.open(name)

    def path(self, name: str) -> str | None:
        """Find the local file of a name; None where it is not there yet."""
        return None if self._is_to_move(name) else self._target.path(name)

    def address(self, name: str) -> str | None:
        """Return by what other programs read a file; None where it is not there yet."""
        return None if self._is_to_move(name) else self._target.address(name)

    def size(self, name: str) -> int | None:
        """Find how many bytes a file has; None where it is absent."""
        for store in (self._target, self._origin, self._target):
            size = store.size(name)
            if size is not None:
                return size
        return None

    def names(self, prefix: str) -> list[str]:
        """List the names with a prefix, sorted."""
        # In this order, so that a file is not missed while it moves.
        left = self._origin.names(prefix)
        return sorted({*left, *self._target.names(prefix)})

    def left(self, prefix: str) -> set[str]:
        """Return the names, with a prefix, of the files that lie in the database."""
        return set(self._origin.names(prefix))

    def remove(self, name: str) -> None:
        """Remove a file; it may be absent."""
        self._origin.remove(name)
        self._target.remove(name)

    def sweep(self) -> None:
        """Remove what interrupted puts left behind."""
        self._target.sweep()

    def _is_to_move(self, name: str) -> bool:
        return self._target.size(name) is None and self._origin.size(name) is not None
