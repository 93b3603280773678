"""Queries in a thread of their own: in the main thread, DuckDB loses Ctrl-C."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

_ResultT = TypeVar("_ResultT")

_LOOKS_EVERY_SECONDS = 0.05


def in_thread(
    pool: ThreadPoolExecutor,
    connection: duckdb.DuckDBPyConnection,
    work: Callable[[duckdb.DuckDBPyConnection], _ResultT],
    go_on: Callable[[], None],
) -> _ResultT:
    """Run work on a database in the one thread of a pool; Ctrl-C interrupts it.

    Args:
        pool: of one thread.
        connection: to the database.
        work: the queries.
        go_on: is called while it runs, and may raise.
    """
    try:
        return awaited(pool.submit(work, connection), go_on)
    except BaseException:
        # It is done once the thread has nothing else to do.
        idle = pool.submit(int)
        while not idle.done():
            # DuckDB forgets an interrupt that comes before a statement has begun.
            connection.interrupt()
            with suppress(KeyboardInterrupt):
                wait([idle], _LOOKS_EVERY_SECONDS)
        raise


def awaited(future: Future[_ResultT], go_on: Callable[[], None]) -> _ResultT:
    """Return a result; Ctrl-C, and what `go_on` raises, end the wait.

    A signal just before a wait begins does not end it, so each wait is short.
    """
    while not future.done():
        wait([future], _LOOKS_EVERY_SECONDS)
        if not future.done():
            go_on()
    return future.result()
