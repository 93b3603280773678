"""Files of segments, kept open, and what becomes of the errors of reading them."""

import errno
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa

from ledger.errors import (
    SegmentDamagedError,
    SegmentStoreError,
    SegmentStoreUnavailableError,
)
from ledger.segments.directory import DirectoryStore
from ledger.segments.entry import Segment
from ledger.segments.files import SegmentFile
from ledger.segments.parts import (
    UNREADABLE,
    PartsFile,
    fault_of,
    is_of_system,
    read_metadata,
    unavailable,
)
from ledger.segments.store import SegmentStore

_FILES_KEPT_OPEN = 256
_OF_STORES = (SegmentDamagedError, SegmentStoreUnavailableError)
_NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE}
_NameT = TypeVar("_NameT")
_KeptT = TypeVar("_KeptT")
_ReadT = TypeVar("_ReadT")


class OpenFiles:
    """The files of one store that were read last. Thread-safe.

    Args:
        store: where they are.
    """

    def __init__(self, store: SegmentStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._files: OrderedDict[str, SegmentFile] = OrderedDict()

    def read(self, segment: Segment, read: Callable[[SegmentFile], _ReadT]) -> _ReadT:
        """Read something of a segment's file, one thread at a time.

        Raises:
            SegmentMissingError: the file is not there.
            SegmentDamagedError: the file is not what was sealed.
            SegmentStoreUnavailableError: it cannot be read now.
        """

        def once() -> _ReadT:
            file = self._open(segment)
            with file.lock:
                return read(file)

        return self.judged(segment, once)

    def judged(self, segment: Segment, read: Callable[[], _ReadT]) -> _ReadT:
        """Read, and once more after an error of the system, which may have passed.

        Raises:
            SegmentStoreError: as `read` does.
        """
        try:
            return read()
        except (*_OF_STORES, *UNREADABLE) as error:
            self._forget(segment, error)
            if not is_of_system(_cause_of(error)):
                raise self._fault(segment, error) from error
        try:
            return read()
        except (*_OF_STORES, *UNREADABLE) as error:
            self._forget(segment, error)
            raise self._fault(segment, error) from error

    def _fault(self, segment: Segment, error: Exception) -> SegmentStoreError:
        """Distinguish what passes from a broken file.

        A lost connection to an object store is an `OSError` without a number, as a
        broken file is, so the whole file is read once more.
        """
        if isinstance(error, SegmentStoreError):
            return error
        is_remote = not isinstance(self._store, DirectoryStore)
        if is_remote and isinstance(error, OSError) and not is_of_system(error):
            try:
                content = self.content(segment)
            except OSError as again:
                return unavailable(self._store.url, segment.name, again)
            if hashlib.sha256(content).digest() == segment.sha256:
                return unavailable(self._store.url, segment.name, error)
        return fault_of(self._store.url, segment.name, error)

    def content(self, segment: Segment) -> pa.Buffer:
        """Read a whole file as it is stored, unchecked.

        Raises:
            OSError: it cannot be read now.
            SegmentStoreError: as `read` does, but for damage inside the file.
        """
        with self._store.open(segment.name) as file:
            return file.read_buffer()

    def _forget(self, segment: Segment, error: Exception) -> None:
        """Close a file: opened anew, it may be one that was restored, or mounted."""
        cause = _cause_of(error)
        with self._lock:
            if isinstance(cause, OSError) and cause.errno in _NO_DESCRIPTOR:
                self._files.clear()
            self._files.pop(segment.name, None)

    def _open(self, segment: Segment) -> SegmentFile:
        with self._lock:
            file = self._files.get(segment.name)
        if file is None:
            source = self.source(segment)
            parts = PartsFile(
                source,
                name=segment.name,
                checksums=segment.checksums,
                metadata=read_metadata(source, segment.name, segment.checksums),
                is_local=self._store.path(segment.name) is not None,
            )
            file = SegmentFile(parts, segment)
        with self._lock:
            keep(self._files, segment.name, file, _FILES_KEPT_OPEN)
        return file

    def source(self, segment: Segment) -> pa.NativeFile:
        """Open a file, of the size that was sealed.

        Raises:
            OSError: it cannot be opened now.
            SegmentStoreError: as `read` does, but for damage inside the file.
        """
        source = self._store.open(segment.name)
        if source.size() != segment.byte_count:
            size = source.size()
            source.close()
            reason = f"{segment.byte_count} bytes were sealed, {size} are stored"
            raise SegmentDamagedError(segment.name, reason)
        return source


def _cause_of(error: BaseException) -> BaseException:
    """Return what a store was told by its system, where it raised that."""
    is_told = isinstance(error, SegmentStoreUnavailableError) and error.__cause__
    return is_told or error


def keep(
    kept: OrderedDict[_NameT, _KeptT], name: _NameT, value: _KeptT, most: int
) -> None:
    """Keep what was used last, and the few that were used before it."""
    kept[name] = value
    kept.move_to_end(name)
    if len(kept) > most:
        kept.popitem(last=False)
