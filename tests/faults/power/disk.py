"""A disk after a power loss: what was brought to it is there, of the rest anything may be.

Of a file, that is what was written and how long it was made since its last sync: all of
it, none, some in any order, some torn between sectors or pages, or only the length. Of a
directory, that is the names made, changed and removed since its own last sync: a new file
may be there without its data, or its data without the file. To bring a file to disk
brings none of its names there. After a sync that failed, what it was to bring may be gone
for good, although a later one succeeds: the system takes it for written.

Sources: Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014); Rebello et
al., "Can Applications Recover from fsync Failures?" (ATC 2020).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import pairwise
from random import Random
from typing import NamedTuple

from tests.faults.power.recording import Kind, Operation

SECTOR, PAGE = 512, 4096
Image = Mapping[str, bytes | None]
"""What is on a disk, by path; None is a directory."""


class Fate(Enum):
    """What becomes of that which was not brought to disk."""

    KEPT = auto()
    LOST = auto()
    BEGUN = auto()
    SOME = auto()
    LENGTH = auto()


class Write(NamedTuple):
    """Bytes at a place of a file."""

    offset: int
    content: bytes


class Length(NamedTuple):
    """A length that was set."""

    length: int


@dataclass(slots=True, eq=False)
class File:
    """A file: what it seems to hold, what is on the disk, and what may be."""

    content: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    pending: list[Write | Length] = field(default_factory=list)
    doomed: int = 0
    is_mapped: bool = False

    def change(self, change: Write | Length) -> None:
        _apply(self.content, change)
        self.pending.append(change)

    def sync(self) -> None:
        if self.doomed:
            durable = bytearray(self.durable)
            for change in self.pending[self.doomed :]:
                _apply(durable, change)
            self.durable = bytes(durable)
        else:
            self.durable = bytes(self.content)
        self.pending, self.doomed = [], 0

    def left(self, fate: Fate, generator: Random) -> bytes:
        """Return what may be left of it."""
        if not self.pending or fate is Fate.LOST:
            return self.durable
        if fate is Fate.KEPT:
            return bytes(self.content)
        left = bytearray(self.durable)
        for change in _drawn(self.pending, fate, generator):
            _apply(left, change)
        if fate is Fate.LENGTH:
            _apply(left, Length(len(self.content)))
        return bytes(left)


@dataclass(slots=True, eq=False)
class Directory:
    """A directory: its entries by name, and those on the disk."""

    entries: dict[str, "File | Directory"] = field(default_factory=dict)
    durable: dict[str, "File | Directory"] = field(default_factory=dict)
    pending: list[Mapping[str, "File | Directory | None"]] = field(default_factory=list)

    def change(self, change: Mapping[str, "File | Directory | None"]) -> None:
        _set(self.entries, change)
        self.pending.append(change)

    def sync(self) -> None:
        self.durable, self.pending = dict(self.entries), []

    def left(self, fate: Fate, generator: Random) -> dict[str, "File | Directory"]:
        """Return which entries may be left."""
        if fate is Fate.KEPT:
            return self.entries
        kept: Sequence[Mapping[str, File | Directory | None]] = []
        if fate is Fate.BEGUN:
            kept = self.pending[: generator.randrange(len(self.pending) + 1)]
        elif fate is not Fate.LOST:
            kept = [each for each in self.pending if generator.random() < 0.5]
        left = dict(self.durable)
        for change in kept:
            _set(left, change)
        return left


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """How a power loss is drawn.

    Attributes:
        files: what becomes of the contents of files; None draws it for each.
        names: what becomes of the names in directories.
        generator: draws what is not said.
    """

    files: Fate | None
    names: Fate
    generator: Random

    def of_a_file(self) -> Fate:
        return self.files or self.generator.choice([*Fate])


class Disk:
    """The files below one directory, which is on the disk itself.

    Args:
        root: its path.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._top = Directory()
        self._by_inode: dict[int, File | Directory] = {}
        self._deeds: Mapping[Kind, Callable[[Operation], None]] = {
            "O": self._make,
            "D": self._make,
            "W": self._change,
            "T": self._change,
            "S": self._sync,
            "F": self._sync_in_vain,
            "R": self._rename,
            "U": self._remove,
            "M": self._map,
            "N": lambda _: None,
        }

    def take_in(self, operation: Operation) -> None:
        """Let an operation happen."""
        self._deeds[operation.kind](operation)

    def left(self, left: Left) -> Image:
        """Return what a power loss leaves."""
        image: dict[str, bytes | None] = {}
        self._leave(self._top, "", image, left)
        return image

    def mapped(self) -> set[str]:
        """Return the files that are changed unseen, since a process has them mapped."""
        return {
            path
            for path, each in _walk(self._top, "")
            if isinstance(each, File) and each.is_mapped
        }

    def _leave(
        self,
        directory: Directory,
        path: str,
        image: dict[str, bytes | None],
        left: Left,
    ) -> None:
        for name, entry in sorted(directory.left(left.names, left.generator).items()):
            at = f"{path}{name}"
            if isinstance(entry, Directory):
                image[at] = None
                self._leave(entry, f"{at}/", image, left)
            else:
                image[at] = entry.left(left.of_a_file(), left.generator)

    def _make(self, operation: Operation) -> None:
        made: File | Directory = File() if operation.kind == "O" else Directory()
        if operation.path == self._root:
            made = self._top
        else:
            parent, name = self._parent(operation.path)
            parent.change({name: made})
        # The number of a file that was removed is given to another one.
        self._by_inode[operation.inode] = made

    def _change(self, operation: Operation) -> None:
        length, content = operation.offset, operation.content
        is_write = operation.kind == "W"
        change = Write(operation.offset, content) if is_write else Length(length)
        self._file(operation).change(change)

    def _sync(self, operation: Operation) -> None:
        self._by_inode[operation.inode].sync()

    def _sync_in_vain(self, operation: Operation) -> None:
        failed = self._by_inode[operation.inode]
        if isinstance(failed, File):
            failed.doomed = len(failed.pending)

    def _rename(self, operation: Operation) -> None:
        parent, name = self._parent(operation.path)
        other, new = self._parent(operation.content.decode())
        entry = parent.entries[name]
        if parent is other:
            parent.change({name: None, new: entry})
        else:
            parent.change({name: None})
            other.change({new: entry})

    def _remove(self, operation: Operation) -> None:
        parent, name = self._parent(operation.path)
        parent.change({name: None})

    def _map(self, operation: Operation) -> None:
        self._file(operation).is_mapped = True

    def _file(self, operation: Operation) -> File:
        file = self._by_inode[operation.inode]
        assert isinstance(file, File), operation
        return file

    def _parent(self, path: str) -> tuple[Directory, str]:
        *between, name = path.removeprefix(f"{self._root}/").split("/")
        found = self._top
        for each in between:
            entry = found.entries[each]
            assert isinstance(entry, Directory), path
            found = entry
        return found, name


