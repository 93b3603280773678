"""The judge of the clock: an append by a clock that is wrong is refused.

One entry that is recorded a year ahead puts the log a year ahead, for every process and
for good. So a clock is judged before an append by it is acknowledged. It may not be ahead
of its judge: the clock of the database's server, where there is one, else the time that
passed since this process last appended. That time does not jump, and goes on while the
machine sleeps. Nor may a clock be behind the log. How far off it may be is a setting.

How far a clock is ahead of the log says nothing, since a log may be idle for years. A
process that has appended nothing, to a database without a server, has no judge but the
log. The anchor is that of one opened log: opened again, it has none, so that a clock
that was wrong at first and then set right is no reason to refuse for ever.
"""

import enum
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from ledger.appending.drafts import ANY_TIME
from ledger.commits import read_head_and_time
from ledger.database.store import Database
from ledger.entries import Head, recording_instant
from ledger.errors import ClockSkewError, StoreDamagedError

CLOCKS_DIFFER_BY = timedelta(minutes=1)
"""By how much a clock may be ahead of the real time and be right, judged or not."""
_LONGEST = 1 << 60
_MICROSECOND = timedelta(microseconds=1)
_CLOCKS_DIFFER = CLOCKS_DIFFER_BY // _MICROSECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Linux counts the time in which the machine sleeps on another clock than the others.
_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

_SET = "set the clock by NTP"
# By whether a server judges.
_BY = {
    True: ("the database server's", "set the one that is wrong by NTP"),
    False: (
        "by the time since this process last appended it should be",
        f"{_SET}, or if that was just done, connect again",
    ),
}


class Skew(enum.Enum):
    """In which way a clock is wrong."""

    AHEAD = "ahead of its judge"
    BEHIND = "behind the log"


def skew_of(*, clock: int, judge: int | None, log: int, limit: int) -> Skew | None:
    """Return in which way a clock is wrong; None where it is right.

    The first three are microseconds since 1970 UTC.

    Args:
        clock: what the clock shows.
        judge: what its judge shows; None where it has none.
        log: when the last entry was recorded.
        limit: by how many microseconds the clock may be wrong, inclusive.
    """
    if judge is not None and clock > judge + limit:
        return Skew.AHEAD
    return Skew.BEHIND if clock < log - limit else None


def real_time(*, clock: int, log: int, real: int) -> int:
    """Return by which time state beside the log is judged.

    It follows neither an injected clock nor a spoiled log beyond the real time: what is
    forgotten, or comes to life again, a year too early is lost. It is not before what is
    recorded otherwise, since a clock that steps back must not reopen what has ended.

    All are microseconds since 1970 UTC.

    Args:
        clock: what the clock of the appends shows.
        log: when the last entry was recorded.
        real: the time by this machine, or by the database's server, and by how much
            clocks may differ more.
    """
    return min(max(clock, log), real)


