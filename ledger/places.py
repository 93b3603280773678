"""Where a store keeps what: its log, its segments, and what is derived from them."""

import os
from dataclasses import dataclass
from pathlib import Path

from ledger.database.addresses import open_database
from ledger.database.sqlite import SQLiteDatabase
from ledger.database.store import Database
from ledger.segments.absent import AbsentStore
from ledger.segments.store import SegmentStore, open_segment_store

SEGMENTS = "segments"
RUNS = "runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
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
) -> Place:
    """Open a store's parts.

    Args:
        address: a directory, the URL of a PostgreSQL database, or ``:memory:``.
        schema: of a PostgreSQL database, for the tables; see `open_database`.
        creates: whether to make the database where it is absent.
        segments: a directory or the URL of an object store; beside an embedded
            database where it is left out.
        cache: a local directory; beside an embedded database where it is left out, else
            in the user's cache directory.

    Raises:
        StoreMissingError: the database is absent, and was not to be made.
        StoreUnavailableError: there is no such database, or it cannot be used.
        SegmentStoreUnavailableError: there is no such segment store.
    """
    database = open_database(address, creates=creates, schema=schema)
    beside = database.directory if isinstance(database, SQLiteDatabase) else None
    if segments is not None:
        store = open_segment_store(segments)
    else:
        store = open_segment_store(beside / SEGMENTS) if beside else AbsentStore()
    if cache is not None:
        runs = Path(cache)
    else:
        runs = (beside or _user_cache() / "metering") / RUNS
    return Place(database=database, segments=store, runs=runs)


def _user_cache() -> Path:
    # https://specifications.freedesktop.org/basedir-spec/latest/
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
