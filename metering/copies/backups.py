"""Backing a store up while it is used."""

from pathlib import Path

from ledger.backups.contents import StoreContents
from ledger.backups.errors import BackupUnavailableError, BackupUnderWayError
from ledger.backups.writing import BackupWriter, CopyProgress, Written
from ledger.errors import SegmentStoreUnavailableError
from ledger.places import Place
from ledger.segments.store import SegmentStore, open_segment_store
from metering.copies.receipts import BackupReceipt
from metering.reporting.files import PREFIX
from metering.store.engine import Engine
from projections.alerts.tables import CHECKPOINTS


def back_up(
    engine: Engine, origin: Place, target: str, progress: CopyProgress | None
) -> BackupReceipt:
    """Back a store up; see `Metering.backup`.

    Args:
        engine: of the store.
        origin: where the store lies.
        target: where the backup shall lie.
        progress: is called with the bytes of segments that were copied, and of all.
    """
    engine.log.check_usable()
    place = open_backup(target)
    store = engine.log.sealed.reader.store
    if _are_one(place.url, store.url):
        reason = "it is the store's own; give another place"
        raise BackupUnavailableError(place.url, reason)
    with origin.database.alone_at("backing-up") as is_ours:
        if not is_ours:
            raise BackupUnderWayError
        writer = BackupWriter(place, engine.ids.epoch())
        try:
            with engine.log.read() as connection:
                contents = StoreContents(connection, store, store.url, (PREFIX,))
                before = writer.begin(contents)
                manifest = writer.write(contents, before, CHECKPOINTS)
            written = writer.finish(contents, before, manifest, progress)
        except BaseException:
            writer.give_up()
            raise
    return _receipt(written)


def open_backup(place: str) -> SegmentStore:
    """Open the place of a backup.

    Raises:
        BackupUnavailableError: it is none, or cannot be reached.
    """
    try:
        return open_segment_store(place)
    except SegmentStoreUnavailableError as error:
        raise BackupUnavailableError(error.url, error.reason) from error


def _are_one(place: str, other: str) -> bool:
    """Whether two places are one, as far as their names say."""
    if "://" in place or "://" in other:
        return place.rstrip("/") == other.rstrip("/")
    return Path(place).resolve() == Path(other).resolve()


def _receipt(written: Written) -> BackupReceipt:
    manifest = written.manifest
    head, files = manifest.head, manifest.files()
    return BackupReceipt(
        epoch=head.epoch,
        position=head.position,
        digest=head.digest.hex(),
        segments=len(manifest.segments),
        files=len(files),
        bytes=sum(each.byte_count for each in files),
        copied_files=len(written.copied),
        copied_bytes=sum(each.byte_count for each in written.copied),
    )
