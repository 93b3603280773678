"""The spool: events held on the disk, so that recording one makes it durable.

Threads that record at the same time share a write, as they share commits of the log. A
round takes in the files that dead processes left, and the one at hand. A file is removed
once its events are in the log. If the process dies in between, they are appended again,
and their identifiers keep them from counting twice.
"""

import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

import msgspec

from ledger.appending.group_commit import GroupCommit
from ledger.database.directories import make_directory, open_private
from ledger.errors import StoreClosedError, StoreError, StoreFullError
from metering.recording.buffer import TAKEN_AT_A_TIME
from metering.recording.events import HeldEvent, UnrecordedEvent
from metering.recording.spool_files import (
    SpoolFile,
    SpoolUnreadableError,
    files_of,
    line_of,
    refusal_of,
    remove_nameless,
)

_REFUSED = ".refused.ndjson"
_SET_ASIDE_MAX = 64
"""How many files are open at a time. What is left is for the next round, or for others."""

_logger = logging.getLogger(__name__)


class Spool:
    """A directory of events for one log, shared with other processes.

    Any thread adds to it. One thread takes, as from an `EventBuffer`.

    Args:
        directory: made where it is absent. It must be on a local file system.
        epochs: of the log, and of those in whose place it goes on.

    Raises:
        StoreError: the directory cannot be used.
    """

    def __init__(self, directory: Path, epochs: Sequence[str]) -> None:
        self._directory = directory
        self._epoch, self._epochs = epochs[0], epochs
        self._group = GroupCommit(self._write)
        self._set_aside: deque[SpoolFile] = deque()
        self._reading: Iterator[HeldEvent] | None = None
        self._taken: Sequence[HeldEvent] = ()
        self._takes_current = False
        self._left_alone: set[Path] = set()
        self._is_closed = False
        try:
            make_directory(directory)
        except OSError as error:
            raise refusal_of(error, directory) from error
        self._file: SpoolFile | None = SpoolFile.create(directory, self._epoch)

    @property
    def waiting(self) -> int:
        """How many events were added since the last round began."""
        file = self._file
        return 0 if file is None else file.count

    def add(self, event: HeldEvent) -> None:
        """Hold an event, durably.

        Raises:
            StoreError: it is not held.
        """
        self._group.submit((line_of(event),))

    def add_together(self, events: Sequence[HeldEvent]) -> None:
        """Hold events, durably, all or none.

        Raises:
            StoreError: they are not held.
        """
        self._group.submit(tuple(map(line_of, events)))

    def begin(self) -> None:
        """Begin a round: what was added so far can be taken, and what the dead left.

        Raises:
            StoreError: the directory cannot be read.
        """
        self._takes_current = True
        with self._translated():
            self._adopt()

    def take(self) -> Sequence[HeldEvent]:
        """Return the next events of the round, the same ones until they are dropped.

        The file at hand is set aside once all that were before are taken in: while the
        store cannot be used there is one that grows, and not many that are open.

        Raises:
            StoreError: a file cannot be read; the next time it is read from the beginning.
        """
        with self._translated():
            while not self._taken and self._has_file():
                if self._reading is None:
                    self._reading = self._set_aside[0].events()
                self._taken = list(islice(self._reading, TAKEN_AT_A_TIME))
                if not self._taken:
                    self._remove(self._set_aside[0])
                    self._reading = None
                    self._set_aside.popleft()
        return self._taken

    def drop(self, refused: Sequence[UnrecordedEvent]) -> None:
        """Let go of the events that were taken; what was refused is kept beside.

        Raises:
            StoreError: it cannot be kept; nothing was let go of.
        """
        if refused:
            kept = self._set_aside[0].path.with_suffix(_REFUSED)
            flags = os.O_WRONLY | os.O_APPEND
            with self._translated(), os.fdopen(open_private(kept, flags), "ab") as file:
                file.writelines(msgspec.json.encode(each) + b"\n" for each in refused)
                file.flush()
                os.fsync(file.fileno())
        self._taken = ()

    def refuse_more(self) -> None:
        """Let no more be added; what was is still taken."""
        self._is_closed = True

    def close(self) -> Sequence[HeldEvent]:
        """Let go of the files: what they hold is taken in by whoever comes next."""
        self._is_closed = True
        with self._group.leading:
            current, self._file = self._file, None
        if current is not None and current.count == 0:
            # Else it is found empty by whoever comes next.
            with suppress(OSError):
                current.remove()
        for file in (*self._set_aside, *([current] if current else [])):
            file.close()
        return ()

    def _write(self, drafts: Sequence[Sequence[bytes]]) -> Sequence[bool]:
        """Write the lines of those who recorded at the same time."""
        if self._is_closed:
            raise StoreClosedError(str(self._directory))
        if self._file is None:
            self._file = SpoolFile.create(self._directory, self._epoch)
        try:
            self._file.append([line for lines in drafts for line in lines])
        except OSError as error:
            refusal = refusal_of(error, self._directory)
            if not isinstance(refusal, StoreFullError):
                # After a failed fsync nobody knows what later ones would make durable.
                self._set_aside.append(self._file)
                self._file = None
            raise refusal from error
        return [True] * len(drafts)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._reading = None
            raise refusal_of(error, self._directory) from error

    def _has_file(self) -> bool:
        """Whether a file is set aside, the one at hand if need be."""
        if not self._set_aside and self._takes_current:
            self._takes_current = False
            self._set_current_aside()
        return bool(self._set_aside)

    def _set_current_aside(self) -> None:
        if self._file is None or self._file.count == 0:
            return
        following = None
        with suppress(StoreError):  # It is made when it is needed, or refused then.
            following = SpoolFile.create(self._directory, self._epoch)
        with self._group.leading:
            current, self._file = self._file, following
        if current is not None:
            self._set_aside.append(current)

    def _adopt(self) -> None:
        """Take some of the files of the dead that are for this log."""
        remove_nameless(self._directory)
        for path in files_of(self._directory):
            if len(self._set_aside) >= _SET_ASIDE_MAX:
                return
            if path in self._left_alone:
                continue
            file = SpoolFile.adopt(path)
            if file is None:
                continue
            try:
                epoch = file.header().epoch
            except SpoolUnreadableError as error:
                self._leave_alone(file, f"it cannot be read: {error}")
                continue
            if epoch in self._epochs:
                self._set_aside.append(file)
            else:
                self._leave_alone(file, "its events are for another store")

    def _leave_alone(self, file: SpoolFile, reason: str) -> None:
        _logger.warning("The spool file %s is left alone: %s", file.path, reason)
        self._left_alone.add(file.path)
        file.close()

    def _remove(self, file: SpoolFile) -> None:
        if file.damaged_lines:
            _logger.error(
                "The spool file %s has %d damaged lines; it is set aside",
                file.path,
                file.damaged_lines,
            )
        file.remove()
