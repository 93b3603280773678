"""The manifest of a backup: what it is of, and which files make it.

It is written last, as a whole, and proves itself. So a backup is that which its manifest
names: a process that is killed before leaves the backup before, and files that nothing
names.
"""

import hashlib
import re
from typing import Any

import msgspec
import pyarrow as pa

from ledger.ancestry.ancestors import Lineage
from ledger.backups.errors import (
    BackupDamagedError,
    BackupMissingError,
    BackupUnavailableError,
    BackupVersionError,
)
from ledger.entries import Head
from ledger.errors import SegmentMissingError, SegmentStoreUnavailableError
from ledger.schema import FORMAT_VERSION
from ledger.segments.parts import whole_content
from ledger.segments.store import SegmentStore

MANIFEST = "backup.json"
_LAYOUT = 1
_DIGEST = re.compile("[0-9a-f]{64}")


class BackedUpFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a backup.

    Attributes:
        byte_count: its size.
        sha256: of its content, in hexadecimal.
    """

    name: str
    byte_count: int
    sha256: str

    def holds(self, content: pa.Buffer) -> bool:
        """Whether a content is that of the file."""
        digest = hashlib.sha256(content).hexdigest()
        return (content.size, digest) == (self.byte_count, self.sha256)


def file_of(name: str, content: pa.Buffer) -> BackedUpFile:
    """Return what a file of some content is."""
    sha256 = hashlib.sha256(content).hexdigest()
    return BackedUpFile(name=name, byte_count=content.size, sha256=sha256)


class SettledFacts(BackedUpFile, frozen=True, kw_only=True):
    """Commits of facts of a stretch whose usage is sealed: they stay as they are.

    Attributes:
        up_to: the position where the last of them begins.
    """

    up_to: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup is of, and its files.

    Attributes:
        format_version: of the store.
        head: of the log.
        lineage: of the log.
        settled: commits that later backups have as well, in the order of the log.
        tables: files of rows by the name of the table, each in the order of its key.
        segments: files of the segment store that the log needs.
        others: files beside them, as far as they were there.
    """

    format_version: int
    head: Head
    lineage: Lineage
    settled: tuple[SettledFacts, ...]
    tables: dict[str, tuple[BackedUpFile, ...]]
    segments: tuple[BackedUpFile, ...]
    others: tuple[BackedUpFile, ...]

    def files(self) -> list[BackedUpFile]:
        """Return all files."""
        rows = [each for files in self.tables.values() for each in files]
        return [*self.settled, *rows, *self.segments, *self.others]


class _ProvenManifest(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest as it is stored, with its own digest."""

    layout: int
    sha256: str
    backup: msgspec.Raw


class _OfAnyRelease(msgspec.Struct, frozen=True, kw_only=True):
    """What of a manifest any release can read."""

    format_version: int


def write_manifest(place: SegmentStore, manifest: Manifest) -> None:
    """Write the manifest, which makes a backup of the files that it names."""
    written = msgspec.json.encode(manifest, order="deterministic")
    sealed = _ProvenManifest(
        layout=_LAYOUT,
        sha256=hashlib.sha256(written).hexdigest(),
        backup=msgspec.Raw(written),
    )
    place.put(MANIFEST, pa.py_buffer(msgspec.json.encode(sealed)))


def find_manifest(place: SegmentStore) -> Manifest | None:
    """Read the manifest of a backup; None where there is none.

    Raises:
        BackupDamagedError: it is not what was written.
        BackupVersionError: it is of a later format.
        BackupUnavailableError: it cannot be read now.
    """
    try:
        content = whole_content(place, MANIFEST).to_pybytes()
    except SegmentMissingError:
        return None
    except SegmentStoreUnavailableError as error:
        raise BackupUnavailableError(place.url, error.reason) from error
    sealed = _decoded(place, content, _ProvenManifest)
    if sealed.layout != _LAYOUT:
        raise BackupVersionError(place.url, sealed.layout, _LAYOUT)
    written = bytes(sealed.backup)
    if hashlib.sha256(written).hexdigest() != sealed.sha256:
        raise BackupDamagedError(place.url, MANIFEST, "is not what was written")
    found = _decoded(place, written, _OfAnyRelease).format_version
    if found > FORMAT_VERSION:
        raise BackupVersionError(place.url, found, FORMAT_VERSION)
    manifest: Manifest = _decoded(place, written, Manifest)
    return manifest


def read_manifest(place: SegmentStore) -> Manifest:
    """Read the manifest of a backup that is to be restored.

    Raises:
        BackupMissingError: there is none.
        BackupDamagedError: it is not what was written.
        BackupVersionError: it is of another format.
    """
    manifest = find_manifest(place)
    if manifest is None:
        raise BackupMissingError(place.url)
    if manifest.format_version != FORMAT_VERSION:
        found = manifest.format_version
        raise BackupVersionError(place.url, found, FORMAT_VERSION)
    return manifest


def _decoded(place: SegmentStore, content: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        reason = f"cannot be read ({error})"
        raise BackupDamagedError(place.url, MANIFEST, reason) from error
