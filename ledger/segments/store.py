"""Where segments are kept: files that are written once, as a whole, and then only read.

What a store must offer: a put that is atomic and durable once it returns, reads of what
was put (no stale answers, no stale lists), reads of byte ranges, lists, removal. Object
stores with strong consistency do, and so does a directory of a local or shared file
system that has rename and locks.
"""

import re
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from ledger.database.shown_addresses import shown_address
from ledger.errors import SegmentStoreUnavailableError
from ledger.segments.directory import DirectoryStore

# With colons where fsspec chains several.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.:-]*://")


class SegmentStore(Protocol):
    """Files by name. Thread-safe, and shared by any number of processes."""

    @property
    def url(self) -> str:
        """URL that opens the same store in another process or on another machine.

        Holds no secrets: they are in the environment of the process that opens it.
        """

    def put(self, name: str, content: pa.Buffer) -> None:
        """Store a file; it becomes visible as a whole or not at all.

        It returns only once the file is durable, and was read back and found equal. Putting a name again replaces the file.

        Raises:
            SegmentStoreUnavailableError: no room, no permission, no connection, or what
                was read back is something else.
        """

    def open(self, name: str) -> pa.NativeFile:
        """Open a file for reading anywhere in it.

        Raises:
            SegmentMissingError: there is none of that name.
            SegmentDamagedError: what has the name is no file of the store.
            SegmentStoreUnavailableError: the store cannot be read.
        """

    def path(self, name: str) -> str | None:
        """Find the local file of a name; None in a store that is not local.

        Raises:
            SegmentMissingError, SegmentDamagedError, SegmentStoreUnavailableError: as
                `open` does.
        """

    def address(self, name: str) -> str | None:
        """Return the path or URL by which other programs read a file.

        None where the file lies in the database, which they cannot read.

        Raises:
            SegmentMissingError, SegmentDamagedError, SegmentStoreUnavailableError: as
                `open` does.
        """

    def size(self, name: str) -> int | None:
        """Find how many bytes a file has; None where it is absent.

        Raises:
            SegmentDamagedError: what has the name is no file of the store.
            SegmentStoreUnavailableError: the store cannot be read.
        """

    def names(self, prefix: str) -> list[str]:
        """List the names with a prefix, sorted; of complete files only.

        Raises:
            SegmentStoreUnavailableError: the store cannot be read.
        """

    def remove(self, name: str) -> None:
        """Remove a file; it may be absent.

        Raises:
            SegmentStoreUnavailableError: the store cannot be changed.
        """

    def sweep(self) -> None:
        """Remove what interrupted puts left behind, and nothing of puts under way.

        Raises:
            SegmentStoreUnavailableError: the store cannot be changed.
        """


def open_segment_store(place: str | Path) -> SegmentStore:
    """Open the segment store at a place.

    Args:
        place: a directory, made by the first put where it is absent, relative to the
            working directory or as a ``file://`` URL; or the URL of an object store:
            ``s3://bucket/prefix``, ``gs://…``, ``abfs://…``, or any that fsspec knows
            where that is installed.

    Raises:
        SegmentStoreUnavailableError: it is no such place, cannot be reached, or has
            secrets in its URL.
    """
    if isinstance(place, Path) or not _URL.match(place):
        return DirectoryStore(place)
    if place.lower().startswith("file://"):
        return DirectoryStore(_local_path(place))
    from ledger.segments.objects import open_object_store

    return open_object_store(place)


def _local_path(url: str) -> str:
    parts = urlsplit(url, allow_fragments=False)
    if parts.netloc not in ("", "localhost") or parts.query:
        reason = "a file URL has three slashes and a path, as in file:///data/segments"
        raise SegmentStoreUnavailableError(shown_address(url), reason)
    return unquote(parts.path)
