"""A segment store in the database of the log itself, for one that was given no other.

A file is a few rows, its chunks, which are inserted in one database transaction: others
see all of it or nothing. Nothing here waits for the write lock or holds it, so appends
go on meanwhile. Reads take of a large file only what is asked for. A small one is taken
whole, since each request takes longer than a chunk, and a few of them are kept.
"""

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from io import SEEK_CUR, SEEK_END, SEEK_SET
from typing import NoReturn

import pyarrow as pa
from sqlalchemy import (
    URL,
    Connection,
    bindparam,
    delete,
    func,
    insert,
    make_url,
    select,
)

from ledger.database.addresses import open_database
from ledger.database.store import Database
from ledger.errors import SegmentMissingError, SegmentStoreUnavailableError
from ledger.schema import log_segment_chunk
from ledger.segments.names import check_name

# What of a file is in memory once more while it is put or compared.
CHUNK_BYTES = 1 << 20
_CHUNKS_KEPT = 32

_NAMES = select(log_segment_chunk.c.name).where(log_segment_chunk.c.number == 0)
_SIZE = select(func.sum(func.length(log_segment_chunk.c.content))).where(
    log_segment_chunk.c.name == bindparam("wanted")
)
_PIECE = select(
    func.substr(
        log_segment_chunk.c.content, bindparam("first"), bindparam("byte_count")
    )
).where(
    log_segment_chunk.c.name == bindparam("wanted"),
    log_segment_chunk.c.number == bindparam("at"),
)
_DELETE = delete(log_segment_chunk).where(
    log_segment_chunk.c.name == bindparam("wanted")
)


