"""Making a branch: a store that begins as another one, and that the other never hears of.

A branch has the log up to a position, reads the segments of its origin where they are, and
writes beside itself alone. Its epoch is its own, and no webhook is sent from it. It is
made in one database transaction: a kill leaves a branch or none.
"""

from collections.abc import Callable
from pathlib import Path

from ledger.ancestry.ancestors import Ancestor
from ledger.ancestry.shared_segments import urls_of
from ledger.commits import read_head
from ledger.copying.absent import new_log
from ledger.copying.copying import commit_around, copy_log
from ledger.database.shown_addresses import shown_address
from ledger.database.sqlite import SQLiteDatabase
from ledger.opening import rebuild_tables
from ledger.places import Place
from metering.arguments.times import Time
from metering.errors import InvalidRequestError
from metering.store.engine import Engine
from metering.store.positions import position_asked_for
from projections.copying import copy_tables
from projections.folds import FactTables


def make_branch(
    engine: Engine, origin: Place, open_target: Callable[[], Place], at: Time | None
) -> Place:
    """Make a store of what an engine's log holds up to a position, and return its place.

    Args:
        engine: of the origin.
        origin: where the origin lies.
        open_target: opens where the branch is to lie, which has no store.
        at: the position, or a time; None is where the log ends.

    Raises:
        InvalidRequestError: the position is none at which the log can be parted.
        StoreUnavailableError: there is a store already.
        StoreError, SegmentStoreError: one of the two cannot be used; no branch was made.
    """
    reader = engine.log.sealed.reader
    with engine.log.read() as connection:
        head = read_head(connection)
        position = head.position
        if at is not None:
            position = position_asked_for(engine, at, head.position, "at")
            _check_end(position, commit_around(connection, reader, position))
        parent = Ancestor(
            epoch=head.epoch,
            up_to=position,
            store=_shown(origin),
            segments=urls_of(origin.segments),
            runs=str((origin.runs / head.epoch).absolute()),
            is_rehearsed=True,
        )
        lineage = engine.log.lineage.child(parent, engine.ids.epoch())
        target = open_target()
        try:
            with new_log(target.database) as made:
                copy_log(connection, reader, position, made, lineage)
                if position == head.position:
                    copy_tables(connection, made)
                else:
                    # Nor are checkpoints of alerts those of the end: what they promise to
                    # be recorded may have been recorded behind the position.
                    rebuild_tables(made, FactTables(), is_repair=False)
        except BaseException:
            target.database.close()
            raise
    return target


def check_apart(origin: Place, target: str) -> None:
    """Check that a branch would not lie where the origin, or what it shares, does.

    Raises:
        InvalidRequestError: it would.
    """
    if "://" in target or target == ":memory:":
        return
    wanted = Path(target).resolve()
    places = {
        origin.runs,
        *(Path(u) for u in urls_of(origin.segments) if "://" not in u),
    }
    if isinstance(origin.database, SQLiteDatabase):
        places.add(origin.database.directory)
    for place in sorted(each.resolve() for each in places):
        if wanted.is_relative_to(place):
            raise InvalidRequestError(
                f"Invalid target: {target} lies in {place}, which is the store's own;"
                " name a directory outside it",
                param="target",
            )


def _check_end(position: int, commit: tuple[int, int]) -> None:
    """Check that the commit that holds a position ends there: the log parts nowhere else.

    Raises:
        InvalidRequestError: it does not.
    """
    first, last = commit
    if position != last:
        raise InvalidRequestError(
            f"Invalid at: position {position} lies within a commit, which was recorded"
            f" as a whole; give {first - 1}, before it, or {last}, its end",
            param="at",
        )


def _shown(origin: Place) -> str:
    database = origin.database
    if isinstance(database, SQLiteDatabase):
        return str(database.directory.absolute())
    return shown_address(database.address)
