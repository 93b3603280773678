"""Stores made of others that are used: moved to another database or segment store."""

from contextlib import closing
from pathlib import Path

from ledger.backups.contents import StoreContents
from ledger.backups.restoring import copy_files
from ledger.backups.writing import CopyProgress
from ledger.database.store import Database
from ledger.opening import OpenedLog, open_log
from ledger.places import Place, open_place
from ledger.segments.store import SegmentStore
from metering.arguments.strings import check_path
from metering.copies.receipts import RestoreReceipt
from metering.copies.restoring import Where, made_of, open_target
from metering.reporting.files import PREFIX
from projections.folds import FactTables


def copy(  # noqa: PLR0913  # settings have names
    source: Where,
    target: Where,
    *,
    source_segments: Where | None = None,
    source_schema: str | None = None,
    segments: Where | None = None,
    cache: Where | None = None,
    schema: str | None = None,
    progress: CopyProgress | None = None,
) -> RestoreReceipt:
    """Make a store of another one, on whichever database, while that is used.

    It is what a backup and `restore` do, without a backup between: what the store answered
    and proved at one position, the copy answers and proves. To move a store, end the
    processes of the source first, since what they record later is not copied.

    Args:
        source: the store, as `connect` takes it.
        target: where there is no store: a directory, or the URL of a PostgreSQL database.
        source_segments: where the sealed usage of the source lies; as of `connect`.
        source_schema: of the source; as of `connect`.
        segments: where that of the target shall lie. It may be the same place: what is
            there is left alone.
        cache: of the target; as of `connect`.
        schema: of the target; as of `connect`.
        progress: is called with the bytes of segments that were copied, and of all.

    Raises:
        StoreMissingError: there is no store at the source.
        StoreUnavailableError: there is one at the target, or either cannot be used.
        SegmentStoreError: a segment is missing or damaged, or cannot be put.
        InvalidRequestError: an argument is malformed.
    """
    named = check_path(source, "source")
    if source_segments is not None:
        source_segments = check_path(source_segments, "source_segments")
    origin = open_place(
        named if isinstance(source, str) else Path(named),
        creates=False,
        segments=source_segments,
        cache=None,
        schema=source_schema,
    )
    with closing(origin.database), closing(_opened(origin)) as log:
        # Nothing is made at the target where there is no source.
        place = open_target(target, segments, cache, schema)
        with closing(place.database):
            return _copied(origin.database, log.sealed.reader.store, place, progress)


def _opened(place: Place) -> OpenedLog:
    return open_log(place.database, FactTables(), None, place.segments, place.runs)


def _copied(
    database: Database,
    store: SegmentStore,
    place: Place,
    progress: CopyProgress | None,
) -> RestoreReceipt:
    with database.read() as connection:
        known = StoreContents(connection, store, database.address, (PREFIX,))
    # Without a snapshot, which is not to be open for as long as this may take.
    copy_files(known, place, progress)
    with database.read() as connection:
        contents = StoreContents(connection, store, database.address, (PREFIX,))
        return made_of(contents, place, progress)
