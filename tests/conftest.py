"""What every test may ask for: databases, a store on each backend, an open engine.

Also the two sizes of every Hypothesis test. METERING_TEST_PROFILE chooses: `default`
repeats the same few examples, `prove` searches long and at random.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import metering
from tests.postgresql_server import fresh_database, running_server

# Durable writes take as long as the disk pleases, which says nothing about a law.
_untimed = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("default", _untimed, max_examples=30, derandomize=True)
settings.register_profile("prove", _untimed, max_examples=1_000)
settings.load_profile(os.environ.get("METERING_TEST_PROFILE", "default"))

StoreTargets = Callable[[], AbstractContextManager[str]]
Connect = Callable[..., metering.Metering]


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a running server's maintenance database."""
    with running_server() as url:
        yield url


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    with fresh_database(postgresql_server) as url:
        yield url


@contextmanager
def _fresh_directory() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="metering-store-") as parent:
        yield str(Path(parent) / "usage")


@pytest.fixture(
    scope="session",
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)],
)
def store_targets(request: pytest.FixtureRequest) -> StoreTargets:
    """Make empty stores, on each backend in turn: `with store_targets() as target`.

    Outlives the single test, so that a law can take a new store for each example.
    """
    if request.param == "sqlite":
        return _fresh_directory
    return partial(fresh_database, request.getfixturevalue("postgresql_server"))


@pytest.fixture
def store_target(store_targets: StoreTargets) -> Iterator[str]:
    """What `metering.connect` takes for an empty store, on each backend in turn."""
    with store_targets() as target:
        yield target


@pytest.fixture
def connect(store_target: str) -> Iterator[Connect]:
    """Open this test's store: `connect(clock=clock)`, as often as the test wants.

    Takes the keyword arguments of `metering.connect`. All that was opened is closed
    before the store goes away.
    """
    with ExitStack() as opened:

        def open_store(**keywords: Any) -> metering.Metering:
            return opened.enter_context(metering.connect(store_target, **keywords))

        yield open_store