def _apply(content: bytearray, change: Write | Length) -> None:
    length = len(content)
    if isinstance(change, Length):
        del content[change.length :]
        content.extend(bytes(max(0, change.length - length)))
    else:
        content.extend(bytes(max(0, change.offset - length)))
        content[change.offset : change.offset + len(change.content)] = change.content


def _set(
    entries: dict[str, File | Directory],
    change: Mapping[str, File | Directory | None],
) -> None:
    for name, entry in change.items():
        if entry is None:
            entries.pop(name, None)
        else:
            entries[name] = entry


def _drawn(
    pending: Sequence[Write | Length], fate: Fate, generator: Random
) -> list[Write | Length]:
    """Draw what of some changes came to the disk."""
    if fate is Fate.BEGUN:
        begun = generator.randrange(len(pending) + 1)
        torn = [_torn(each, generator) for each in pending[begun : begun + 1]]
        return [*pending[:begun], *(part for parts in torn for part in parts)]
    share = generator.choice([0.1, 0.5, 0.9])
    drawn: list[Write | Length] = []
    for each in pending:
        if generator.random() < share:
            is_whole = generator.random() < 0.7
            drawn += [each] if is_whole else _torn(each, generator)
    return drawn


def _torn(change: Write | Length, generator: Random) -> list[Write | Length]:
    """Draw which sectors or pages of a change came to the disk."""
    if isinstance(change, Length):
        return [change]
    unit = generator.choice([SECTOR, PAGE])
    first = -change.offset % unit
    cuts = [0, *range(first or unit, len(change.content), unit), len(change.content)]
    return [
        Write(change.offset + start, change.content[start:end])
        for start, end in pairwise(cuts)
        if generator.random() < 0.5
    ]


def _walk(directory: Directory, path: str) -> list[tuple[str, File | Directory]]:
    found: list[tuple[str, File | Directory]] = []
    for name, entry in directory.entries.items():
        found.append((f"{path}{name}", entry))
        if isinstance(entry, Directory):
            found += _walk(entry, f"{path}{name}/")
    return found