class ClockReading(NamedTuple):
    """What a clock shows, and what another one shows that does not jump.

    Attributes:
        clock: microseconds since 1970 UTC.
        since_boot: microseconds since this machine started.
    """

    clock: int
    since_boot: int


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The time at which something is decided. Times are microseconds since 1970 UTC.

    Attributes:
        reading: of the clock.
        instant: at which facts are recorded, never before what is recorded already.
        real: by which state beside the log is judged.
        fault: what is wrong with the clock, None where nothing is.
    """

    reading: ClockReading
    instant: int
    real: int
    fault: ClockSkewError | None


class ClockJudge:
    """Judges the clock of one log's appends. Thread-safe.

    Args:
        database: that holds the log; the clock of its server is the judge.
        limit: how far off the clock may be; None where it is not judged.
        system: returns the time by this machine, microseconds since 1970 UTC.
    """

    def __init__(
        self,
        database: Database,
        limit: timedelta | None,
        system: Callable[[], int],
    ) -> None:
        self._database, self._has_server = database, database.has_server
        self._limit = None if limit is None else min(limit // _MICROSECOND, _LONGEST)
        self._system = system
        # What the clock shows where the time since boot is zero, by the last append.
        self._anchor: int | None = None

    def check_now(self, now: Callable[[], int]) -> None:
        """Check a clock by which something is refused, though nothing is appended.

        Args:
            now: returns what it shows, microseconds since 1970 UTC.

        Raises:
            ClockSkewError: it is wrong, and says nothing.
        """
        if self._limit is None:
            return
        with self._database.watch() as connection:
            known, server = read_head_and_time(connection)
            self.check(read_clock(now), known, server)

    def real_time(self, connection: Connection, clock: int) -> int:
        """Return by which time state beside the log is judged; see `real`.

        Args:
            connection: in whose database transaction it is judged.
            clock: what the clock of the appends shows.
        """
        known, server = read_head_and_time(connection)
        return self.real(clock, known.recorded_at, server)

    def check(
        self,
        reading: ClockReading,
        known: Head,
        server: int | None = None,
        checked_at: int = ANY_TIME,
    ) -> None:
        """Check the clock of an append; see `fault`.

        Raises:
            ClockSkewError: the clock is wrong; nothing is to be recorded.
        """
        fault = self.fault(reading, known, server, checked_at)
        if fault is not None:
            raise fault

    def fault(
        self,
        reading: ClockReading,
        known: Head,
        server: int | None,
        checked_at: int = ANY_TIME,
    ) -> ClockSkewError | None:
        """Return what is wrong with the clock of an append, None where nothing is.

        Args:
            reading: of the clock.
            known: where the log ends.
            server: what the server's clock shows; None where there is none, or where
                it is compared by the statement that appends.
            checked_at: what the clock showed when what is appended was given its times.
        """
        if self._limit is None:
            return None
        clock, since_boot = reading
        judge = server
        if self._anchor is not None:
            judge = self._anchor + since_boot
        log, limit = known.recorded_at, self._limit
        if clock < checked_at - limit:
            source = "when the events were checked it showed"
            return self._error(clock, checked_at, source, "append them again")
        match skew_of(clock=clock, judge=judge, log=log, limit=limit):
            case Skew.AHEAD:
                assert judge is not None, "it is ahead of something"
                return self._error(clock, judge, *_BY[self._has_server])
            case Skew.BEHIND:
                to = _at(clock).isoformat()
                cure = f"{_SET}, or the log by metering repair time --to {to}"
                return self._error(clock, log, "the log's last entry is of", cure)
            case None:
                return None

    def moment(self, reading: ClockReading, known: Head, server: int | None) -> Moment:
        """Return the time of a decision; see `fault` for the arguments."""
        clock = reading.clock
        return Moment(
            reading=reading,
            instant=recording_instant(known, clock),
            real=self.real(clock, known.recorded_at, server),
            fault=self.fault(reading, known, server),
        )

    def accepted(self, reading: ClockReading) -> None:
        """Note that an append by the clock is recorded."""
        if self._limit is not None and not self._has_server:
            self._anchor = reading.clock - reading.since_boot

    def earliest_server_time(self, clock: int) -> int:
        """Return what the server's clock must show at least, microseconds since 1970."""
        return ANY_TIME if self._limit is None else clock - self._limit

    def real(self, clock: int, log: int, server: int | None) -> int:
        """Return by which time state beside the log is judged; see `real_time`.

        Args:
            clock: what the clock of the appends shows.
            log: when the last entry was recorded.
            server: what the server's clock shows, None where there is none.
        """
        real = self._system() if server is None else server
        if self._anchor is not None:
            # A clock may have jumped ahead since; time that passes does not.
            real = min(real, self._anchor + _since_boot())
        return real_time(clock=clock, log=log, real=real + _CLOCKS_DIFFER)

    def _error(self, clock: int, right: int, source: str, cure: str) -> ClockSkewError:
        return ClockSkewError(
            self._database.address, _at(clock), _at(right), source, cure
        )


def read_clock(clock: Callable[[], int]) -> ClockReading:
    """Read a clock, and the time since this machine started, asleep or not."""
    return ClockReading(clock(), _since_boot())


def _since_boot() -> int:
    return time.clock_gettime_ns(_SINCE_BOOT) // 1_000


def _at(instant: int) -> datetime:
    """Return an instant of a clock, or that at which the log says that it ends.

    Raises:
        StoreDamagedError: no calendar has it, so no store was given it.
    """
    try:
        return _EPOCH + instant * _MICROSECOND
    except OverflowError as error:
        reason = f"{instant} microseconds from 1970 are beyond every calendar"
        raise StoreDamagedError("table log_head, column recorded_at", reason) from error
