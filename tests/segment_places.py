"""Where the segments of a test's store are: beside it, or with the other temporaries."""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import TypedDict

from sqlalchemy import make_url

INSIDE = "inside"
"""The schema of a store on PostgreSQL whose segments lie in its database."""


class Places(TypedDict, total=False):
    """Keywords of `metering.connect`."""

    segments: str
    cache: str


def places_of(target: str) -> Places:
    """What `metering.connect` needs besides a target, the same in every process."""
    if "://" not in target:
        return {}
    own = _own(target)
    if f"schema={INSIDE}" in target:
        return Places(cache=str(own / "runs"))
    return Places(segments=str(own / "segments"), cache=str(own / "runs"))


def inside_of(url: str) -> str:
    """The address of a store whose segments lie in its database."""
    target = make_url(url).update_query_dict({"schema": INSIDE})
    return target.render_as_string(hide_password=False)


def segments_of(target: str) -> Path:
    """Find the directory with a store's segments."""
    return Path(places_of(target).get("segments", f"{target}/segments"))


def runs_of(target: str) -> Path:
    """Find the directory with a store's runs, in one of the log's own."""
    return Path(places_of(target).get("cache", f"{target}/runs"))


def clear_places_of(target: str) -> None:
    """Remove what a store in a database left there; others are left alone."""
    shutil.rmtree(_own(target), ignore_errors=True)


def _own(target: str) -> Path:
    # Asked for when it is needed: a profile keeps temporary files in memory.
    parent = Path(tempfile.gettempdir()) / "metering-test-segments"
    return parent / hashlib.sha256(target.encode()).hexdigest()[:16]
