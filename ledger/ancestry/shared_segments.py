"""Segments that a branch shares: read where its ancestors keep them, and never written.

What a log seals itself goes into its own store. Files of its ancestors are looked for
there too, and then where they were when it was branched. Nothing is put into a store of
an ancestor, and nothing there is removed.
"""

from collections.abc import Callable, Sequence

import pyarrow as pa

from ledger.ancestry.ancestors import Ancestor
from ledger.database.addresses import open_beside
from ledger.database.store import Database
from ledger.errors import SegmentMissingError
from ledger.segments.in_database import DatabaseStore
from ledger.segments.moving import MovingStore
from ledger.segments.store import SegmentStore, open_segment_store


class SharedStore:
    """A segment store, and those of ancestors behind it.

    Args:
        own: where files are put.
        shared: where others are read.
        databases: in which some of these lie; closed with it.
    """

    def __init__(
        self,
        own: SegmentStore,
        shared: Sequence[SegmentStore],
        databases: Sequence[Database] = (),
    ) -> None:
        self._own = own
        self._all = (own, *shared)
        self._databases = databases

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle as the stores, each of which opens itself again."""
        return SharedStore, (self._own, self._all[1:])

    @property
    def url(self) -> str:
        """Of all stores, for messages."""
        return " or ".join(dict.fromkeys(store.url for store in self._all))

    def put(self, name: str, content: pa.Buffer) -> None:
        """Store a file in the own store."""
        self._own.put(name, content)

    def open(self, name: str) -> pa.NativeFile:
        """Open a file where it is."""
        return self._holder(name).open(name)

    def path(self, name: str) -> str | None:
        """Find the local file of a name; None where it is in a store that is not local."""
        return self._holder(name).path(name)

    def address(self, name: str) -> str | None:
        """Return by what other programs read a file."""
        return self._holder(name).address(name)

    def size(self, name: str) -> int | None:
        """Find how many bytes a file has; None where it is absent."""
        sizes = (store.size(name) for store in self._all)
        return next((size for size in sizes if size is not None), None)

    def names(self, prefix: str) -> list[str]:
        """List the names with a prefix, sorted."""
        return sorted({name for store in self._all for name in store.names(prefix)})

    def remove(self, name: str) -> None:
        """Remove a file of the own store; it may be absent."""
        self._own.remove(name)

    def sweep(self) -> None:
        """Remove what interrupted puts into the own store left behind."""
        self._own.sweep()

    def close(self) -> None:
        """Close the databases of others; the own store is closed with its log."""
        for each in self._databases:
            each.close()

    def _holder(self, name: str) -> SegmentStore:
        for store in self._all:
            if store.size(name) is not None:
                return store
        raise SegmentMissingError(self.url, name)


def with_shared(
    own: SegmentStore, ancestors: Sequence[Ancestor], database: Database
) -> SegmentStore:
    """Return a store in which the files of ancestors are found as well.

    Args:
        own: of the log.
        ancestors: of the log.
        database: of the log; the databases of ancestors are closed with it.

    Raises:
        SegmentStoreUnavailableError, StoreUnavailableError: one of the others cannot be
            opened.
    """
    if not any(each.segments for each in ancestors):
        return own
    shared: list[SegmentStore] = []
    databases: list[Database] = []
    try:
        shared += [
            _opened(each.segments, database, databases.append)
            for each in ancestors
            if each.segments
        ]
    except BaseException:
        SharedStore(own, shared, databases).close()
        raise
    return SharedStore(own, shared, databases)


def urls_of(store: SegmentStore) -> tuple[str, ...]:
    """Return the URLs by which a branch opens the segment store of its origin."""
    return store.urls if isinstance(store, MovingStore) else (store.url,)


def _opened(
    urls: Sequence[str], database: Database, note: Callable[[Database], None]
) -> SegmentStore:
    """Open what `urls_of` names: a store, and the database that it is filled from."""
    *stores, last = urls
    if not last.startswith("postgresql"):
        return open_segment_store(last)
    other = open_beside(last, database)
    note(other)
    inside = DatabaseStore(other)
    return MovingStore(open_segment_store(stores[0]), inside) if stores else inside
