"""Passes of the audit: one at a time, whoever makes it, and what the last ones found.

They lie beside the log, since a pass that finds nothing is no news. What one finds is
recorded in the log as well.

A process makes a pass while it holds its lease, which it renews. One that dies lets it
expire, and another goes on with the pass. A lease that lies further ahead than any is
taken was written by a clock that was wrong, and is over.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)

from ledger.database.rows import FLAG, RowFormat, packed_codec
from ledger.records.tables import metadata

LEASE = 120_000_000
"""For how long a lease is taken, in microseconds."""
PASSES_KEPT = 100

# One row a pass; at most one of them has not ended.
audit_pass = Table(
    "audit_pass",
    metadata,
    Column("audit_id", String(64), primary_key=True),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=True),
    Column("holder", String(64), nullable=True),
    Column("claimed_until", BigInteger, nullable=False),
    Column("reached", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("with_files", Integer, nullable=False),
    Column("findings", LargeBinary, nullable=False),
)
_pass = audit_pass.c


class MeterFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A meter whose hourly totals were compared.

    Attributes:
        event_name: of the meter.
        totals: how many hourly totals of its customers there are.
        differing: how many of them are not what their events add up to.
    """

    event_name: str
    totals: int
    differing: int


class SegmentFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A segment whose events were added up.

    Attributes:
        name: of its file.
        after: the position before its first.
        up_to: its last position.
    """

    name: str
    after: int
    up_to: int


class PassFindings(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass found.

    Attributes:
        entries: how many entries were acknowledged up to its position.
        entries_present: how many of them are there.
        meters: whose hourly totals were compared, by event name.
        segments: whose events were added up, in the order of the log.
        differences: the first ones, a sentence each.
        difference_count: of all of them.
    """

    entries: int = 0
    entries_present: int = 0
    meters: tuple[MeterFinding, ...] = ()
    segments: tuple[SegmentFinding, ...] = ()
    differences: tuple[str, ...] = ()
    difference_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPass:
    """A pass. Times are microseconds since 1970 UTC.

    Attributes:
        ended_at: None while it is under way.
        holder: the process that makes it; None where it has ended.
        claimed_until: when the lease expires, 0 where it has ended.
        reached: the position up to which it has come.
        position: the last position that it compares.
        with_files: whether it reads whether files of segments are what was sealed.
    """

    audit_id: str
    started_at: int
    ended_at: int | None
    holder: str | None
    claimed_until: int
    reached: int
    position: int
    with_files: bool
    findings: PassFindings


PASSES = RowFormat(
    audit_pass,
    StoredPass,
    {"with_files": FLAG, "findings": packed_codec(PassFindings)},
)


class Passes:
    """Passes of the audit, as one database transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def running(self) -> StoredPass | None:
        """Return the pass that is under way, whoever makes it."""
        found = self._read(select(audit_pass).where(_pass.ended_at.is_(None)))
        return found[0] if found else None

    def ended(self, at_most: int) -> list[StoredPass]:
        """Return the passes that have ended, the newest first."""
        return self._read(
            select(audit_pass)
            .where(_pass.ended_at.is_not(None))
            .order_by(_pass.ended_at.desc(), _pass.audit_id.desc())
            .limit(at_most)
        )

    def find(self, audit_id: str) -> StoredPass | None:
        """Return a pass, None where there is none, or none any more."""
        found = self._read(select(audit_pass).where(_pass.audit_id == audit_id))
        return found[0] if found else None

    def last_with_files(self) -> StoredPass | None:
        """Return the last pass that has ended and read the files of segments."""
        found = self._read(
            select(audit_pass)
            .where(_pass.ended_at.is_not(None), _pass.with_files == 1)
            .order_by(_pass.ended_at.desc(), _pass.audit_id.desc())
            .limit(1)
        )
        return found[0] if found else None

    def claim(
        self, audit_id: str, holder: str, now: int, *, with_files: bool
    ) -> StoredPass | None:
        """Begin a pass, or go on with one that its maker has left, under the write lock.

        Args:
            audit_id: of a new one.
            holder: the process.
            now: the real time.
            with_files: whether a new one reads the files of segments.

        Returns:
            The pass; None where another process makes one.
        """
        running = self.running()
        if running is not None:
            is_held = now < running.claimed_until <= now + LEASE
            if is_held and running.holder != holder:
                return None
            self._change(running.audit_id, holder=holder, claimed_until=now + LEASE)
            return running
        made = StoredPass(
            audit_id=audit_id,
            started_at=now,
            ended_at=None,
            holder=holder,
            claimed_until=now + LEASE,
            reached=0,
            position=0,
            with_files=with_files,
            findings=PassFindings(),
        )
        self._connection.execute(insert(audit_pass), PASSES.named(made))
        return made

    def renew(
        self, audit_id: str, holder: str, now: int, *, reached: int, position: int
    ) -> bool:
        """Extend a lease, and return whether it was still the holder's."""
        changed = self._connection.execute(
            update(audit_pass)
            .where(_pass.audit_id == audit_id, _pass.holder == holder)
            .values(claimed_until=now + LEASE, reached=reached, position=position)
        )
        return changed.rowcount == 1

    def release(
        self, audit_id: str, holder: str, *, reached: int, position: int
    ) -> None:
        """Give a lease back, so that another process goes on."""
        self._connection.execute(
            update(audit_pass)
            .where(_pass.audit_id == audit_id, _pass.holder == holder)
            .values(holder=None, claimed_until=0, reached=reached, position=position)
        )

    def end(self, ended: StoredPass, holder: str) -> bool:
        """End a pass, and return whether it was still the holder's.

        Passes that ended before many others are deleted.
        """
        values = PASSES.named(ended)
        changed = self._connection.execute(
            update(audit_pass)
            .where(_pass.audit_id == ended.audit_id, _pass.holder == holder)
            .values(values)
        )
        if changed.rowcount != 1:
            return False
        kept = [each.audit_id for each in self.ended(PASSES_KEPT)]
        if len(kept) == PASSES_KEPT:
            self._connection.execute(
                delete(audit_pass).where(
                    _pass.ended_at.is_not(None), _pass.audit_id.not_in(kept)
                )
            )
        return True

    def _change(self, audit_id: str, **values: object) -> None:
        self._connection.execute(
            update(audit_pass).where(_pass.audit_id == audit_id).values(values)
        )

    def _read(self, wanted: Select[Any]) -> list[StoredPass]:
        return [PASSES.read(row) for row in self._connection.execute(wanted)]
