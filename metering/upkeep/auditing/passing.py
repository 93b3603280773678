"""Passing: one pass of the audit at a time, whoever makes it, each recorded with its end.

A pass is recorded beside the log, and what it found in the log as well, in one database
transaction: a process that dies before leaves the pass to others, which go on with it.
Found again, the same differences are no news.
"""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from time import monotonic

from ledger.facts.audits import AuditFailed
from ledger.records.audits.passes import Passes, PassFindings, StoredPass
from metering.store.engine import Engine
from metering.upkeep.auditing.comparing import Comparing

_SECONDS_BETWEEN_RENEWALS = 10.0


class PassAbandonedError(Exception):
    """A pass was given up, or another process goes on with it."""


class Passing:
    """A pass that this process makes.

    Args:
        engine: of the store.
        claimed: the pass, as it was claimed.
        holder: this process.
    """

    def __init__(self, engine: Engine, claimed: StoredPass, holder: str) -> None:
        self._engine = engine
        self._claimed = claimed
        self._holder = holder
        self._renewed = monotonic()
        goes_on = claimed.reached > 0
        self._comparing = Comparing(
            engine, with_files=claimed.with_files, goes_on=goes_on
        )

    @property
    def audit_id(self) -> str:
        """Its id."""
        return self._claimed.audit_id

    @property
    def place(self) -> tuple[int, int]:
        """The position up to which it has come, and the last one."""
        return self._comparing.reached, self._comparing.position

    def pieces(self) -> Generator[None]:
        """Make the pass, and yield after each piece of it.

        Raises:
            StoreError: the store cannot be read now; the pass can be gone on with.
            PassAbandonedError: another process goes on with it.
        """
        is_over = False
        try:
            with self._comparing as comparing:
                for _ in comparing.pieces():
                    self._renew()
                    yield
                is_over = True
                self._end(comparing.findings())
                comparing.end()
        finally:
            if not is_over:
                self._release()

    def _renew(self) -> None:
        if monotonic() < self._renewed + _SECONDS_BETWEEN_RENEWALS:
            return
        self._renewed = monotonic()
        reached, position = self.place
        with self._engine.log.writing_beside() as connection:
            now = self._engine.log.judge.real_time(connection, self._engine.now())
            is_ours = Passes(connection).renew(
                self._claimed.audit_id,
                self._holder,
                now,
                reached=reached,
                position=position,
            )
        if not is_ours:
            raise PassAbandonedError

    def _release(self) -> None:
        reached, position = self.place
        with self._engine.log.writing_beside() as connection:
            Passes(connection).release(
                self._claimed.audit_id,
                self._holder,
                reached=reached,
                position=position,
            )

    def _end(self, findings: PassFindings) -> None:
        with self._engine.writing() as writing:
            passes = Passes(writing.connection)
            before = passes.ended(1)
            _, position = self.place
            ended = replace(
                self._claimed,
                ended_at=writing.real_now,
                holder=None,
                claimed_until=0,
                reached=position,
                position=position,
                findings=findings,
            )
            if not passes.end(ended, self._holder):
                raise PassAbandonedError
            known = before[0].findings.differences if before else ()
            if findings.differences and findings.differences != known:
                failed = AuditFailed(
                    audit_id=ended.audit_id,
                    up_to=position,
                    difference_count=findings.difference_count,
                    first=findings.differences[0],
                )
                writing.record([failed])


def claimed_pass(engine: Engine, *, with_files: bool) -> Passing | None:
    """Begin a pass, or go on with one; None where another process makes one."""
    holder = engine.ids.epoch()
    with engine.writing() as writing:
        claimed = Passes(writing.connection).claim(
            engine.new_id("aud"), holder, writing.real_now, with_files=with_files
        )
    return None if claimed is None else Passing(engine, claimed, holder)


def make_pass(
    engine: Engine, progress: Callable[[int, int], None] | None, *, with_files: bool
) -> StoredPass | None:
    """Make a pass without a rest; None where another process makes one.

    Raises:
        StoreError: the store cannot be read now; the next one goes on.
    """
    passing = claimed_pass(engine, with_files=with_files)
    if passing is None:
        return None
    with closing(passing.pieces()) as pieces:
        try:
            for _ in pieces:
                if progress is not None:
                    progress(*passing.place)
        except PassAbandonedError:
            return None
    with engine.log.read() as connection:
        return Passes(connection).find(passing.audit_id)
