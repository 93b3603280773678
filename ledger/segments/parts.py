"""Parts of a segment's file: its footer, and each column of each group of rows.

Each has a checksum in the catalog, compared every time before the part is read: a flipped
bit could otherwise become another number, and checking whole files would read ten columns
where two are asked for. In object stores a part would have to be fetched twice, so the
footer is compared there, and pages by checksums of their own.

What differs is read a second time before it is called damaged. An error of the system,
which has a number, says nothing of what is stored: a disk that stumbled, a network that
was cut, no free descriptor. To take the one for the other would send an operator to his
backups for nothing, or have a broken file read for ever.

Checksums are XXH3-64, big-endian: the footer's, then those of the columns of the first
group in the order of the file, and so on. The first of these begins at the letters that
begin the file, is as long as its column, and so lacks its last four bytes: the pages of
the first group are compared as well.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
from xxhash import xxh3_64_digest

from ledger.errors import (
    SegmentDamagedError,
    SegmentStoreError,
    SegmentStoreUnavailableError,
)
from ledger.segments.layout import SEGMENT, WORDS, leaves_of
from ledger.segments.store import SegmentStore
from ledger.usage.arrow import parquet as pq

if TYPE_CHECKING:
    from pyarrow.parquet import FileMetaData, ParquetFile

UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError)
"""What reading a file may raise that was changed, or that cannot be read now."""

_CHECKSUM_BYTES = 8
# The length of the footer, and the four letters that end a Parquet file.
_END_BYTES = 8
_TAIL_BYTES = 1 << 16
_LEAVES = [leaf for name in SEGMENT.names for leaf in leaves_of(name)]
_LEAVES_BY_NAME = {
    name: [_LEAVES.index(leaf) for leaf in leaves_of(name)] for name in SEGMENT.names
}


def is_of_system(error: BaseException) -> bool:
    """Whether an error is the operating system's; those of decoders have no number."""
    return isinstance(error, OSError) and error.errno is not None


def whole_content(store: SegmentStore, name: str) -> pa.Buffer:
    """Read a whole file of a segment store, unchecked.

    Raises:
        SegmentMissingError: there is none of that name.
        SegmentStoreUnavailableError: it cannot be read now.
    """
    try:
        with store.open(name) as file:
            return file.read_buffer()
    except OSError as error:
        raise unavailable(store.url, name, error) from error


def unavailable(place: str, name: str, error: Exception) -> SegmentStoreError:
    """Make the error of a segment that cannot be read now."""
    reason = f"{name} cannot be read, {_words(error)}; try again"
    return SegmentStoreUnavailableError(place, reason)


def fault_of(place: str, name: str, error: Exception) -> SegmentStoreError:
    """Judge an error of `UNREADABLE` that a local file raised."""
    if is_of_system(error):
        return unavailable(place, name, error)
    return SegmentDamagedError(name, _words(error))


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def checksums_of(content: pa.Buffer) -> bytes:
    """Compute the checksums of all parts of a whole file."""
    file = pa.BufferReader(content)
    metadata = pq.read_metadata(file)
    view = memoryview(content)
    chunks = (
        view[slice(*_bounds(metadata, group, leaf))]
        for group in range(metadata.num_row_groups)
        for leaf in range(len(_LEAVES))
    )
    footer = memoryview(_read_footer(file))
    return b"".join(map(xxh3_64_digest, [footer, *chunks]))


def read_metadata(file: pa.NativeFile, name: str, checksums: bytes) -> "FileMetaData":
    """Read a file's footer, and check it.

    Raises:
        SegmentDamagedError: it is not what was sealed.
        OSError: it cannot be read now; `fault_of` judges that.
    """
    wanted = checksums[:_CHECKSUM_BYTES]
    footer = _read_footer(file)
    if xxh3_64_digest(memoryview(footer)) != wanted:
        # A disk may hand out something else once.
        footer = _read_footer(file)
        if xxh3_64_digest(memoryview(footer)) != wanted:
            raise SegmentDamagedError(name, "its footer is not what was sealed")
    return pq.read_metadata(pa.BufferReader(footer))


