"""What every test may ask for: databases, a store on each backend, an open engine."""

import gc
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs
import pytest
from hypothesis import HealthCheck, settings

import metering
from tests.empty_stores import empty_directory
from tests.object_server import ObjectServer
from tests.postgresql_server import fresh_database, running_server
from tests.profiles import PROFILE, use_memory
from tests.segment_places import clear_places_of, places_of

# Here, since tests elsewhere import them as well: pytest explains their assertions.
pytest.register_assert_rewrite(
    "tests.property.side_by_side",
    "tests.property.answers",
    "tests.property.credits.answers",
    "tests.property.credits.invariants",
    "tests.property.credits.runs",
    "tests.property.credits.side_by_side",
    "tests.property.two_connections",
    "tests.property.wallets.comparing",
    "tests.property.wallets.side_by_side",
    "tests.property.webhook_histories",
)

pytest_plugins = ["tests.figures"]
use_memory()
collect_ignore = [*PROFILE.leaves_out]

# Durable writes take as long as the disk pleases, which says nothing about a law.
settings.register_profile(
    "profile",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
    max_examples=PROFILE.examples,
    derandomize=not PROFILE.is_thorough,
)
settings.load_profile("profile")

StoreTargets = Callable[[], AbstractContextManager[str]]
Connect = Callable[..., metering.Metering]


def pytest_configure(config: pytest.Config) -> None:
    """Select what the profile selects, unless the command line says what."""
    config.option.markexpr = config.option.markexpr or PROFILE.selects
    # A shell lets what it starts in the background ignore Ctrl-C, and all below it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Let no collection of garbage look again at modules and tests, which stay."""
    gc.collect()
    gc.freeze()


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
def _fresh_store(server_url: str) -> Iterator[str]:
    with fresh_database(server_url) as url:
        yield url
    clear_places_of(url)


@pytest.fixture(
    scope="session",
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)],
)
def store_targets(request: pytest.FixtureRequest) -> StoreTargets:
    """Make empty stores, on each backend in turn: `with store_targets() as target`.

    Outlives the single test, so that a law can take a new store for each example.
    """
    if request.param == "sqlite":
        return empty_directory
    return partial(_fresh_store, request.getfixturevalue("postgresql_server"))


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
            keywords = {**places_of(store_target), **keywords}
            return opened.enter_context(metering.connect(store_target, **keywords))

        yield open_store


@pytest.fixture(scope="session")
def object_server() -> Iterator[ObjectServer]:
    """A running server of objects."""
    with ObjectServer().running() as server:
        yield server


@pytest.fixture
def s3_url(
    object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> str:
    """The URL of a prefix in a new bucket, for which the environment has all else."""
    use_s3_environment(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", object_server.endpoint)
    bucket = f"bucket-{uuid.uuid4().hex}"
    filesystem = pafs.S3FileSystem(
        endpoint_override=object_server.endpoint, allow_bucket_creation=True
    )
    filesystem.create_dir(bucket)
    return f"s3://{bucket}/usage"


def use_s3_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Set what an S3 client finds in the environment, and hide what is there."""
    for variable in (
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
    ):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "access-of-a-test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-a-test")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
