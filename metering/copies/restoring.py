"""Stores made of the contents of others: of backups, where there is none."""

from os import PathLike
from pathlib import Path

from ledger.backups.contents import BackupContents, Contents
from ledger.backups.manifest import read_manifest
from ledger.backups.restoring import restore_log
from ledger.backups.writing import CopyProgress
from ledger.opening import open_log
from ledger.places import Place, open_place
from metering.arguments.ids import RandomIds
from metering.arguments.refusals import invalid
from metering.arguments.strings import check_path
from metering.copies.backups import open_backup
from metering.copies.receipts import RestoreReceipt
from projections.alerts.tables import CHECKPOINTS
from projections.folds import FactTables

Where = str | PathLike[str]


def restore(
    source: Where,
    target: Where,
    *,
    segments: Where | None = None,
    cache: Where | None = None,
    schema: str | None = None,
    progress: CopyProgress | None = None,
) -> RestoreReceipt:
    """Make a store of a backup, on whichever database.

    The store answers as the one that was backed up did at the backup's position, has its
    API keys, requests and deliveries, and goes on under an epoch of its own. Killed at any
    step it leaves no store, or all of it; again, it goes on with what is missing.

    Args:
        source: a directory or the URL of an object store, as `Metering.backup` had it.
        target: where there is no store: a directory, or the URL of a PostgreSQL database.
        segments: where sealed usage shall lie; as of `connect`. It may be where the
            store that was backed up has it: what is there is left alone.
        cache: as of `connect`.
        schema: as of `connect`.
        progress: is called with the bytes of segments that were copied, and of all.

    Raises:
        BackupError: there is no backup that is whole.
        StoreExistsError: there is a store at the target already.
        StoreError, SegmentStoreError: the target cannot be used.
        InvalidRequestError: an argument is malformed.
    """
    backup = open_backup(check_path(source, "source"))
    contents = BackupContents(backup, read_manifest(backup))
    contents.check()
    place = open_target(target, segments, cache, schema)
    try:
        return made_of(contents, place, progress)
    finally:
        place.database.close()


def open_target(
    target: Where, segments: Where | None, cache: Where | None, schema: str | None
) -> Place:
    """Open the place of a store that is to be made.

    Raises:
        InvalidRequestError: an argument is malformed, or names no place that lasts.
    """
    named = check_path(target, "target")
    if named == ":memory:":
        raise invalid("target", named, "a directory, or the URL of a database")
    return open_place(
        named if isinstance(target, str) else Path(named),
        creates=True,
        segments=None if segments is None else check_path(segments, "segments"),
        cache=None if cache is None else check_path(cache, "cache"),
        schema=schema,
    )


def made_of(
    contents: Contents, place: Place, progress: CopyProgress | None
) -> RestoreReceipt:
    """Make a store of contents, with all that follows from them."""
    epoch = RandomIds().epoch()
    restore_log(contents, place, epoch, CHECKPOINTS, progress)
    open_log(place.database, FactTables(), None, place.segments, place.runs).close()
    head = contents.head
    return RestoreReceipt(
        epoch=epoch,
        origin=head.epoch,
        position=head.position,
        digest=head.digest.hex(),
        segments=len(contents.segments),
        bytes=sum(each.byte_count for each in contents.segments),
    )
