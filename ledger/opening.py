"""Opening a log: its tables made or brought up to this release, its segments there."""

from sqlalchemy import Connection

from ledger.commits import read_head
from ledger.database.store import Database
from ledger.entries import Head, genesis_head
from ledger.folds import FactFold
from ledger.reading import find_corrections, read_recorded
from ledger.schema import FORMAT_VERSION, format_version
from ledger.segments.catalog import read_segments
from ledger.segments.checks import check_segments
from ledger.segments.entry import name_prefix
from ledger.segments.store import SegmentStore


def open_log(
    database: Database, fold: FactFold, epoch: str | None, segments: SegmentStore
) -> Head:
    """Make sure that a log is there and whole, and return the head that it began with.

    Raises:
        StoreMissingError: there is no log, and no epoch for a new one.
        StoreVersionError: it was written by a later release.
        SegmentMissingError: a segment of the log is not in the segment store.
        StoreBehindError: the segment store has segments of a longer log.
    """
    with database.read() as connection:
        version = format_version(connection)
        is_current = version == FORMAT_VERSION and fold.is_current(connection)
    if version != FORMAT_VERSION:
        from ledger.migrations import STEPS, bring_up

        bring_up(database, epoch, STEPS)
    if not is_current:
        with database.write() as connection:
            if not fold.is_current(connection):
                rebuild_tables(connection, fold, is_repair=False)
    return genesis_head(_checked_epoch(database, segments))


def rebuild_tables(connection: Connection, fold: FactFold, *, is_repair: bool) -> None:
    """Make the tables of facts anew, under the write lock; see `FactFold.rebuild`."""
    end = read_head(connection).position
    find_corrections(connection)
    fold.rebuild(connection, read_recorded(connection, 0, end), is_repair=is_repair)


def _checked_epoch(database: Database, segments: SegmentStore) -> str:
    with database.read() as connection:
        epoch = read_head(connection).epoch
    # Listed before the catalog is read: what is sealed meanwhile is no surprise.
    names = set(segments.names(name_prefix(epoch)))
    with database.read() as connection:
        head, known = read_head(connection), read_segments(connection)
    check_segments(segments, names, known, head)
    return epoch
