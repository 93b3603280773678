"""Runs of one kind in one directory: found, built where missing, merged, swept.

A file appears under its name as a whole, and those it replaces are removed afterwards:
a process that dies in between leaves runs that are found again, or files that are swept.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Generic

import msgspec

from ledger.errors import RunsDirectoryError
from ledger.runs.building import building
from ledger.runs.files import (
    MappedRun,
    RunColumns,
    RunIdentity,
    files_of,
    identity_of,
    open_run,
    remove,
    runs_in,
    unfinished_in,
    write_run,
)
from ledger.runs.kinds import RunKind, RunT
from ledger.runs.levels import Stretch, stretches
from ledger.segments.entry import Segment

_SECONDS_TO_WAIT = 60.0
_THREADS = min(8, os.cpu_count() or 1)


class _Opened(msgspec.Struct, Generic[RunT], frozen=True):
    path: Path
    run: RunT


class RunSet(Generic[RunT]):
    """The runs of one kind that cover the sealed part of a log. Thread-safe.

    Args:
        directory: for runs of this log alone; made when the first run is written.
            Several processes may share it.
        kind: how its runs are read and merged.
        shared: directories of other logs that began as this one did; what is in them is
            read and never changed.
    """

    def __init__(
        self, directory: Path, kind: RunKind[RunT], shared: Sequence[Path] = ()
    ) -> None:
        self._directory = directory
        self._kind = kind
        self._directories = (directory, *shared)
        self._lock = threading.Lock()
        # Runs are checked when they are opened, once.
        self._opened: dict[RunIdentity, _Opened[RunT]] = {}

    def cover(
        self,
        segments: Sequence[Segment],
        build: Callable[[Segment], RunColumns],
        progress: Callable[[int, int], None] | None = None,
    ) -> list[RunT]:
        """Return the runs of all segments, in the order of the log.

        What is missing, damaged or of another version is built anew; eight neighbours
        of a level are merged into one of the next.

        Args:
            segments: those of the catalog, from the beginning of the log.
            build: makes the columns of one segment's run; is called on several threads
                at a time.
            progress: is called with the events gone through so far, and with how many
                are to be: those that are built and those that are merged.

        Raises:
            RunsDirectoryError: a run cannot be written.
        """
        with self._lock:
            wanted = stretches(segments, fan_in=self._kind.fan_in)
            if not all(self._is_there(stretch) for stretch in wanted):
                with building(
                    self._directory, self._kind.name, patience=_SECONDS_TO_WAIT
                ):
                    # Looked for again: another process may have made them meanwhile.
                    self._make(wanted, build, progress or _ignore)
            identities = [self._identity(stretch) for stretch in wanted]
            self._opened = {each: self._opened[each] for each in identities}
            if wanted:
                self._sweep(wanted[-1].up_to)
            return [opened.run for opened in self._opened.values()]

    def clear(self) -> None:
        """Remove all runs of the kind, so that they are made anew.

        What another process is writing stays: it is made anew already.

        Raises:
            RunsDirectoryError: one of them cannot be removed.
        """
        with self._lock:
            self._opened = {}
            remove(self._directory, runs_in(self._directory, self._kind.name))

    def _identity(self, stretch: Stretch) -> RunIdentity:
        return RunIdentity.of(
            self._kind.name,
            self._kind.version,
            stretch.after,
            stretch.up_to,
            stretch.digest,
        )

    # Finding.

    def _is_there(self, stretch: Stretch) -> bool:
        """Whether a stretch has a run, which is then open."""
        identity = self._identity(stretch)
        if identity in self._opened:
            return True
        # Listed anew for each, as other processes merge and sweep meanwhile.
        for directory in self._directories:
            for path in files_of(directory, identity):
                file = open_run(path)
                if file is not None:
                    self._open(file)
                    return True
        return False

    def _missing(self, stretch: Stretch) -> Iterator[Stretch]:
        """Find what is to be made for a stretch to have a run, parts first."""
        if not self._is_there(stretch):
            for part in stretch.parts:
                yield from self._missing(part)
            yield stretch

    def _open(self, file: MappedRun) -> None:
        self._opened[file.identity] = _Opened(file.path, self._kind.open(file))

    # Making.

    def _make(
        self,
        wanted: Sequence[Stretch],
        build: Callable[[Segment], RunColumns],
        progress: Callable[[int, int], None],
    ) -> None:
        missing = [each for stretch in wanted for each in self._missing(stretch)]
        total, done = sum(stretch.events for stretch in missing), 0
        with ThreadPoolExecutor(_THREADS) as pool:
            built = {
                stretch.after: pool.submit(self._build, stretch, stretch.segment, build)
                for stretch in missing
                if stretch.segment is not None
            }
            try:
                for stretch in missing:
                    if stretch.segment is None:
                        self._merge(stretch)
                    else:
                        self._open(built[stretch.after].result())
                    done += stretch.events
                    progress(done, total)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _build(
        self, stretch: Stretch, segment: Segment, build: Callable[[Segment], RunColumns]
    ) -> MappedRun:
        return write_run(self._directory, self._identity(stretch), build(segment))

    def _merge(self, stretch: Stretch) -> None:
        parts = [self._opened.pop(self._identity(part)) for part in stretch.parts]
        columns = self._kind.merge([part.run for part in parts])
        self._open(write_run(self._directory, self._identity(stretch), columns))
        for part in parts:
            if part.path.parent == self._directory:
                with suppress(OSError):
                    part.path.unlink()

    # Sweeping.

    def _sweep(self, up_to: int) -> None:
        """Remove runs that a process at this head no longer needs, if it can."""
        with suppress(RunsDirectoryError):
            leftovers = [
                path
                for path in runs_in(self._directory, self._kind.name)
                if self._is_leftover(path, up_to)
            ]
            leftovers += unfinished_in(self._directory, self._kind.name)
            if leftovers:
                with building(self._directory, self._kind.name, patience=0) as is_alone:
                    if is_alone:
                        remove(self._directory, leftovers)

    def _is_leftover(self, path: Path, up_to: int) -> bool:
        identity = identity_of(path.name)
        if identity is None:
            return True
        if identity in self._opened:
            return path != self._opened[identity].path
        # What goes further may be a run of a process that knows more of the log.
        return identity.up_to <= up_to and identity.version <= self._kind.version


def _ignore(done: int, total: int) -> None:
    pass
