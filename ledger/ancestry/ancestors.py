"""What a log is descended from: the statements on its table, and what follows from them.

A log that begins with the entries of another one goes on under an epoch of its own, so
that nothing that it makes can be taken for the other's. Its hash chain is that of the
other up to where they part: it begins with the digest of the first ancestor's epoch.
"""

from collections.abc import Sequence
from itertools import takewhile

import msgspec
from sqlalchemy import Connection, select

from ledger.commits import read_head
from ledger.database.bulk import insert_rows
from ledger.database.rows import FLAG, RowFormat, packed_codec
from ledger.entries import Head, genesis_head
from ledger.schema import log_ancestor

_ANCESTORS = select(log_ancestor).order_by(log_ancestor.c.number)


class Ancestor(msgspec.Struct, frozen=True, kw_only=True):
    """A log whose entries another one begins with.

    Attributes:
        epoch: its identity.
        up_to: the last position that the other has of it, or of the ones before it.
        store: its address, for messages.
        segments: the URLs of its segment store, which the other reads; none where that
            has all files itself.
        runs: its directory for runs, on the machine where they parted, if it is read.
        is_rehearsed: whether the other rehearses what is to come: nobody is told of it.
    """

    epoch: str
    up_to: int
    store: str
    segments: tuple[str, ...] = ()
    runs: str | None = None
    is_rehearsed: bool = False


_ROWS = RowFormat(
    log_ancestor,
    Ancestor,
    {"segments": packed_codec(tuple[str, ...], msgspec.json), "is_rehearsed": FLAG},
)


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """The epoch of a log, and its ancestors, the first of them first.

    Attributes:
        epoch: of the log itself.
        ancestors: none where it began by itself.
    """

    epoch: str
    ancestors: tuple[Ancestor, ...] = ()

    @property
    def origin(self) -> Ancestor | None:
        """The last log of which it, or a copy of it, is a branch; None of any other."""
        rehearsed = (each for each in reversed(self.ancestors) if each.is_rehearsed)
        return next(rehearsed, None)

    @property
    def is_rehearsal(self) -> bool:
        """Whether nobody is told of what happens in it: it, or an ancestor, is a branch."""
        return self.origin is not None

    @property
    def epochs(self) -> tuple[str, ...]:
        """The epochs under which its segments were sealed."""
        return (*(each.epoch for each in self.ancestors), self.epoch)

    @property
    def succeeded(self) -> tuple[str, ...]:
        """Its epoch, and those of logs in whose place it goes on: of no branch's origin."""
        others = takewhile(lambda each: not each.is_rehearsed, reversed(self.ancestors))
        return (self.epoch, *(each.epoch for each in others))

    def genesis(self) -> Head:
        """Return the head of the log before its first commit."""
        return msgspec.structs.replace(genesis_head(self.epochs[0]), epoch=self.epoch)

    def epoch_at(self, position: int) -> str:
        """Return the epoch of the log in which a position was recorded."""
        for ancestor in self.ancestors:
            if position <= ancestor.up_to:
                return ancestor.epoch
        return self.epoch

    def child(self, parent: Ancestor, epoch: str) -> "Lineage":
        """Return the lineage of a log that begins with the entries of this one.

        Args:
            parent: this log, up to where they part.
            epoch: of the other.
        """
        # Parted before this log and an ancestor did, it has less of the ancestor, whose
        # files it may read all the same.
        older = (
            msgspec.structs.replace(each, up_to=min(each.up_to, parent.up_to))
            for each in self.ancestors
        )
        return Lineage(epoch=epoch, ancestors=(*older, parent))


def read_lineage(connection: Connection) -> Lineage:
    """Read what the log is descended from.

    Raises:
        LogDamagedError, StoreDamagedError: what is stored is something else.
    """
    return Lineage(epoch=read_head(connection).epoch, ancestors=_read(connection))


def read_genesis(connection: Connection) -> Head:
    """Return the head that the log had before its first commit."""
    return read_lineage(connection).genesis()


def insert_ancestors(connection: Connection, ancestors: Sequence[Ancestor]) -> None:
    """Insert the ancestors of a new log."""
    rows = [_ROWS.row(each, number=number) for number, each in enumerate(ancestors)]
    insert_rows(connection, log_ancestor, rows)


def _read(connection: Connection) -> tuple[Ancestor, ...]:
    return tuple(_ROWS.read(row) for row in connection.execute(_ANCESTORS))
