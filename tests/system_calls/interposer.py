"""Own the library between a process and its system calls: made by cc, told what to do.

`tests.processes` loads it into the process that others are forked from, where it does
nothing. A child tells its own copy what to watch, and what is to become of which call.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import IntEnum
from functools import cache
from pathlib import Path

_SOURCE = Path(__file__).with_name("interposer.c")
_VARIABLE = "LD_PRELOAD"
NEEDED = "a C compiler named cc, on Linux (Debian: apt-get install gcc libc6-dev)"


class Call(IntEnum):
    """What a process asks of the system, as the library tells it apart."""

    OPEN = 0
    READ = 1
    WRITE = 2
    SYNC = 3
    TRUNCATE = 4
    RENAME = 5
    REMOVE = 6
    MAKE = 7
    MAP = 8
    LOCK = 9
    CONNECT = 10
    SEND = 11
    RECEIVE = 12


class Deed(IntEnum):
    """What becomes of a call."""

    PASS = 0
    FAIL = 1
    SHORTEN = 2
    KILL = 3


class Interposer:
    """The library within this process.

    Args:
        below: the directory whose files it watches.
        sockets: whether it watches every socket as well.
    """

    def __init__(self, below: Path, *, sockets: bool = False) -> None:
        self._library = ctypes.CDLL(None)
        self._library.interposer_count.restype = ctypes.c_long
        self._library.interposer_watch(bytes(below), int(sockets))

    def plan(
        self, *calls: Call, nth: int, deed: Deed, error: int = 0, lasts: bool = False
    ) -> None:
        """Choose what becomes of the nth of some calls from now on, and of all after it.

        Args:
            calls: those that are counted.
            nth: from 1.
            deed: what becomes of it.
            error: the number that it fails with.
            lasts: whether those after it fare as it does.
        """
        mask = sum(1 << call for call in set(calls))
        self._library.interposer_plan(
            mask, ctypes.c_long(nth), int(deed), error, int(lasts)
        )

    def came(self) -> bool:
        """Whether the planned call has been made."""
        return bool(self._library.interposer_came())

    def let_pass(self) -> None:
        """Let every call through again."""
        self.plan(nth=1, deed=Deed.PASS)

    def counts(self) -> dict[Call, int]:
        """Return how many calls there were since it began to watch."""
        return {call: self._library.interposer_count(int(call)) for call in Call}

    def record(self, path: Path) -> None:
        """Record from now on what changes the files."""
        assert self._library.interposer_record(bytes(path)) >= 0, path

    def note(self, text: str) -> None:
        """Write a note into the recording, between what was before and what comes."""
        self._library.interposer_note(text.encode())


def shift_clock(by: timedelta) -> None:
    """Let this process's clock be wrong by some time; those that do not jump go on."""
    seconds = by // timedelta(seconds=1)
    ctypes.CDLL(None).interposer_shift_clock(ctypes.c_longlong(seconds))


@cache
def library() -> Path | None:
    """Return where the library is, made if need be; None where it cannot be made."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    name = hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"metering-interposer-{os.getuid()}-{name}.so"
    if not path.exists():
        # Several workers may make it at once.
        made = path.with_suffix(f".{os.getpid()}")
        command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(made), str(_SOURCE)]
        if subprocess.run(
            [*command, "-ldl"], check=False, capture_output=True
        ).returncode:
            return None
        made.replace(path)
    return path


@contextmanager
def preloading() -> Iterator[None]:
    """Load the library into what is started, where there is one."""
    path, before = library(), os.environ.get(_VARIABLE)
    if path is None:
        yield
        return
    os.environ[_VARIABLE] = " ".join(filter(None, [str(path), before]))
    try:
        yield
    finally:
        forget()
        if before is not None:
            os.environ[_VARIABLE] = before


def forget() -> None:
    """Load it into nothing that this process starts."""
    os.environ.pop(_VARIABLE, None)
