"""The store of an application: one connection in each of its processes.

A connection must not cross a fork, and servers fork at moments of their own: before they
import an application, or after. So an application names its store where it is imported,
and each process opens it, at the latest when it is first used.
"""

import atexit
import os
import threading
import weakref
from collections.abc import Callable
from functools import partial

from metering.aio import AsyncMetering, AsyncRecorder
from metering.connection import Metering
from metering.opening import connect
from metering.recording.recorder import Recorder


class ProcessConnection:
    """What one process has opened.

    Attributes:
        m: the connection.
        recorder: records events without waiting for the log.
        awaited: the connection, for asyncio.
        awaited_recorder: the recorder, for asyncio.
    """

    def __init__(self, m: Metering, recorder: Recorder) -> None:
        self.m = m
        self.recorder = recorder
        self.awaited = AsyncMetering(m)
        self.awaited_recorder = AsyncRecorder(self.awaited.calls, recorder)

    def close(self) -> None:
        """Make durable what was recorded, and close the connection."""
        try:
            self.awaited.calls.close()
        finally:
            self.m.close()


class ProcessStore:
    """A store that each process of an application opens once. Thread-safe.

    It is closed where the interpreter ends. Some servers end a process otherwise: the
    module for such a server closes the store before.

    Args:
        connect: opens the store; by default the one that the environment names.
        recorder: opens the recorder of a connection.
    """

    def __init__(
        self,
        connect: Callable[[], Metering] = connect,
        *,
        recorder: Callable[[Metering], Recorder] = Metering.recorder,
    ) -> None:
        self._connect = connect
        self._open_recorder = recorder
        self._lock = threading.Lock()
        self._opened: ProcessConnection | None = None
        self._inherited: list[ProcessConnection] = []
        os.register_at_fork(after_in_child=partial(_let_go, weakref.ref(self)))

    @property
    def m(self) -> Metering:
        """The connection of this process."""
        return self.open().m

    @property
    def recorder(self) -> Recorder:
        """The recorder of this process."""
        return self.open().recorder

    def open(self) -> ProcessConnection:
        """Open the store, unless this process has; each use does the same."""
        opened = self._opened
        if opened is not None:
            return opened
        with self._lock:
            if self._opened is None:
                self._opened = self._new()
                atexit.register(self.close)
            return self._opened

    def close(self) -> None:
        """Close the store, if this process has opened it; a later use opens it anew."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            atexit.unregister(self.close)
            opened.close()

    def _new(self) -> ProcessConnection:
        m = self._connect()
        try:
            return ProcessConnection(m, self._open_recorder(m))
        except BaseException:
            m.close()
            raise

    def _let_go(self) -> None:
        """Begin anew in a child: what is open is its parent's, and so is the lock."""
        self._lock = threading.Lock()
        if self._opened is not None:
            # Kept: a finalizer would end sessions of the parent's with a database.
            self._inherited.append(self._opened)
            self._opened = None


def _let_go(reference: "weakref.ref[ProcessStore]") -> None:
    store = reference()
    if store is not None:
        store._let_go()  # noqa: SLF001  # of this module