class PartsFile:
    """A segment's file, open; reads its parts, checked. For one thread at a time.

    Args:
        source: the file.
        name: of the segment.
        checksums: of the parts.
        metadata: the footer, checked.
        is_local: whether reading a part twice costs little.
    """

    def __init__(
        self,
        source: pa.NativeFile,
        *,
        name: str,
        checksums: bytes,
        metadata: "FileMetaData",
        is_local: bool,
    ) -> None:
        self.metadata = metadata
        self._name = name
        self._checksums = checksums
        self._source = source
        self._is_local = is_local

    @property
    def schema(self) -> pa.Schema:
        """Which columns the file has."""
        return self._parquet.schema_arrow

    def read(self, groups: Sequence[int], columns: Collection[str]) -> pa.Table:
        """Read columns of some groups of rows.

        Raises:
            SegmentDamagedError: they are not what was sealed.
            OSError: they cannot be read now; `fault_of` judges that.
        """
        if self._is_local:
            self._check(groups, columns)
        # The checksum of the first part ends four bytes before the part does.
        is_short = self._is_local and 0 in groups
        parquet = self._checking_pages if is_short else self._parquet
        return parquet.read_row_groups(groups, list(columns), use_threads=False)

    def check(self, columns: Collection[str]) -> None:
        """Check columns of all rows, for another reader of a local file.

        Raises:
            SegmentDamagedError: they are not what was sealed.
            OSError: they cannot be read now; `fault_of` judges that.
        """
        groups = range(self.metadata.num_row_groups)
        self._check(groups, columns)
        first = SEGMENT.names[0]
        if groups and first in columns:
            self.read([0], [first])

    @cached_property
    def _parquet(self) -> "ParquetFile":
        return self._opened(checks_pages=not self._is_local)

    @cached_property
    def _checking_pages(self) -> "ParquetFile":
        return self._opened(checks_pages=True)

    def _opened(self, *, checks_pages: bool) -> "ParquetFile":
        return pq.ParquetFile(
            self._source,
            metadata=self.metadata,
            read_dictionary=list(WORDS),
            page_checksum_verification=checks_pages,
        )

    def _check(self, groups: Sequence[int], columns: Collection[str]) -> None:
        leaves = [leaf for name in columns for leaf in _LEAVES_BY_NAME[name]]
        for group in groups:
            for leaf in leaves:
                # Read a second time before it is called damaged.
                if not (self._is_sealed(group, leaf) or self._is_sealed(group, leaf)):
                    reason = f"{_LEAVES[leaf]} of group {group} is not what was sealed"
                    raise SegmentDamagedError(self._name, reason)

    def _is_sealed(self, group: int, leaf: int) -> bool:
        start, end = _bounds(self.metadata, group, leaf)
        found = xxh3_64_digest(self._source.read_at(end - start, start))
        at = (1 + group * len(_LEAVES) + leaf) * _CHECKSUM_BYTES
        return found == self._checksums[at : at + _CHECKSUM_BYTES]


class LocalFile(msgspec.Struct, frozen=True, kw_only=True):
    """A segment's file on this machine, to be opened as often as there are threads.

    Attributes:
        path: where it is.
        name: of the segment.
        checksums: of the parts.
        metadata: the footer, checked.
    """

    path: str
    name: str
    checksums: bytes
    metadata: "FileMetaData"

    def check(self, columns: Collection[str]) -> None:
        """Check columns of all rows, for another reader of the file.

        Raises:
            SegmentDamagedError: they are not what was sealed.
            SegmentStoreUnavailableError: they cannot be read now.
        """
        with self.opened() as parts:
            parts.check(columns)

    @contextmanager
    def opened(self) -> Iterator[PartsFile]:
        """Open the file.

        Raises:
            SegmentDamagedError: what is read of it is not what was sealed.
            SegmentStoreUnavailableError: it cannot be read now.
        """
        # Not mapped: what is read of a long log would count as memory of the process,
        # and a file that is cut short would end it.
        try:
            with pa.OSFile(self.path) as source:
                yield PartsFile(
                    source,
                    name=self.name,
                    checksums=self.checksums,
                    metadata=self.metadata,
                    is_local=True,
                )
        except UNREADABLE as error:
            raise fault_of(self.path, self.name, error) from error


def _bounds(metadata: "FileMetaData", group: int, leaf: int) -> tuple[int, int]:
    """Find where a column of a group begins and ends in the file."""
    chunk = metadata.row_group(group).column(leaf)
    start = chunk.data_page_offset
    if group == leaf == 0:
        # With the letters that begin the file.
        start = 0
    elif chunk.has_dictionary_page:
        start = min(start, chunk.dictionary_page_offset)
    return start, start + chunk.total_compressed_size


def _read_footer(file: pa.NativeFile) -> pa.Buffer:
    """Read what is behind the columns; of a file that is broken, something else."""
    size = file.size()
    tail = file.read_at(min(size, _TAIL_BYTES), max(0, size - _TAIL_BYTES))
    length = int.from_bytes(tail[-_END_BYTES:-4], "little") + _END_BYTES
    if length <= len(tail):
        return pa.py_buffer(tail[len(tail) - length :])
    return pa.py_buffer(file.read_at(min(length, size), max(0, size - length)))
