"""Where a store keeps what: its log, its segments, and what is derived from them."""

import os
import stat
import tempfile
from pathlib import Path

import msgspec

from ledger.database.addresses import open_database
from ledger.database.directories import make_directory
from ledger.database.settings import DEFAULT_SETTINGS, DatabaseSettings
from ledger.database.sqlite import SQLiteDatabase
from ledger.database.store import Database
from ledger.segments.in_database import DatabaseStore
from ledger.segments.moving import MovingStore
from ledger.segments.store import SegmentStore, open_segment_store

SEGMENTS = "segments"
RUNS = "runs"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A store's parts.

    Attributes:
        database: holds the log, and its tail whole.
        segments: holds what is sealed.
        runs: a local directory for what is derived from segments and made again when it
            is lost; several logs may share it.
    """

    database: Database
    segments: SegmentStore
    runs: Path


def open_place(
    address: str | Path,
    *,
    creates: bool,
    segments: str | Path | None,
    cache: str | Path | None,
    schema: str | None = None,
    settings: DatabaseSettings = DEFAULT_SETTINGS,
) -> Place:
    """Open a store's parts.

    Args:
        address: a directory, the URL of a PostgreSQL database, or ``:memory:``.
        schema: of a PostgreSQL database, for the tables; see `open_database`.
        creates: whether to make the database where it is absent.
        segments: a directory or the URL of an object store; where it is left out,
            beside an embedded database, else in the database.
        cache: a local directory; beside an embedded database where it is left out, else
            in the user's cache directory.
        settings: of the connections to the database.

    Raises:
        StoreMissingError: the database is absent, and was not to be made.
        StoreUnavailableError: there is no such database, or it cannot be used.
        SegmentStoreUnavailableError: there is no such segment store.
    """
    database = open_database(address, creates=creates, schema=schema, settings=settings)
    beside = database.directory if isinstance(database, SQLiteDatabase) else None
    try:
        store = _segment_store(database, beside, segments)
    except BaseException:
        database.close()
        raise
    return Place(
        database=database,
        segments=store,
        runs=Path(cache) if cache is not None else (beside or own_cache()) / RUNS,
    )


def _segment_store(
    database: Database, beside: Path | None, given: str | Path | None
) -> SegmentStore:
    if beside is not None:
        return open_segment_store(beside / SEGMENTS if given is None else given)
    inside = DatabaseStore(database)
    return inside if given is None else MovingStore(open_segment_store(given), inside)


def own_cache() -> Path:
    """Find a directory in the user's cache, or where there is none, a temporary one."""
    # https://specifications.freedesktop.org/basedir-spec/latest/
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    directory = Path(cache) / "metering"
    if _is_ours(directory):
        return directory
    temporary = Path(tempfile.gettempdir()) / f"metering-{os.getuid()}"
    return temporary if _is_ours(temporary) else directory


def _is_ours(directory: Path) -> bool:
    """Whether this user alone can write to a directory, made where it is absent."""
    try:
        make_directory(directory)
        found = directory.stat()
    except OSError:
        return False
    # What another user wrote there could become an answer.
    is_private = found.st_uid == os.getuid() and not found.st_mode & stat.S_IWOTH
    return is_private and os.access(directory, os.W_OK)
