"""Backing up: what a snapshot has, into files of a directory or an object store.

Segments never change, nor do facts whose stretch of the log is sealed: they are written
once, and a later backup copies what came since. The other rows are written anew each
time, under names of their own, so that the backup before stays whole until the manifest
names the next one. Then what only the one before had is removed.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pyarrow as pa
from sqlalchemy import Table

from ledger.backups.contents import StoreContents
from ledger.backups.errors import BackupForeignError, BackupUnavailableError
from ledger.backups.manifest import (
    BackedUpFile,
    Manifest,
    SettledFacts,
    file_of,
    find_manifest,
    write_manifest,
)
from ledger.backups.rows import KEPT, read_commits
from ledger.errors import MeteringError, SegmentStoreUnavailableError
from ledger.schema import FORMAT_VERSION, log_commit
from ledger.segments.directory import DirectoryStore
from ledger.segments.entry import name_prefix
from ledger.segments.store import SegmentStore
from ledger.usage.arrow import parquet as pq

FILE_BYTES = 8 << 20
"""About how large a file of rows is."""

_ROWS, _SETTLED = "rows-", "facts-"

CopyProgress = Callable[[int, int], None]
"""Receives how many bytes of segments were copied, and how many there are to copy."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A backup, and what of it was copied.

    Attributes:
        manifest: of the backup.
        copied: the files that were not there before.
    """

    manifest: Manifest
    copied: tuple[BackedUpFile, ...]


class BackupWriter:
    """Writes the next backup of a store to a place.

    One at a time: what others are writing there would be taken for left behind.

    Args:
        place: of the backup.
        attempt: a word that no other backup has.
    """

    def __init__(self, place: SegmentStore, attempt: str) -> None:
        self._place = place
        self._attempt = attempt
        self._copied: list[BackedUpFile] = []

    def begin(self, contents: StoreContents) -> Manifest | None:
        """Check that the place is empty, or has a backup that the store goes on from.

        Returns:
            The manifest of that backup; None where there is none.

        Raises:
            BackupUnavailableError: there is something else.
            BackupForeignError: it has the backup of another store, or of a later state.
            BackupDamagedError, BackupVersionError: that backup cannot be gone on from.
        """
        with self._translated():
            before = find_manifest(self._place)
            if before is None:
                self._check_empty(contents)
            elif not _goes_on_from(contents, before):
                head = before.head
                raise BackupForeignError(self._place.url, head.epoch, head.position)
            self._place.sweep()
            self._remove_others(before, contents)
        return before

    def write(
        self,
        contents: StoreContents,
        before: Manifest | None,
        further: Sequence[Table],
    ) -> Manifest:
        """Write the rows that a snapshot has.

        Args:
            contents: of the store, with its snapshot open.
            before: the backup to go on from.
            further: tables that are kept beside those of the log.

        Returns:
            The manifest to be, without files that are no rows.
        """
        settled, commits = self._commits(contents, before)
        tables = {log_commit.name: commits}
        for table in (*KEPT, *further):
            files = self._files(contents.rows(table), f"{_ROWS}{self._attempt}-{table}")
            tables[table.name] = tuple(files)
        return Manifest(
            format_version=FORMAT_VERSION,
            head=contents.head,
            lineage=contents.lineage,
            settled=settled,
            tables=tables,
            segments=contents.segments,
            others=(),
        )

    def finish(
        self,
        contents: StoreContents,
        before: Manifest | None,
        manifest: Manifest,
        progress: CopyProgress | None,
    ) -> Written:
        """Copy the files that are not there, and make a backup of all.

        Args:
            contents: of the store.
            before: the backup to go on from.
            manifest: what `write` returned.
            progress: is called with each file.
        """
        with self._translated():
            there = {
                each.name for each in manifest.segments if self._size(each) is not None
            }
        missing = [each for each in manifest.segments if each.name not in there]
        total, done = sum(each.byte_count for each in missing), 0
        for each in missing:
            self._put(each.name, contents.segment(each))
            done += each.byte_count
            if progress is not None:
                progress(done, total)
        others = tuple(self._others(contents, before))
        manifest = msgspec.structs.replace(manifest, others=others)
        with self._translated():
            write_manifest(self._place, manifest)
            self._remove_others(manifest, contents)
        return Written(manifest=manifest, copied=tuple(self._copied))

    def give_up(self) -> None:
        """Remove what was written for this backup alone, where it can be done."""
        with suppress(MeteringError):
            for name in self._place.names(f"{_ROWS}{self._attempt}-"):
                self._place.remove(name)

    def _commits(
        self, contents: StoreContents, before: Manifest | None
    ) -> tuple[tuple[SettledFacts, ...], tuple[BackedUpFile, ...]]:
        """Write the commits: those that are settled once, in files that are full."""
        is_alike = before is not None and before.format_version == FORMAT_VERSION
        settled = list(before.settled) if before and is_alike else []
        epoch, sealed = contents.head.epoch, contents.head.sealed_position
        after = settled[-1].up_to if settled else 0
        batches: list[pa.RecordBatch] = []
        for batch in read_commits(contents.connection, after, sealed):
            batches.append(batch)
            if sum(each.nbytes for each in batches) < FILE_BYTES:
                continue
            first, last = (
                each.column("first_position")[at].as_py()
                for each, at in ((batches[0], 0), (batch, -1))
            )
            name = f"{_SETTLED}{epoch}-{first:015d}-{last:015d}.parquet"
            file = self._put(name, _parquet(batches))
            settled.append(SettledFacts(**msgspec.structs.asdict(file), up_to=last))
            after, batches = last, []
        rest = read_commits(contents.connection, after, contents.head.position)
        prefix = f"{_ROWS}{self._attempt}-{log_commit.name}"
        return tuple(settled), tuple(self._files(rest, prefix))

    def _files(
        self, batches: Iterator[pa.RecordBatch], prefix: str
    ) -> Iterator[BackedUpFile]:
        """Write rows into as many files as they need."""
        held: list[pa.RecordBatch] = []
        number = 0
        for batch in batches:
            held.append(batch)
            if sum(each.nbytes for each in held) >= FILE_BYTES:
                yield self._put(f"{prefix}-{number:06d}.parquet", _parquet(held))
                held, number = [], number + 1
        if held:
            yield self._put(f"{prefix}-{number:06d}.parquet", _parquet(held))

    def _others(
        self, contents: StoreContents, before: Manifest | None
    ) -> Iterator[BackedUpFile]:
        known = {each.name: each for each in before.others} if before else {}
        for name in contents.other_names:
            if name in known:
                yield known[name]
            elif (content := contents.other(name)) is not None:
                yield self._put(name, content)

    def _put(self, name: str, content: pa.Buffer) -> BackedUpFile:
        with self._translated():
            self._place.put(name, content)
        file = file_of(name, content)
        self._copied.append(file)
        return file

    def _size(self, file: BackedUpFile) -> int | None:
        """Find a file that is there as a whole."""
        size = self._place.size(file.name)
        return size if size == file.byte_count else None

    def _check_empty(self, contents: StoreContents) -> None:
        """Refuse a place with anything but what a first backup left that was killed."""
        ours = tuple(map(name_prefix, contents.lineage.epochs))
        left = (_ROWS, _SETTLED, *ours, *contents.prefixes)
        others = [each for each in self._place.names("") if not each.startswith(left)]
        if isinstance(self._place, DirectoryStore):
            directory = Path(self._place.url)
            if directory.is_dir():
                others += [each.name for each in directory.iterdir() if each.is_dir()]
        if others:
            reason = f"it holds {min(others)!r} and no backup; give an empty place"
            raise BackupUnavailableError(self._place.url, reason)

    def _remove_others(
        self, manifest: Manifest | None, contents: StoreContents
    ) -> None:
        """Remove files that are not of a manifest's backup; segments stay."""
        named = {each.name for each in manifest.files()} if manifest else set()
        for prefix in (_ROWS, _SETTLED, *contents.prefixes):
            for name in self._place.names(prefix):
                if name not in named:
                    self._place.remove(name)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SegmentStoreUnavailableError as error:
            raise BackupUnavailableError(self._place.url, error.reason) from error


def _goes_on_from(contents: StoreContents, before: Manifest) -> bool:
    """Whether a log has all that a backup has."""
    head = before.head
    if head.epoch == contents.lineage.epoch:
        return head.position <= contents.head.position
    return any(
        each.epoch == head.epoch and head.position <= each.up_to
        for each in contents.lineage.ancestors
    )


def _parquet(batches: Sequence[pa.RecordBatch]) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    # Bodies are compressed already, and digests cannot be.
    pq.write_table(pa.Table.from_batches(batches), sink, use_dictionary=False)
    return sink.getvalue()
