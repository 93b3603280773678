"""Segment stores of each kind, empty and of the test's own."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.database.addresses import open_database
from ledger.migrations import STEPS, bring_up
from ledger.segments.in_database import DatabaseStore
from ledger.segments.moving import MovingStore
from ledger.segments.store import SegmentStore, open_segment_store
from tests.conftest import StoreTargets

OpenSegments = Callable[[], SegmentStore]
_IN_DATABASES = (pytest.mark.dialect, pytest.mark.postgresql)


@pytest.fixture(params=["directory", "s3", "fsspec"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty segment store is, of each kind that has a place."""
    match request.param:
        case "directory":
            return str(tmp_path / "segments")
        case "s3":
            return str(request.getfixturevalue("s3_url"))
        case _:
            return f"memory://{uuid.uuid4().hex}/segments"


@pytest.fixture
def inside(schemas: StoreTargets) -> Iterator[DatabaseStore]:
    """An empty segment store in a database on PostgreSQL."""
    with schemas() as target, closing(open_database(target, creates=True)) as database:
        bring_up(database, "epoch", STEPS)
        yield DatabaseStore(database)


@pytest.fixture(
    params=[
        *("directory", "s3", "fsspec"),
        pytest.param("database", marks=_IN_DATABASES),
        pytest.param("moving", marks=_IN_DATABASES),
    ]
)
def open_segments(request: pytest.FixtureRequest, tmp_path: Path) -> OpenSegments:
    """Open one segment store, empty at first, of each kind in turn."""
    match request.param:
        case "directory":
            return lambda: open_segment_store(tmp_path / "segments")
        case "s3":
            url = str(request.getfixturevalue("s3_url"))
        case "fsspec":
            url = f"memory://{uuid.uuid4().hex}/segments"
        case kind:
            inside: DatabaseStore = request.getfixturevalue("inside")
            if kind == "database":
                return lambda: inside
            return lambda: MovingStore(
                open_segment_store(tmp_path / "segments"), inside
            )
    return lambda: open_segment_store(url)


@pytest.fixture
def store(open_segments: OpenSegments) -> SegmentStore:
    """An empty segment store, of each kind in turn."""
    return open_segments()
