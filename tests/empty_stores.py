"""Own the making of empty stores in no time: copies of one that was made before.

Making one anew creates all its tables, which costs more than most tests do with them.
Copies share their epoch, so tests of two stores that must differ open them themselves.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import metering
from tests.profiles import PROFILE


@contextmanager
def empty_store(**settings: Any) -> Iterator[metering.Metering]:
    """Open an empty store that goes away with its connection.

    Takes the keyword arguments of `metering.connect`.
    """
    if PROFILE.is_on_disk:
        with metering.connect(":memory:", **settings) as store:
            yield store
        return
    with empty_directory() as copy, metering.connect(copy, **settings) as store:
        yield store


@contextmanager
def empty_directory() -> Iterator[str]:
    """Yield where an empty embedded store is, or can be made."""
    with tempfile.TemporaryDirectory(prefix="metering-store-") as parent:
        copy = Path(parent) / "usage"
        if not PROFILE.is_on_disk:
            shutil.copytree(_template().name, copy)
        yield str(copy)


def without_store(target: str) -> str:
    """Return a target where there is no store yet, for a test of its making."""
    shutil.rmtree(target, ignore_errors=True)
    return target


@cache
def _template() -> tempfile.TemporaryDirectory[str]:
    """Make the one that others are copies of; it goes away with the process."""
    directory = tempfile.TemporaryDirectory(prefix="metering-template-")
    metering.connect(directory.name).close()
    return directory
