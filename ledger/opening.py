"""Opening a log: its tables made or brought up to this release, its segments there."""

from pathlib import Path

import msgspec
from sqlalchemy import Connection

from ledger.ancestry.ancestors import Lineage, read_lineage
from ledger.ancestry.shared_segments import SharedStore, with_shared
from ledger.commits import read_head
from ledger.database.store import Database
from ledger.folds import FactFold
from ledger.reading import find_corrections, read_recorded
from ledger.schema import FORMAT_VERSION, format_version
from ledger.segments.catalog import read_segments
from ledger.segments.checks import check_segments
from ledger.segments.entry import name_prefix
from ledger.segments.reader import SegmentReader
from ledger.segments.sealed import Sealed
from ledger.segments.store import SegmentStore


class OpenedLog(msgspec.Struct, frozen=True, kw_only=True):
    """A log that is there and whole.

    Attributes:
        lineage: what it is descended from.
        sealed: reads its segments, its own and those that it shares; none is known yet.
    """

    lineage: Lineage
    sealed: Sealed

    def close(self) -> None:
        """Let go of what others keep."""
        if isinstance(store := self.sealed.reader.store, SharedStore):
            store.close()


def open_log(
    database: Database,
    fold: FactFold,
    epoch: str | None,
    segments: SegmentStore,
    runs: Path,
) -> OpenedLog:
    """Make sure that a log is there and whole, and open what it shares with others.

    Args:
        database: of the log.
        fold: the tables that facts fold into.
        epoch: identity for a new log; None where there must be one.
        segments: its own.
        runs: a directory for what is derived from segments, of several logs.

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
    with database.read() as connection:
        lineage = read_lineage(connection)
    store = with_shared(segments, lineage.ancestors, database)
    own, *shared = [runs / each for each in reversed(lineage.epochs)]
    sealed = Sealed(
        segments=(),
        reader=SegmentReader(store),
        runs=own,
        shared_runs=(
            *(Path(each.runs) for each in lineage.ancestors if each.runs),
            *shared,
        ),
    )
    opened = OpenedLog(lineage=lineage, sealed=sealed)
    try:
        _check_segments(database, store, lineage)
    except BaseException:
        opened.close()
        raise
    return opened


def rebuild_tables(connection: Connection, fold: FactFold, *, is_repair: bool) -> None:
    """Make the tables of facts anew, under the write lock; see `FactFold.rebuild`."""
    end = read_head(connection).position
    find_corrections(connection)
    fold.rebuild(connection, read_recorded(connection, 0, end), is_repair=is_repair)


def _check_segments(database: Database, store: SegmentStore, lineage: Lineage) -> None:
    # Listed before the catalog is read: what is sealed meanwhile is no surprise.
    names = {name for each in lineage.epochs for name in store.names(name_prefix(each))}
    with database.read() as connection:
        head, known = read_head(connection), read_segments(connection)
    check_segments(store, names, known, head)
