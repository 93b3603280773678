"""The repair of the log's time, once a wrong clock has moved it on.

Nothing that is recorded later can be recorded earlier, so the log would stay at the wrong
time until it has come. A correction is a fact that is recorded at the right time, and
from which follows when the entries before it count. All that follows from facts is made
anew in its database transaction, and what lies beside the log is brought back: a kill
leaves the wrong time or the right one.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from ledger.appending.attempts import Attempt, attempting
from ledger.appending.drafts import ANY_TIME
from ledger.commits import (
    insert_correction,
    log_time,
    read_head,
    read_head_and_time,
)
from ledger.database.store import Database
from ledger.entries import CommitKind, Head, next_commit
from ledger.errors import StoreDamagedError
from ledger.facts.instants import TimeCorrection
from ledger.facts.log_time import LogTimeCorrected
from ledger.facts.union import Fact, encode_facts
from ledger.folds import FactFold
from ledger.history import History
from ledger.reading import read_facts
from ledger.usage.digest import facts_digest


class WrongTime(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a log that was recorded later than the real time.

    Instants are microseconds since 1970 UTC.

    Attributes:
        after: position of the last entry that is not; 0 where there is none.
        right_until: when that counts as recorded; 0 where there is none.
        position: of the last entry.
        found: when that counts as recorded: the time of the log.
    """

    after: int
    right_until: int
    position: int
    found: int

    @property
    def is_wrong(self) -> bool:
        """Whether there is any."""
        return self.after < self.position


class TimeView:
    """The time of a log, as one database transaction sees it.

    Instants are microseconds since 1970 UTC.
    """

    def __init__(self, connection: Connection, history: History) -> None:
        self._connection = connection
        self._history = history

    def server_time(self) -> int | None:
        """Return the time by the clock of the database's server, None without one."""
        _, server = read_head_and_time(self._connection)
        return server

    def head(self) -> Head:
        """Read where the log ends."""
        return read_head(self._connection)

    def wrong_time(self, real: int) -> WrongTime:
        """Return what was recorded later than an instant, at which the log does not end.

        Raises:
            StoreDamagedError: nothing was, whatever the head says.
        """
        head = self.head()
        after = self._history.position_seen_at(self._connection, real)
        if after >= head.position:
            reason = f"{head.recorded_at} is stored, and no entry was recorded so late"
            raise StoreDamagedError("table log_head, column recorded_at", reason)
        right_until = 0
        if after:
            commit = self._history.commit_seen_holding(self._connection, after)
            right_until = log_time(self._connection).of(after, commit.recorded_at)
        return WrongTime(
            after=after,
            right_until=right_until,
            position=head.position,
            found=head.recorded_at,
        )

    def facts(self, after: int) -> Iterator[tuple[int, int, Fact]]:
        """Read the facts after a position; see `ledger.reading.read_facts`."""
        end = self.head().position
        return read_facts(self._connection, after, end)


class TimeRepairing:
    """A database transaction that holds the write lock, to correct the log's time.

    Attributes:
        view: of the log's time, before it is corrected.
        head: where the log ends.
    """

    def __init__(self, attempt: Attempt, fold: FactFold, history: History) -> None:
        self.view = TimeView(attempt.connection, history)
        self.head: Head = read_head(attempt.connection)
        self._connection: Connection = attempt.connection
        self._attempt = attempt
        self._fold = fold

    def correct(self, fact: LogTimeCorrected, real: int) -> None:
        """Record a correction, and make all that follows from it anew.

        Args:
            fact: the correction.
            real: the real time, microseconds since 1970 UTC.
        """
        body, known = encode_facts([fact]), self.head
        commit, self.head = next_commit(
            # As if it was never wrong: no other commit is recorded before the last one.
            replace(known, recorded_at=fact.corrected_to),
            (fact,),
            CommitKind.FACTS,
            facts_digest(body),
            fact.corrected_to,
        )
        # A repair goes by the real time, and is right where the log's time is wrong.
        is_appended = self._attempt.append(known, self.head, commit, body, ANY_TIME)
        assert is_appended, "the head was read under the write lock"
        insert_correction(
            self._connection, TimeCorrection.of(fact, commit.first_position)
        )
        facts = read_facts(self._connection, 0, commit.last_position)
        self._fold.rebuild(self._connection, facts, is_repair=False)
        from ledger.records.corrections import bring_back

        bring_back(self._connection, real)


class TimeRepairs:
    """Repairs of the time of one log.

    Args:
        database: where it is stored.
        fold: the tables that facts fold into.
        history: reads the log.
        check_usable: raises where the log is closed, or another process's.
        leading: taken while a database transaction is open.
        catch_up: takes in what was recorded.
    """

    def __init__(
        self,
        database: Database,
        fold: FactFold,
        history: History,
        check_usable: Callable[[], None],
        leading: AbstractContextManager[bool],
        catch_up: Callable[[], Head],
    ) -> None:
        self._database = database
        self._fold = fold
        self._history = history
        self._check_usable = check_usable
        self._leading = leading
        self._catch_up = catch_up

    @contextmanager
    def reading(self) -> Iterator[TimeView]:
        """Open a database transaction that sees one snapshot."""
        self._check_usable()
        with self._database.read() as connection:
            yield TimeView(connection, self._history)

    @contextmanager
    def writing(self) -> Iterator[TimeRepairing]:
        """Open a database transaction that holds the write lock, whatever the clock says.

        It commits where the block ends, and leaves nothing where the block raises.

        Raises:
            StoreError: nothing was recorded.
            CommitOutcomeUnknownError: it may have been.
        """
        self._check_usable()
        with self._leading, attempting(self._database) as attempt:
            yield TimeRepairing(attempt, self._fold, self._history)
        self._catch_up()
