"""Own what must hold whatever is asked: no fault, Stripe's errors, no partial write."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.server.running import Answered, Server, running_server

TYPES = {"api_error", "idempotency_error", "invalid_request_error", "rate_limit"}
V2_TYPES = TYPES | {"temporary_session_expired"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the log's database was at a time.

    Attributes:
        head: of the log: how far it goes, and what is in it.
        version: changes with all that is written to the database by others.
    """

    head: tuple[object, ...]
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A running server, and an eye on the database of its log."""

    server: Server
    database: sqlite3.Connection

    def look(self) -> Seen:
        [head] = self.database.execute("SELECT * FROM log_head").fetchall()
        [(version,)] = self.database.execute("PRAGMA data_version").fetchall()
        return Seen(head=head, version=version)

    def check(self, answered: Answered, path: str, before: Seen) -> None:
        """Check that there is no fault, and that what is refused leaves no trace."""
        assert answered.status < 500, answered.body
        if answered.status < 400:
            return
        after = self.look()
        assert after.head == before.head
        # The answer itself is kept where it has a key, and what was refused on the
        # stream is gathered when it is asked for.
        is_gathering = path.startswith("/v2/core/events")
        if "idempotency-key" not in answered.headers and not is_gathering:
            assert after.version == before.version
        check_error(answered, path)


def check_error(answered: Answered, path: str) -> None:
    assert answered.headers["content-type"] == "application/json"
    assert answered.json.keys() == {"error"}
    error = answered.error
    assert all(isinstance(each, str) for each in error.values())
    if path.startswith("/v2/"):
        assert error.keys() - {"doc_url"} == {"code", "message", "type"}
        assert error["type"] in V2_TYPES
    else:
        assert error.keys() - {"code", "param"} == {"message", "type"}
        assert error["type"] in TYPES


@contextmanager
def witnessed_server(directory: Path) -> Iterator[Witness]:
    """A server that must have nothing to complain of when it is told to stop."""
    target = directory / "usage"
    options = ("--no-worker", "--allow-private", "--rate-limit=0")
    with running_server(str(target), *options) as server:
        with closing(sqlite3.connect(target / "log.db")) as database:
            yield Witness(server=server, database=database)
        server.process.terminate()
        _, told = server.process.communicate()
        assert not told, told[-3000:]
