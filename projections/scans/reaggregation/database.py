"""The DuckDB of this process, in which re-aggregation runs its queries.

It is in memory, and opened once for each number of threads: opening it takes longer than
a small question. It writes no file and loads no extension.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from projections.scans.reaggregation.errors import ReaggregationError
from projections.scans.reaggregation.expressions import NO_NUMBER
from projections.scans.running import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import duckdb
    import pyarrow as pa

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    # What is kept would not be what was checked.
    "enable_external_file_cache": "false",
    "preserve_insertion_order": "false",
    # It would be made in the working directory, which is not ours, and fill the disk.
    "temp_directory": "",
}
_PERCENT = 100


class SumOverflowError(Exception):
    """A sum has more digits than DuckDB's greatest number, on its way or at the end."""


class NoNumberError(Exception):
    """A string is no quantity."""


class UnreadableFileError(Exception):
    """A file cannot be read."""


class _Instances:
    """The open databases, by their number of threads. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: dict[int, duckdb.DuckDBPyConnection] = {}

    def cursor(self, threads: int) -> duckdb.DuckDBPyConnection:
        """Return a connection of its own to the database of so many threads."""
        with self._lock:
            connection = self._connections.get(threads)
            if connection is None:
                connection = _opened(threads)
                self._connections[threads] = connection
            return connection.cursor()

    def is_open(self, threads: int) -> bool:
        """Whether the database of so many threads is open, or about to be."""
        return threads in self._connections or self._lock.locked()

    def close(self) -> None:
        """Close all, and open none until `reopen`."""
        self._lock.acquire()
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def reopen(self) -> None:
        """Open again what is asked for."""
        self._lock.release()


_INSTANCES = _Instances()


def open_ahead(threads: int) -> None:
    """Begin to load DuckDB, and to open it, while the caller does what comes before.

    Args:
        threads: of the database that will be asked.
    """
    if not _INSTANCES.is_open(threads):
        threading.Thread(target=_opened_ahead, args=(threads,), name="duckdb").start()


def _opened_ahead(threads: int) -> None:
    # What goes wrong goes wrong again where the answer is asked for, and is raised there.
    with suppress(Exception):
        _INSTANCES.cursor(threads).close()


# A child would have none of a database's threads, and die of it at its end.
os.register_at_fork(
    before=_INSTANCES.close,
    after_in_parent=_INSTANCES.reopen,
    after_in_child=_INSTANCES.reopen,
)


def _opened(threads: int) -> duckdb.DuckDBPyConnection:
    # It takes long to load, and a process that reads hourly totals does not need it.
    import duckdb

    connection = duckdb.connect(config=_SETTINGS | {"threads": threads})
    # Progress is asked for, and not printed.
    connection.execute("SET enable_progress_bar = true")
    connection.execute("SET enable_progress_bar_print = false")
    return connection


def run(
    query: str,
    tables: Mapping[str, pa.Table],
    *,
    threads: int,
    progress: Callable[[float], None] | None = None,
) -> pa.Table:
    """Run one SELECT. Ctrl-C ends it.

    Args:
        query: reads the tables, and files that it names.
        tables: by name.
        threads: how many to use.
        progress: receives how much is done, from 0 to 1, on this thread.

    Raises:
        SumOverflowError: a sum does not fit.
        NoNumberError: a string that must be one is no quantity.
        UnreadableFileError: a file cannot be read.
        ReaggregationError: there is too little memory.
    """

    def answer(connection: duckdb.DuckDBPyConnection) -> pa.Table:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.sql(query).to_arrow_table()

    def advance(connection: duckdb.DuckDBPyConnection) -> None:
        if progress is not None:
            progress(max(0.0, connection.query_progress()) / _PERCENT)

    with (
        closing(_INSTANCES.cursor(threads)) as connection,
        _translated(),
        ThreadPoolExecutor(1, "reaggregation") as pool,
    ):
        return in_thread(pool, connection, answer, partial(advance, connection))


@contextmanager
def _translated() -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.OutOfRangeException as error:
        raise SumOverflowError from error
    except duckdb.InvalidInputException as error:
        if NO_NUMBER not in str(error):
            raise
        raise NoNumberError from error
    except duckdb.IOException as error:
        raise UnreadableFileError(" ".join(str(error).split())) from error
    except duckdb.OutOfMemoryException as error:
        reason = "There is too little memory for the answer; ask for less at once"
        raise ReaggregationError(reason) from error
