"""Writers of one file take turns, and none waits for one that has ended or stands still."""

import os
import signal
import sqlite3
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from sqlalchemy import text

from ledger.database.settings import DatabaseSettings
from ledger.database.sqlite import SQLiteDatabase
from ledger.database.turns import Turns
from ledger.errors import StoreBusyError
from tests.processes import Child, said, warm_processes
from tests.waiting import eventually

LONG = 60.0
WRITERS = 6


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[Turns]:
    opened = Turns(tmp_path / "turns", LONG)
    yield opened
    opened.close()


@pytest.fixture
def processes() -> ForkServerContext:
    return warm_processes()


def test_turns_come_in_the_order_in_which_they_were_asked_for(
    turns: Turns, tmp_path: Path
) -> None:
    came = list[int]()

    def write(number: int) -> None:
        with closing(Turns(tmp_path / "turns", LONG)) as own, own.taken(LONG):
            came.append(number)

    with turns.taken(LONG) as turn:
        threads = [threading.Thread(target=write, args=(n,)) for n in range(WRITERS)]
        for number, thread in enumerate(threads, 2):
            assert not turn.is_awaited or number > 2
            thread.start()
            eventually(lambda number=number: turns.last_number() == number)  # type: ignore[misc]  # a default is no argument
        assert turn.is_awaited
        assert came == []
    for thread in threads:
        thread.join()

    assert came == list(range(WRITERS))


def test_a_turn_is_free_once_it_ends(turns: Turns) -> None:
    for _ in range(3):
        with turns.taken(LONG) as turn:
            turn.begin()
            # Its own place is no other writer's.
            assert turns.holder() is None

    assert turns.last_number() == 3


def take_a_turn(path: Path, pipe: Connection) -> None:
    with Turns(path).taken(LONG) as turn:
        turn.begin()
        pipe.send(os.getpid())
        pipe.recv()


def wait_for_a_turn(path: Path, pipe: Connection) -> None:
    pipe.send(os.getpid())
    take_a_turn(path, pipe)


def test_a_process_killed_in_its_turn_or_in_the_queue_holds_up_nobody(
    turns: Turns, tmp_path: Path, processes: ForkServerContext
) -> None:
    holder = Child(processes, take_a_turn, tmp_path / "turns")
    process = next(said(holder))
    waiting = Child(processes, wait_for_a_turn, tmp_path / "turns")
    next(said(waiting))
    eventually(lambda: turns.last_number() == 2)
    held = turns.holder()
    assert held is not None
    assert held.process == process

    waiting.kill()
    waiting.exit_code()
    holder.kill()
    holder.exit_code()

    with turns.taken(LONG) as turn:
        assert turn.waited_seconds < LONG
    assert turns.holder() is None


def test_a_process_that_was_stopped_in_its_turn_is_passed(
    tmp_path: Path, processes: ForkServerContext
) -> None:
    stopped = Child(processes, take_a_turn, tmp_path / "turns")
    process = next(said(stopped))
    os.kill(process, signal.SIGSTOP)
    try:
        with (
            closing(Turns(tmp_path / "turns", patience_seconds=0.01)) as turns,
            turns.taken(LONG) as turn,
        ):
            assert turn.waited_seconds < LONG
    finally:
        stopped.kill()


def take_a_turn_and_fork(path: Path, pipe: Connection) -> None:
    with Turns(path).taken(LONG):
        child = os.fork()
        if child == 0:
            signal.pause()
        pipe.send(child)
        pipe.recv()


def test_a_forked_child_does_not_keep_the_turn_of_a_parent_that_was_killed(
    turns: Turns, tmp_path: Path, processes: ForkServerContext
) -> None:
    parent = Child(processes, take_a_turn_and_fork, tmp_path / "turns")
    orphan = next(said(parent))
    try:
        parent.kill()
        parent.exit_code()

        # Not passed, but free.
        assert not turns._is_taken(1)  # noqa: SLF001  # what the kernel says
    finally:
        with suppress(ProcessLookupError):
            os.kill(orphan, signal.SIGKILL)


def test_writers_go_without_a_queue_where_there_is_no_room_for_it(
    tmp_path: Path,
) -> None:
    with (
        closing(Turns(tmp_path / "absent" / "turns")) as none,
        none.taken(LONG) as turn,
    ):
        turn.begin()

        assert not turn.is_awaited
        assert none.holder() is None


def test_a_writer_that_waited_in_vain_is_told_who_writes(tmp_path: Path) -> None:
    file = tmp_path / "log.db"
    settings = DatabaseSettings(lock_timeout=timedelta(milliseconds=20))
    with (
        closing(SQLiteDatabase(file)) as database,
        closing(SQLiteDatabase(file, settings)) as other,
    ):
        with database.write():
            with pytest.raises(StoreBusyError) as caught, other.write():
                pytest.fail("two write at once")
            assert f"; process {os.getpid()} began to write" in caught.value.reason
            assert caught.value.reason.startswith("database is locked")

        with other.write() as connection:
            connection.execute(text("CREATE TABLE number (value integer)"))


def test_a_writer_that_knows_of_no_queue_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "log.db"
    settings = DatabaseSettings(lock_timeout=timedelta(milliseconds=20))
    with (
        closing(SQLiteDatabase(file, settings)) as database,
        closing(sqlite3.connect(file, isolation_level=None)) as stranger,
    ):
        stranger.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError) as caught, database.write():
            pytest.fail("two write at once")
        assert caught.value.reason == "database is locked"

        stranger.execute("ROLLBACK")
        with database.write() as connection:
            connection.execute(text("CREATE TABLE number (value integer)"))


@pytest.mark.parametrize("number", [-(1 << 63), -1, 1 << 62, (1 << 63) - 1])
def test_whatever_the_side_file_says_turns_come(
    turns: Turns, tmp_path: Path, number: int
) -> None:
    (tmp_path / "turns").write_bytes(struct.pack("q", number))

    for _ in range(3):
        with turns.taken(LONG):
            pass

    assert turns.last_number() == 3


def test_a_side_file_that_fails_in_a_turn_fails_no_writer(
    turns: Turns, tmp_path: Path
) -> None:
    with turns.taken(LONG) as turn:
        # As a network file system may take it away.
        os.close(descriptor_of(tmp_path / "turns"))
        assert not turn.is_awaited
        turn.begin()
        assert turns.holder() is None

    with turns.taken(LONG) as turn:
        assert not turn.is_awaited


def descriptor_of(path: Path) -> int:
    [found] = [
        int(entry.name)
        for entry in Path("/proc/self/fd").iterdir()
        if entry.is_symlink() and entry.readlink() == path
    ]
    return found
