"""Restoring: a store put together of the contents of another, where there is none.

Files go first, each as a whole: those that are there already are left alone. The rows come
in one database transaction, with the head. So a process that is killed leaves no store, or
all of it, and the next one goes on with the files that are missing.

The store goes on under an epoch of its own. Neither is it taken for the one whose contents
it has, nor do its segments ever have the names of that one's.
"""

from collections.abc import Sequence

from msgspec.structs import replace
from sqlalchemy import Table

from ledger.ancestry.ancestors import Ancestor, Lineage, insert_ancestors
from ledger.backups.contents import Contents
from ledger.backups.rows import KEPT, insert_batch
from ledger.backups.writing import CopyProgress
from ledger.commits import insert_head
from ledger.copying.absent import check_absent, new_log
from ledger.places import Place
from ledger.schema import FORMAT_VERSION, log_commit, log_segment_chunk


def copy_files(contents: Contents, place: Place, progress: CopyProgress | None) -> None:
    """Copy the files that are not there yet, for a log that is to be made of them.

    Args:
        contents: of the other one; its snapshot need not be open.
        place: where there is no store.
        progress: is called with each segment.

    Raises:
        StoreUnavailableError: there is a store already; it is as it was.
    """
    with place.database.write() as connection:
        check_absent(connection, place.database)
        if place.database.has_server:
            # For a store that keeps them in its database.
            log_segment_chunk.create(connection, checkfirst=True)
    store = place.segments
    missing = [
        each for each in contents.segments if store.size(each.name) != each.byte_count
    ]
    total, done = sum(each.byte_count for each in missing), 0
    for each in missing:
        store.put(each.name, contents.segment(each))
        done += each.byte_count
        if progress is not None:
            progress(done, total)
    for name in contents.other_names:
        if store.size(name) is None and (content := contents.other(name)) is not None:
            store.put(name, content)


def restore_log(
    contents: Contents,
    place: Place,
    epoch: str,
    further: Sequence[Table],
    progress: CopyProgress | None,
) -> None:
    """Make a log of the contents of another.

    Args:
        contents: of the other one.
        place: where there is no store.
        epoch: identity of the log.
        further: tables that are kept beside those of the log.
        progress: is called with each segment.

    Raises:
        StoreUnavailableError: there is a store already; it is as it was.
    """
    copy_files(contents, place, progress)
    lineage = _lineage(contents, epoch)
    with new_log(place.database) as connection:
        for table in further:
            table.create(connection, checkfirst=True)
        for table in (*KEPT, *further, log_commit):
            for batch in contents.rows(table):
                insert_batch(connection, table, batch)
        insert_ancestors(connection, lineage.ancestors)
        insert_head(connection, replace(contents.head, epoch=epoch), FORMAT_VERSION)


def _lineage(contents: Contents, epoch: str) -> Lineage:
    """Return what the log is descended from; all files lie in its own segment store."""
    origin = Ancestor(
        epoch=contents.head.epoch,
        up_to=contents.head.position,
        store=contents.address,
    )
    lineage = contents.lineage.child(origin, epoch)
    alone = [replace(each, segments=(), runs=None) for each in lineage.ancestors]
    return replace(lineage, ancestors=tuple(alone))
