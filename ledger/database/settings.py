"""What a process sets for its connections to a database."""

from datetime import timedelta

import msgspec

LOCK_TIMEOUT = timedelta(seconds=60)
STATEMENT_TIMEOUT = timedelta(minutes=10)


class DatabaseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait for a database, and with how many connections.

    Attributes:
        lock_timeout: how long a write waits for the writers before it.
        statement_timeout: how long one statement may run, on PostgreSQL.
        pool_size: how many connections may read, or write beside the log, at a time, on
            PostgreSQL; others wait for one as long as for a lock. None is no limit.
            Two more are held for appends and for looking where the log ends, and one
            while this process seals.
    """

    lock_timeout: timedelta = LOCK_TIMEOUT
    statement_timeout: timedelta = STATEMENT_TIMEOUT
    pool_size: int | None = None

    def __post_init__(self) -> None:
        """Check that there is something to wait for, and a connection."""
        assert self.lock_timeout >= timedelta(milliseconds=1), "0 is for ever in libpq"
        assert self.statement_timeout >= timedelta(milliseconds=1), "as above"
        assert self.pool_size is None or self.pool_size >= 1, "reads need a connection"


DEFAULT_SETTINGS = DatabaseSettings()
