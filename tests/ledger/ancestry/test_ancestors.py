"""A log that begins with the entries of another one has its chain, and an epoch of its own."""

from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import delete, update

from ledger.ancestry.ancestors import Ancestor, Lineage, insert_ancestors
from ledger.ancestry.shared_segments import SharedStore
from ledger.database.store import Database
from ledger.errors import LogDamagedError, SegmentMissingError
from ledger.runs.files import runs_in
from ledger.runs.run_set import RunSet
from ledger.schema import log_ancestor, log_head
from ledger.segments.directory import DirectoryStore
from tests.ledger.conftest import OpenDatabase, OpenLog
from tests.ledger.drafts import append, row, stored_rows
from tests.ledger.runs.catalogs import catalog
from tests.ledger.runs.numbered import Numbered, covered

NAME = "epoch-1-000000000000000-000000000000002-0123456789abcdef.parquet"
OWN = "epoch-2-000000000000002-000000000000003-0123456789abcdef.parquet"


def go_on_as(database: Database, epoch: str, *ancestors: Ancestor) -> None:
    """Let a log go on under another epoch, as a copy of it would."""
    with database.write() as connection:
        insert_ancestors(connection, ancestors)
        connection.execute(update(log_head).values(epoch=epoch))


def test_a_log_goes_on_from_its_ancestors_chain(
    open_log: OpenLog, open_store: OpenDatabase, tmp_path: Path
) -> None:
    first = open_log()
    append(first, row("a"), row("b"))
    first.seal()
    sealed = str(tmp_path / "segments")
    digests = [first.history.digest_at(position) for position in (0, 2)]
    go_on_as(
        open_store(),
        "epoch-2",
        Ancestor(epoch="epoch-1", up_to=2, store="first", segments=(sealed,)),
    )

    log = open_log(segments=DirectoryStore(tmp_path / "own"))
    append(log, row("c"))
    log.seal()

    assert stored_rows(log) == [(1, row("a")), (2, row("b")), (3, row("c"))]
    assert [log.history.digest_at(position) for position in (0, 2)] == digests
    assert log.head().epoch == "epoch-2"
    assert [log.lineage.epoch_at(at) for at in (1, 2, 3)] == ["epoch-1"] * 2 + [
        "epoch-2"
    ]
    assert [path.name[:7] for path in (tmp_path / "own").iterdir()] == ["epoch-2"]
    assert len(list((tmp_path / "segments").iterdir())) == 1


def test_without_its_ancestors_a_log_is_damaged(
    open_log: OpenLog, open_store: OpenDatabase
) -> None:
    append(open_log(), row("a"))
    go_on_as(open_store(), "epoch-2", Ancestor(epoch="epoch-1", up_to=1, store="first"))
    assert stored_rows(open_log()) == [(1, row("a"))]

    with open_store().write() as connection:
        connection.execute(delete(log_ancestor))

    with pytest.raises(LogDamagedError):
        stored_rows(open_log())


def test_a_child_that_parts_earlier_has_less_of_each_ancestor() -> None:
    lineage = Lineage(
        epoch="c",
        ancestors=(
            Ancestor(epoch="a", up_to=5, store="1"),
            Ancestor(epoch="b", up_to=9, store="2", is_rehearsed=True),
        ),
    )

    child = lineage.child(Ancestor(epoch="c", up_to=3, store="3"), "d")

    assert [(each.epoch, each.up_to) for each in child.ancestors] == [
        ("a", 3),
        ("b", 3),
        ("c", 3),
    ]
    assert [child.epoch_at(3), child.epoch_at(4)] == ["a", "d"]
    assert [lineage.epoch_at(at) for at in (5, 6, 9, 10)] == ["a", "b", "b", "c"]
    assert child.genesis().digest == Lineage(epoch="a").genesis().digest
    assert child.is_rehearsal
    assert not Lineage(epoch="a").is_rehearsal


def test_shared_files_are_read_and_left_alone(tmp_path: Path) -> None:
    theirs, ours = DirectoryStore(tmp_path / "a"), DirectoryStore(tmp_path / "b")
    theirs.put(NAME, pa.py_buffer(b"theirs"))
    store = SharedStore(ours, [theirs])

    store.put(OWN, pa.py_buffer(b"ours"))
    store.remove(NAME)
    store.sweep()

    assert store.open(NAME).read() == b"theirs"
    assert store.path(NAME) == str(tmp_path / "a" / NAME)
    assert (store.size(NAME), store.size("epoch-3-x")) == (6, None)
    assert store.names("epoch-") == [NAME, OWN]
    assert theirs.names("") == [NAME]
    assert ours.names("") == [OWN]

    theirs.remove(NAME)

    with pytest.raises(SegmentMissingError, match=str(tmp_path / "a")):
        store.open(NAME)


def test_shared_runs_are_read_and_left_alone(tmp_path: Path) -> None:
    ten = catalog(*range(1, 11))
    theirs, ours = tmp_path / "a", tmp_path / "b"
    covered(theirs, ten[:7], Numbered())
    before = sorted(theirs.iterdir())
    kind = Numbered()

    covering = RunSet(ours, kind, [theirs, tmp_path / "absent"]).cover(ten, kind.build)

    assert [len(run.positions) for run in covering] == [36, 9, 10]
    assert sorted(kind.built) == ["28-36", "36-45", "45-55"]
    assert sorted(theirs.iterdir()) == before
    assert len(runs_in(ours, "numbers")) == 3
