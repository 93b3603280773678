"""One connection kept open, for what is done so often that a pool would cost more.

Where does the log end now? Every answer begins with that question; and every append is
made by one thread at a time. Taking a connection from the pool and giving it back costs
more than either statement.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError


class HeldConnection:
    """A connection for one thread at a time, opened again after an error."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._is_closed = False

    @contextmanager
    def borrowed(self) -> Iterator[Connection]:
        """Borrow the connection."""
        with self._lock:
            if self._connection is None:
                self._connection = self._engine.connect()
            try:
                yield self._connection
            except SQLAlchemyError:
                self._close()
                raise
            finally:
                if self._is_closed:
                    self._close()

    def close(self) -> None:
        """Close the connection; whoever still borrows it later gets one for once."""
        with self._lock:
            self._is_closed = True
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
