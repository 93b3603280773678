"""Logs on each backend in turn, with nothing above them but the tables of facts."""

import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from ledger.appending.judging import ClockJudge
from ledger.database.addresses import open_database
from ledger.database.store import Database
from ledger.folds import UsageFold
from ledger.log import Log
from ledger.segments.store import SegmentStore, open_segment_store
from projections.folds import FactTables
from tests.conftest import StoreTargets
from tests.ledger.drafts import Recorder
from tests.postgresql_server import fresh_database

OpenDatabase = Callable[[], Database]
OpenLog = Callable[..., Log]

_LATE = 1 << 60
"""A time after all that logs of tests are given."""


@pytest.fixture(
    scope="session",
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)],
)
def store_targets(request: pytest.FixtureRequest) -> StoreTargets:
    """Make empty stores; on PostgreSQL schemas of one database.

    A schema costs a tenth of a database, and these tests open many stores.
    """
    if request.param == "sqlite":
        return _fresh_directory
    schemas: StoreTargets = request.getfixturevalue("schemas")
    return schemas


@pytest.fixture(scope="session")
def schemas(postgresql_server: str) -> Iterator[StoreTargets]:
    """Make empty stores on PostgreSQL, in schemas of one database."""
    with fresh_database(postgresql_server) as url:
        yield partial(_fresh_schema, url)


@pytest.fixture
def open_store(store_target: str) -> Iterator[OpenDatabase]:
    """Open this test's database, as often as the test wants."""
    with ExitStack() as opened:

        def open_one() -> Database:
            database = open_database(store_target, creates=True)
            return opened.enter_context(closing(database))

        yield open_one


@pytest.fixture
def open_log(open_store: OpenDatabase, tmp_path: Path) -> OpenLog:
    """Open this test's log; each one stands for another process."""

    def open_one(
        usage: UsageFold | None = None,
        *,
        database: Database | None = None,
        segments: SegmentStore | None = None,
        epoch: str | None = "epoch-1",
        identifier_retention: timedelta | None = None,
        clock_skew_max: timedelta | None = None,
        system_time: Callable[[], int] = lambda: _LATE,
    ) -> Log:
        stored = database or open_store()
        return Log(
            stored,
            fold=FactTables(),
            usage=usage or Recorder(),
            epoch=epoch,
            segments=segments or open_segment_store(tmp_path / "segments"),
            runs=tmp_path / "runs",
            identifier_retention=identifier_retention,
            judge=ClockJudge(stored, clock_skew_max, system_time),
        )

    return open_one


@pytest.fixture
def log(open_log: OpenLog) -> Log:
    """An empty log."""
    return open_log()


@contextmanager
def _fresh_directory() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="metering-store-") as parent:
        yield str(Path(parent) / "usage")


@contextmanager
def _fresh_schema(url: str) -> Iterator[str]:
    name = f"log_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    # It goes away with its database.
    yield (
        make_url(url)
        .update_query_dict({"schema": name})
        .render_as_string(hide_password=False)
    )
