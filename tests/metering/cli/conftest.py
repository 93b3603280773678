from pathlib import Path

import pytest


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands of a test find their store, or make it."""
    path = tmp_path / "store"
    monkeypatch.setenv("METERING_STORE", str(path))
    return path
