"""Where the segments of a test's store are: beside it, or with the other temporaries."""

import hashlib
import tempfile
from pathlib import Path
from typing import TypedDict

PARENT = Path(tempfile.gettempdir()) / "metering-test-segments"


class Places(TypedDict, total=False):
    """Keywords of `metering.connect`."""

    segments: str
    cache: str


def places_of(target: str) -> Places:
    """What `metering.connect` needs besides a target, the same in every process."""
    if "://" not in target:
        return {}
    own = PARENT / hashlib.sha256(target.encode()).hexdigest()[:16]
    return Places(segments=str(own / "segments"), cache=str(own / "runs"))
