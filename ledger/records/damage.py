"""Damage beside the log: rows and tables that no release writes as they are.

What is beside the log follows from nothing, so a changed value that could have been
written is not seen here. One of another type, a word that means nothing, a table without
an index that its statements rely on: these are.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, except_, select

from ledger import schema
from ledger.database.rows import RowFormat
from ledger.database.stored_values import (
    damaged_pages,
    damaged_values,
    missing_parts,
)
from ledger.errors import StoreDamagedError
from ledger.records.audits.passes import PASSES
from ledger.records.deliveries import ATTEMPTS, DELIVERIES
from ledger.records.keys import KEYS
from ledger.records.outbox_tables import webhook_delivery, webhook_event
from ledger.records.problems import RowPlace, part_is_missing
from ledger.records.refusals import ERRORS, REPORTS
from ledger.records.sessions import SESSIONS
from ledger.records.tables import metadata

CURE = "restore it from a backup"
# The chain covers their content, which is most of a store.
_NOT_READ_HERE = (schema.log_commit, schema.log_head, schema.log_segment_chunk)
_FORMATS: tuple[RowFormat[Any], ...] = (
    PASSES,
    KEYS,
    SESSIONS,
    DELIVERIES,
    ATTEMPTS,
    ERRORS,
    REPORTS,
)

# Or psycopg has a whole table in memory.
_STREAMED = {"yield_per": 1_000}


class _Identified(msgspec.Struct):
    id: str


_IDS = msgspec.json.Decoder(_Identified)


def damage(connection: Connection) -> Iterator[str]:
    """Yield a sentence for whatever is damaged beside the log."""
    for line in damaged_pages(connection):
        yield f"SQLite finds the file damaged: {line}; {CURE}"
    sound = set()
    for table in (*schema.metadata.sorted_tables, *metadata.sorted_tables):
        problems = [*_of_table(connection, table)]
        yield from problems
        if not problems:
            sound.add(table)
    for form in _FORMATS:
        if form.table in sound:
            yield from _unreadable(connection, form)
    if webhook_event in sound:
        yield from _of_another_body(connection)
    if {webhook_event, webhook_delivery} <= sound:
        yield from _without_event(connection)


def _of_table(connection: Connection, table: Table) -> Iterator[str]:
    missing = missing_parts(connection, table)
    for part in missing:
        yield part_is_missing(table.name, part, CURE)
    if missing or table in _NOT_READ_HERE:
        return
    for key, column, reason in damaged_values(connection, table):
        yield RowPlace(table.name, key).problem(reason, CURE, column)


def _unreadable(connection: Connection, form: RowFormat[Any]) -> Iterator[str]:
    for row in connection.execute(select(form.table).execution_options(**_STREAMED)):
        try:
            form.read(row)
        except StoreDamagedError as error:
            yield f"In {error.place}: {error.reason}; {CURE}"


def _without_event(connection: Connection) -> Iterator[str]:
    """Yield the events that a delivery names and that are not there to be sent."""
    named = select(webhook_delivery.c.event_id).distinct()
    known = select(webhook_event.c.event_id)
    missing = except_(named, known)
    for event_id in connection.execute(missing).scalars():
        yield _event(event_id).missing(CURE)


def _of_another_body(connection: Connection) -> Iterator[str]:
    """Yield the events whose bytes say that they are another one."""
    bodies = select(webhook_event.c.event_id, webhook_event.c.body)
    for event_id, body in connection.execute(bodies.execution_options(**_STREAMED)):
        try:
            found: str | None = _IDS.decode(body).id
        except msgspec.MsgspecError:
            found = None
        if found != event_id:
            yield _event(event_id).problem("it is of another event", CURE, "body")


def _event(event_id: str) -> RowPlace:
    return RowPlace(webhook_event.name, {"event_id": event_id})
