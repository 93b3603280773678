"""Own how much of the suite runs: what each profile selects, and how far it searches.

METERING_TEST_PROFILE names the profile; `make` sets it, and `test` is the default. What
a profile leaves out is selected by the markers of pyproject.toml, so `-m` on the command
line replaces the selection and nothing else. METERING_TEST_TURN is a whole number that
decides which of the steps are taken where a sweep takes only some. METERING_TEST_BUDGET
multiplies how many tries a sweep makes that draws them: 0.1 makes a tenth.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from pathlib import Path
from random import Random
from typing import TypeVar

T = TypeVar("T")

_MEMORY = "/dev/shm"
_MEMORY_BYTES_MIN = 2 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How much of the suite runs.

    Attributes:
        selects: a marker expression of pytest.
        leaves_out: folders of tests that are not even imported.
        examples: how many examples Hypothesis tries of each property.
        stride: a sweep over the steps of a process takes one in so many.
        share: a sweep that draws its tries makes one in so many of those of `prove`.
        is_thorough: whether tests search long, and at random.
        is_on_disk: whether temporary stores are on the disk, so that each commit waits
            for it.
    """

    selects: str
    examples: int
    stride: int
    share: int
    leaves_out: tuple[str, ...] = ()
    is_thorough: bool = False
    is_on_disk: bool = False


_ON_SQLITE = "(not postgresql or dialect)"
_PROFILES = {
    "fast": Profile(
        selects="not slow and not postgresql",
        examples=4,
        stride=9,
        share=1_000,
        leaves_out=("faults", "property"),
    ),
    "test": Profile(
        selects=f"{_ON_SQLITE} and not installs", examples=5, stride=10, share=400
    ),
    "rest": Profile(
        selects=f"not {_ON_SQLITE} and not installs or sweep",
        examples=8,
        stride=3,
        share=50,
    ),
    "counted": Profile(
        selects="counted", examples=8, stride=1, share=1, is_thorough=True
    ),
    "prove": Profile(
        selects="", examples=1_000, stride=1, share=1, is_thorough=True, is_on_disk=True
    ),
}
PROFILE = _PROFILES[os.environ.get("METERING_TEST_PROFILE", "test")]
_TURN = int(os.environ.get("METERING_TEST_TURN", "0"))
_BUDGET = Fraction(os.environ.get("METERING_TEST_BUDGET", "1"))


def steps() -> Iterator[int]:
    """The steps of a sweep, from the first on: every one, or one in so many.

    Which of them is a matter of METERING_TEST_TURN, so as many turns take every step.
    """
    return count(1 + _TURN % PROFILE.stride, PROFILE.stride)


def taken(names: Iterable[T]) -> list[T]:
    """Those of some histories that are lived through: all of them, or one in so many."""
    return [*names][_TURN % PROFILE.stride :: PROFILE.stride]


def budget(tries: int) -> int:
    """How many tries a sweep makes, of so many in `prove`: one at the least."""
    return max(1, round(tries * _BUDGET / PROFILE.share))


def drawing(sweep: str) -> Random:
    """What a sweep draws its tries with: others with each commit, the same again."""
    return Random(f"{sweep} {_TURN}")


def use_memory() -> None:
    """Keep temporary files in memory, where there is room and the profile allows.

    No test can lose what was written but not synced: processes are killed, machines are
    not. Whether a store syncs is a matter of its settings, which it checks itself.
    """
    memory = _memory()
    if memory is not None and not PROFILE.is_on_disk:
        # Processes that tests start find it in the environment.
        os.environ["TMPDIR"] = tempfile.tempdir = memory


@contextmanager
def memory_directory() -> Iterator[Path]:
    """Make a directory in memory, where there is room, whatever the profile.

    For what is tried thousands of times: it would wait for the disk, and nothing would
    be learned.
    """
    with tempfile.TemporaryDirectory(prefix="metering-", dir=_memory()) as name:
        yield Path(name)


def _memory() -> str | None:
    if not os.path.isdir(_MEMORY):  # noqa: PTH112
        return None
    has_room = shutil.disk_usage(_MEMORY).free >= _MEMORY_BYTES_MIN
    return _MEMORY if has_room else None