class DatabaseStore:
    """Files as rows of a database.

    Sent to another process it opens itself again there, with the password that libpq
    finds in that one's environment.

    Args:
        database: in which what is written beside the log waits for no append.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        # Files of one chunk, by name.
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def __reduce__(self) -> tuple[Callable[[str], "DatabaseStore"], tuple[str]]:
        """Pickle as the address of the database, without its password."""
        return _open_elsewhere, (self.url,)

    @property
    def url(self) -> str:
        """The address of the database, without a password."""
        url = make_url(self._database.address)
        named = URL.create(url.drivername, url.username, None, url.host, url.port)
        return named.set(database=url.database, query=url.query).render_as_string()

    def put(self, name: str, content: pa.Buffer) -> None:
        """Store a file; it becomes visible as a whole or not at all."""
        check_name(name)
        with self._database.write_beside() as connection:
            connection.execute(_DELETE, {"wanted": name})
            for number, chunk in enumerate(_chunks(content)):
                row = {"name": name, "number": number, "content": chunk.to_pybytes()}
                connection.execute(insert(log_segment_chunk), row)
        with self._lock:
            self._kept.pop(name, None)
        if not self._holds(name, content):
            self.remove(name)
            reason = f"of {name} something else was read back than was written"
            raise SegmentStoreUnavailableError(self.url, reason)

    def open(self, name: str) -> pa.NativeFile:
        """Open a file for reading anywhere in it."""
        return self.open_until_moved(name, lambda: self._missing(name))

    def open_until_moved(
        self, name: str, elsewhere: Callable[[], pa.NativeFile]
    ) -> pa.NativeFile:
        """Open a file that may be removed while it is open.

        Args:
            name: of the file.
            elsewhere: opens the same file where it is once it was removed here.
        """
        size = self.size(name)
        if size is None:
            self._missing(name)
        between = functools.partial(self._between, name, size)
        return pa.PythonFile(_ChunksFile(between, size, elsewhere), "r")

    def path(self, name: str) -> None:
        """There are no local files."""
        check_name(name)

    def address(self, name: str) -> None:
        """No other program can read a file."""
        check_name(name)

    def size(self, name: str) -> int | None:
        """Find how many bytes a file has; None where it is absent."""
        with self._database.watch() as connection:
            return self.size_within(connection, name)

    def size_within(self, connection: Connection, name: str) -> int | None:
        """Find the size in a database transaction, for one that holds the write lock.

        Behind a pooler, those who wait for the lock may have every other session.
        """
        check_name(name)
        size = connection.execute(_SIZE, {"wanted": name}).scalar_one()
        return None if size is None else int(size)

    def names(self, prefix: str) -> list[str]:
        """List the names with a prefix, sorted."""
        with self._database.watch() as connection:
            found = connection.execute(_NAMES).scalars().all()
        return sorted(name for name in found if name.startswith(prefix))

    def remove(self, name: str) -> None:
        """Remove a file; it may be absent."""
        check_name(name)
        with self._database.write_beside() as connection:
            connection.execute(_DELETE, {"wanted": name})
        with self._lock:
            self._kept.pop(name, None)

    def sweep(self) -> None:
        """Nothing that is visible is ever left behind."""

    def _between(self, name: str, size: int, start: int, end: int) -> bytes:
        """Read ``[start, end)`` of a file; less where it is not there."""
        if size > CHUNK_BYTES:
            return self._of_chunks(name, start, end)
        with self._lock:
            content = self._kept.get(name)
        if content is None:
            content = self._of_chunks(name, 0, size)
            if len(content) < size:
                return b""
        with self._lock:
            self._kept[name] = content
            self._kept.move_to_end(name)
            if len(self._kept) > _CHUNKS_KEPT:
                self._kept.popitem(last=False)
        return content[start:end]

    def _of_chunks(self, name: str, start: int, end: int) -> bytes:
        """Read ``[start, end)``, chunk by chunk; a file never changes."""
        pieces = []
        for number in range(start // CHUNK_BYTES, -(-end // CHUNK_BYTES)):
            begins = number * CHUNK_BYTES
            first, last = max(start - begins, 0), min(end - begins, CHUNK_BYTES)
            place = {"wanted": name, "at": number}
            # The first byte has the number 1.
            bounds = {"first": first + 1, "byte_count": last - first}
            # Who reads a segment may hold the last connection of the pool.
            with self._database.watch() as connection:
                piece = connection.execute(_PIECE, place | bounds).scalar()
            if piece is None:
                break
            pieces.append(bytes(piece))
        return b"".join(pieces)

    def _missing(self, name: str) -> NoReturn:
        raise SegmentMissingError(self.url, name)

    def _holds(self, name: str, content: pa.Buffer) -> bool:
        with self.open(name) as file:
            return file.size() == content.size and all(
                file.read_buffer(chunk.size).equals(chunk) for chunk in _chunks(content)
            )


def _chunks(content: pa.Buffer) -> Iterator[pa.Buffer]:
    """Cut a file into chunks, of which there is at least one."""
    for start in range(0, max(content.size, 1), CHUNK_BYTES):
        yield content.slice(start, min(CHUNK_BYTES, content.size - start))


class _ChunksFile:
    """A file of chunks, open for reading, as pyarrow reads from Python's files.

    It is read by one thread at a time.
    """

    closed = False

    def __init__(
        self,
        between: Callable[[int, int], bytes],
        size: int,
        elsewhere: Callable[[], pa.NativeFile],
    ) -> None:
        self._between = between
        self._size = size
        self._elsewhere = elsewhere
        self._at = 0
        self._moved: pa.NativeFile | None = None

    def read(self, byte_count: int | None = -1) -> bytes:
        """Read bytes, to the end where their number is left out or negative."""
        is_all = byte_count is None or byte_count < 0
        end = self._size if is_all else min(self._at + (byte_count or 0), self._size)
        content = self._of_either(self._at, end) if self._at < end else b""
        self._at += len(content)
        return content

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Go to an offset."""
        start = {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """Return the offset."""
        return self._at

    def close(self) -> None:
        """Close the file; there is nothing to let go of."""
        self.closed = True

    def _of_either(self, start: int, end: int) -> bytes:
        if self._moved is None:
            content = self._between(start, end)
            if len(content) == end - start:
                return content
            self._moved = self._elsewhere()
        return bytes(self._moved.read_at(end - start, start))


# A pool of connections is not made anew for every job that reads a segment.
@functools.lru_cache(maxsize=4)
def _open_elsewhere(url: str) -> DatabaseStore:
    return DatabaseStore(open_database(url, creates=False))
