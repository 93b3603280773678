"""Queries in SQL over the events, by DuckDB, which can read them and nothing else.

The database receives the events as Arrow data. It has no files and may open none, load
nothing and change no setting; a query that does not fit in memory fails, and one that
takes too long is interrupted.
Source: https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from time import monotonic

import duckdb
import pyarrow as pa

from ledger.errors import SegmentStoreUnavailableError
from ledger.facts.instants import LogTime
from ledger.segments.reader import check_content
from projections.errors import QueryError
from projections.scans.datasets import dataset_of
from projections.scans.recorded import RecordedEvents
from projections.scans.running import awaited, in_thread

MEMORY_SHARE = "60%"
"""How much of the machine's memory a query may take."""

_ROWS_AT_A_TIME = 1 << 16

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    # It would be made in the working directory, which is not ours, and fill the disk.
    "temp_directory": "",
}
_EVENTS = """
CREATE VIEW events AS
SELECT position, {recorded_at} AS recorded_at, event_name, customer, timestamp, value, identifier,
       payload, position IN (SELECT position FROM cancellation) AS cancelled
FROM (
    SELECT position, recorded_at, event_name, customer, timestamp, value, identifier,
           payload
    FROM sealed
    UNION ALL
    SELECT position, recorded_at, event_name, customer, timestamp, value, identifier,
           payload
    FROM tail
)
WHERE position <= {up_to:d}
"""
_MEMORY = "SELECT parse_formatted_bytes(current_setting('memory_limit'))"
# DuckDB repeats the faulty line and points at it, over several lines.
_POINTED_AT = re.compile(r"\s+LINE (\d+): .*", re.DOTALL)

_UNREADABLE = "stream registered as 'sealed' failed"


def run_query(
    recorded: RecordedEvents,
    query: str,
    *,
    memory: str,
    timeout: timedelta,
) -> pa.Table:
    """Run one SELECT over the table `events`.

    `events` has the columns position, recorded_at, event_name, customer, timestamp,
    value, identifier, payload and cancelled. Rows have no order but the query's; times
    are in UTC. DESCRIBE, SUMMARIZE, SHOW TABLES and a bare FROM are SELECTs to DuckDB.

    Args:
        recorded: the events.
        query: in the SQL of DuckDB.
        memory: how much the query may take, as DuckDB spells it; its result may take
            half as much.
        timeout: how long it may take, with what is read before it.

    Raises:
        QueryError: the query is not one SELECT, fails, or exceeds its memory or time.
        SegmentStoreError: a segment cannot be read.
    """
    if not isinstance(query, str):
        raise QueryError(f"it is of type {type(query).__name__}; give a string")
    deadline = _Deadline(timeout)
    with _translated(recorded, memory), ThreadPoolExecutor(1) as pool:
        settings = _SETTINGS | {"memory_limit": memory}
        connecting = pool.submit(duckdb.connect, config=settings)
        with awaited(connecting, deadline.check) as connection:
            work = partial(_answer, recorded, query, deadline)
            return in_thread(pool, connection, work, deadline.check)


def spelled(memory: int | None) -> str:
    """Return bytes as DuckDB spells them; None is `MEMORY_SHARE`."""
    return MEMORY_SHARE if memory is None else f"{memory}B"


class _Deadline:
    """When a query must be done."""

    def __init__(self, timeout: timedelta) -> None:
        self._timeout = timeout
        self._at = monotonic() + timeout.total_seconds()

    def check(self) -> None:
        """Refuse a query that is not done in time.

        Raises:
            QueryError: it is too late.
        """
        if monotonic() > self._at:
            most = self._timeout.total_seconds()
            reason = (
                f"it takes longer than it may, {most:g} seconds; select less, or give"
                " it more time by sql_timeout"
            )
            raise QueryError(reason)


def _answer(
    recorded: RecordedEvents,
    query: str,
    deadline: _Deadline,
    connection: duckdb.DuckDBPyConnection,
) -> pa.Table:
    _lock(connection, recorded, deadline)
    return _result(connection, _the_select(connection, query))


def _lock(
    connection: duckdb.DuckDBPyConnection,
    recorded: RecordedEvents,
    deadline: _Deadline,
) -> None:
    """Register the events with a database, and lock it."""
    connection.execute("SET TimeZone = 'UTC'")
    # It would write to standard output.
    connection.execute("SET enable_progress_bar = false")
    # All of each segment is checked, and nothing interrupts that.
    sealed = dataset_of(recorded.reader, recorded.segments, deadline.check)
    connection.register("sealed", sealed)
    connection.register("tail", recorded.tail)
    cancelled = pa.table({"position": pa.array(recorded.cancelled, pa.int64())})
    connection.register("cancellation", cancelled)
    counted = _recorded_at(recorded.time)
    connection.execute(_EVENTS.format(up_to=recorded.position, recorded_at=counted))
    connection.execute("SET lock_configuration = true")


def _recorded_at(time: LogTime) -> str:
    """Return when an event counts as recorded, in SQL."""
    counted = "recorded_at"
    for position, corrected_to, _ in time.corrections:
        earlier = f"least({counted}, make_timestamptz({corrected_to:d}))"
        counted = f"CASE WHEN position < {position:d} THEN {earlier} ELSE {counted} END"
    return counted


def _the_select(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """Return the one statement of a query, which must be a SELECT."""
    try:
        query.encode()
    except UnicodeEncodeError as error:
        raise QueryError("it is not text in UTF-8") from error
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        number = f"has {len(statements)} statements" if statements else "is empty"
        raise QueryError(f"it {number}; write one SELECT")
    (statement,) = statements
    match statement.type:
        case duckdb.StatementType.SELECT:
            return str(statement.query)
        case duckdb.StatementType.MULTI:
            # It would create a type for the values that it finds.
            reason = "a PIVOT has to name its values, as in ON event_name IN ('tokens')"
            raise QueryError(reason)
        case _:
            raise QueryError("it is no SELECT, and nothing else is run")


def _result(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """Fetch a result part by part, as long as there is room for it."""
    # DuckDB does not count memory that it has handed out.
    [(memory,)] = connection.execute(_MEMORY).fetchall()
    most = room = memory // 2
    reader = connection.sql(query).to_arrow_reader(_ROWS_AT_A_TIME)
    batches = []
    for batch in reader:
        room -= batch.nbytes
        if room < 0:
            reason = f"its result takes more than {most >> 20:,} MiB; select less"
            raise QueryError(reason)
        batches.append(batch)
    return pa.Table.from_batches(batches, reader.schema)


@contextmanager
def _translated(recorded: RecordedEvents, memory: str) -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        reason = (
            f"it takes more memory than it may have, {memory}; select less, or give it"
            " more by sql_memory"
        )
        raise QueryError(reason) from error
    # Errors that come with a part of the result are Arrow's, or the system's.
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        reason = _POINTED_AT.sub(r", in line \1", str(error).strip())
        reason = " ".join(reason.split())
        if _UNREADABLE in reason:
            _check_segments(recorded)
            # They can be read by now.
            place = recorded.reader.url
            raise SegmentStoreUnavailableError(place, f"{reason}; try again") from error
        raise QueryError(reason) from error


def _check_segments(recorded: RecordedEvents) -> None:
    """Raise the error of the first unreadable segment, if there is one."""
    for segment in recorded.segments:
        check_content(segment, recorded.reader.content(segment))
