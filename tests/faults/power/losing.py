"""Own the loss of power: every state that a recording may leave, checked by the product."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.faults.histories import History, judged
from tests.faults.power.disk import Disk, Fate, Image, Left
from tests.faults.power.recording import (
    Operation,
    read_operations,
    record,
    write_what_is_there,
)
from tests.processes import Child, said
from tests.profiles import drawing, memory_directory

_SAID_EVERY = 5
_LONG_EVERY = 10
# Of contents and of names. The plain ones first, and of those the hardest.
_FATES = (
    (Fate.LOST, Fate.LOST),
    (Fate.KEPT, Fate.LOST),
    (Fate.LOST, Fate.KEPT),
    (Fate.KEPT, Fate.KEPT),
)


@dataclass(slots=True, kw_only=True)
class Losses:
    """What losses of power have left.

    Attributes:
        states: how many different states were checked.
        lost: in how many of them something acknowledged was not there.
        doubled: in how many of them something was there more than once.
        findings: what was wrong in the first of those that were not as they must be.
    """

    states: int = 0
    lost: int = 0
    doubled: int = 0
    findings: list[str] = field(default_factory=list)

    def add(self, other: "Losses") -> None:
        self.states += other.states
        self.lost += other.lost
        self.doubled += other.doubled
        self.findings += other.findings


@dataclass(frozen=True, slots=True)
class Part:
    """Of the operations of a history every second, third, …; all parts are all of them.

    Attributes:
        history: its name; the states are drawn by it.
        number: of the part, from 0.
        count: how many parts there are.
    """

    history: str
    number: int = 0
    count: int = 1

    def __str__(self) -> str:
        return f"{self.history} {self.number + 1} of {self.count}"

    def has(self, operation: int) -> bool:
        """Whether power is lost after this operation, by its number."""
        return operation % self.count == self.number


class State(NamedTuple):
    """What a loss of power has left.

    Attributes:
        name: says when it was, and which of what may be left.
        notes: what the history had noted by then.
    """

    name: str
    notes: Sequence[str]
    image: Image


def unchanged() -> None:
    """Leave the product as it is."""


def lose_power(
    history: History,
    processes: ForkServerContext,
    tries: int,
    part: Part,
    changed: Callable[[], None] = unchanged,
) -> Iterator[Losses]:
    """Live through a history, and yield what some of the states show that it may leave.

    Args:
        tries: how many states to check.
        part: after which operations.
        changed: makes the product another one while it is recorded.
    """
    with memory_directory() as parent:
        directory, recording = parent / "disk", parent / "recording"
        directory.mkdir()
        _done(Child(processes, prepare, history, directory, recording), part)
        lived = recording.with_suffix(".lived")
        child = Child(processes, record, history.live, changed, directory, lived)
        _done(child, part)
        with recording.open("ab") as file:
            file.write(lived.read_bytes())
        task = CheckedStates(
            history=history,
            directory=directory,
            recording=recording,
            tries=tries,
            part=part,
        )
        child = Child(processes, task.check)
        try:
            yield from said(child)
            assert child.exit_code() == 0, f"{part}: a state ended the process"
        finally:
            child.kill()
            child.exit_code()


def _done(child: Child, part: Part) -> None:
    assert list(said(child)) == ["done"], part


def prepare(
    history: History, directory: Path, recording: Path, pipe: Connection
) -> None:
    """Make what is there before a history begins, and record it."""
    history.prepare(directory)
    write_what_is_there(directory, recording)
    pipe.send("done")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedStates:
    """What a process checks: states that are drawn from a recording."""

    history: History
    directory: Path
    recording: Path
    tries: int
    part: Part

    def check(self, pipe: Connection) -> None:
        """Check them, and say from time to time what was found."""
        operations = list(read_operations(self.recording))
        assert_complete(operations, self.directory)
        losses = Losses()
        states = drawn(operations, self.directory, self.tries, self.part)
        for number, state in enumerate(states):
            is_long = number % _LONG_EVERY == 0
            losses.add(checked(self.history, state, self.directory, is_long=is_long))
            if losses.states == _SAID_EVERY:
                pipe.send(losses)
                losses = Losses()
        pipe.send(losses)


def checked(
    history: History, state: State, directory: Path, *, is_long: bool
) -> Losses:
    """Let the product open what is left, and go on with it."""
    shutil.rmtree(directory)
    write_image(state.image, directory)
    found = judged(history, directory, state.notes, is_long=is_long)
    findings = [f"{state.name}: {found.finding}"] if found.finding else []
    return Losses(states=1, lost=found.lost, doubled=found.doubled, findings=findings)


def drawn(
    operations: Sequence[Operation], directory: Path, tries: int, part: Part
) -> Iterator[State]:
    """Draw states, each of them once: at any operation of a part, in any way.

    Each way is taken in turn through the whole recording, until there were enough.
    """
    begun = next(n for n, each in enumerate(operations) if each.kind == "N")
    # In a small search a state is taken now and then, so that all ways have their turn.
    generator = drawing(str(part))
    share = min(1.0, tries * part.count / (len(operations) - begun) / 6)
    seen, left, turn = set[bytes](), tries, 0
    while left:
        disk, notes = Disk(str(directory)), list[str]()
        found = 0
        for number, operation in enumerate(operations):
            disk.take_in(operation)
            if operation.kind == "N":
                notes.append(operation.content.decode())
            if number < begun or not left or not part.has(number):
                continue
            if generator.random() > share:
                continue
            way = turn if turn < len(_FATES) else generator.randrange(1 << 32)
            image = image_of(disk, way)
            key = digest_of(image, notes)
            if key not in seen:
                seen.add(key)
                found, left = found + 1, left - 1
                yield State(f"operation {number}, way {way}", list(notes), image)
        turn += 1
        if turn > len(_FATES) and not found and share == 1.0:
            return


def image_of(disk: Disk, way: int) -> Image:
    """Return what is left in one of the ways in which it may be."""
    generator = Random(way)
    plain = _FATES[way] if way < len(_FATES) else (None, generator.choice([*Fate]))
    return disk.left(Left(files=plain[0], names=plain[1], generator=generator))


def digest_of(image: Image, notes: Sequence[str]) -> bytes:
    """Tell states apart: by what is there, and by what must be."""
    digest = blake2b(f"{len(notes)}".encode(), digest_size=16)
    for path, content in image.items():
        digest.update(f"{path}\0{content is None}\0".encode())
        digest.update(content or b"")
    return digest.digest()


def write_image(image: Image, directory: Path) -> None:
    """Put on a real disk what is left on one."""
    directory.mkdir()
    for path, content in image.items():
        if content is None:
            (directory / path).mkdir()
        else:
            (directory / path).write_bytes(content)


def assert_complete(operations: Sequence[Operation], directory: Path) -> None:
    """Check that nothing was changed but what was recorded."""
    disk = Disk(str(directory))
    for operation in operations:
        disk.take_in(operation)
    image = image_of(disk, _FATES.index((Fate.KEPT, Fate.KEPT)))
    there = {
        str(path.relative_to(directory)): None if path.is_dir() else path.read_bytes()
        for path in directory.rglob("*")
    }
    unseen = disk.mapped()
    assert image.keys() == there.keys()
    assert [
        path for path in image if image[path] != there[path] and path not in unseen
    ] == []
    # Only what SQLite makes anew when it is opened may be changed unseen.
    assert all(path.endswith("-shm") for path in unseen), unseen
