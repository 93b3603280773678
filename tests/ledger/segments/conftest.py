"""Segment stores of each kind, empty and of the test's own."""

import uuid
from pathlib import Path

import pytest

from ledger.segments.store import SegmentStore, open_segment_store


@pytest.fixture(params=["directory", "s3", "fsspec"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty segment store is, of each kind in turn."""
    match request.param:
        case "directory":
            return str(tmp_path / "segments")
        case "s3":
            return str(request.getfixturevalue("s3_url"))
        case _:
            return f"memory://{uuid.uuid4().hex}/segments"


@pytest.fixture
def store(place: str) -> SegmentStore:
    """An empty segment store, of each kind in turn."""
    return open_segment_store(place)
