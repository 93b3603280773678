"""All that makes a store, as of one position: of one that is open, or of a backup."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa
from sqlalchemy import Connection, Table

from ledger.ancestry.ancestors import Lineage, read_lineage
from ledger.backups.errors import BackupDamagedError, BackupUnavailableError
from ledger.backups.manifest import BackedUpFile, Manifest
from ledger.backups.rows import read_commits, read_rows, schema_of
from ledger.commits import read_head
from ledger.entries import Head
from ledger.errors import (
    SegmentDamagedError,
    SegmentMissingError,
    SegmentStoreUnavailableError,
)
from ledger.schema import log_commit
from ledger.segments.catalog import read_segments
from ledger.segments.parts import whole_content
from ledger.segments.store import SegmentStore
from ledger.usage.arrow import parquet as pq


class Contents(Protocol):
    """What a store is put together of.

    Attributes:
        address: where it is, for messages.
        head: of the log.
        lineage: of the log.
        segments: the files that the log needs.
    """

    address: str
    head: Head
    lineage: Lineage
    segments: tuple[BackedUpFile, ...]

    @property
    def other_names(self) -> Sequence[str]:
        """The names of files beside the segments."""

    def rows(self, table: Table) -> Iterator[pa.RecordBatch]:
        """Read the rows of a table, in the order of its key."""

    def segment(self, file: BackedUpFile) -> pa.Buffer:
        """Read the file of a segment, and compare it with what was sealed."""

    def other(self, name: str) -> pa.Buffer | None:
        """Read a file beside the segments; None where it was removed meanwhile."""


class StoreContents:
    """The contents of a store that others may write to, as one snapshot has them.

    Args:
        connection: to the snapshot. Files can be read when it is given back.
        store: has the segments.
        address: of the store.
        prefixes: of the names of files beside the segments, each with a pair of braces
            in the place of a log's epoch.
    """

    def __init__(
        self,
        connection: Connection,
        store: SegmentStore,
        address: str,
        prefixes: Sequence[str],
    ) -> None:
        self.address = address
        self.head = read_head(connection)
        self.lineage = read_lineage(connection)
        self.segments = tuple(
            BackedUpFile(
                name=each.name, byte_count=each.byte_count, sha256=each.sha256.hex()
            )
            for each in read_segments(connection)
        )
        self.connection = connection
        self._store = store
        self.prefixes = [
            prefix.format(epoch) for prefix in prefixes for epoch in self.lineage.epochs
        ]

    @property
    def other_names(self) -> list[str]:
        """The names of files beside the segments, as they are now."""
        return [name for prefix in self.prefixes for name in self._store.names(prefix)]

    def rows(self, table: Table) -> Iterator[pa.RecordBatch]:
        """Read the rows of a table, in the order of its key."""
        if table is log_commit:
            return read_commits(self.connection, 0, self.head.position)
        return read_rows(self.connection, table)

    def segment(self, file: BackedUpFile) -> pa.Buffer:
        """Read the file of a segment, and compare it with what was sealed.

        Raises:
            SegmentMissingError, SegmentDamagedError: it is not there, or not that.
        """
        content = whole_content(self._store, file.name)
        if not file.holds(content):
            raise SegmentDamagedError(
                file.name, "what is stored is not what was sealed"
            )
        return content

    def other(self, name: str) -> pa.Buffer | None:
        """Read a file beside the segments; None where it was removed meanwhile."""
        try:
            return whole_content(self._store, name)
        except SegmentMissingError:
            return None


class BackupContents:
    """The contents of a backup.

    Args:
        place: of the backup.
        manifest: of the backup.
    """

    def __init__(self, place: SegmentStore, manifest: Manifest) -> None:
        self.address = place.url
        self.head, self.lineage = manifest.head, manifest.lineage
        self.segments = manifest.segments
        self._others = {each.name: each for each in manifest.others}
        self._place = place
        self._manifest = manifest

    @property
    def other_names(self) -> list[str]:
        """The names of files beside the segments."""
        return list(self._others)

    def check(self) -> None:
        """Check that all files are there, before anything is made of them.

        Raises:
            BackupDamagedError: one is not.
        """
        for file in self._manifest.files():
            found = self._place.size(file.name)
            if found != file.byte_count:
                reason = "is missing"
                if found is not None:
                    reason = f"has {found} bytes, and had {file.byte_count}"
                raise BackupDamagedError(self.address, file.name, reason)

    def rows(self, table: Table) -> Iterator[pa.RecordBatch]:
        """Read the rows of a table, in the order of its key."""
        files = self._manifest.tables.get(table.name, ())
        if table is log_commit:
            files = (*self._manifest.settled, *files)
        for file in files:
            rows = pq.read_table(pa.BufferReader(self.segment(file)))
            yield from rows.cast(schema_of(table)).to_batches()

    def segment(self, file: BackedUpFile) -> pa.Buffer:
        """Read a file, and compare it with what was written.

        Raises:
            BackupDamagedError: it is not there, or not that.
            BackupUnavailableError: it cannot be read now.
        """
        try:
            content = whole_content(self._place, file.name)
        except SegmentMissingError as error:
            raise BackupDamagedError(self.address, file.name, "is missing") from error
        except SegmentStoreUnavailableError as error:
            raise BackupUnavailableError(self.address, error.reason) from error
        if not file.holds(content):
            reason = "is not what was written"
            raise BackupDamagedError(self.address, file.name, reason)
        return content

    def other(self, name: str) -> pa.Buffer:
        """Read a file beside the segments."""
        return self.segment(self._others[name])
