"""What a process changed on the disk, in the order in which it happened.

A recording begins with what was there, as if it had just been made and brought to disk.
Its format is that of `tests/system_calls/interposer.c`.
"""

import os
import struct
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, NamedTuple, cast

from tests.faults.histories import Notes
from tests.system_calls.interposer import Interposer

Kind = Literal["O", "D", "W", "T", "S", "F", "R", "U", "M", "N"]
"""A file made, a directory made, bytes written, a length set, a file or directory brought
to disk, or in vain; a name changed, a name removed, a file mapped to be written, a note."""

_HEAD = struct.Struct("=cQqII")


class Operation(NamedTuple):
    """One change.

    Attributes:
        inode: of the file or directory; 0 where a name says which.
        offset: of what is written, or the length that is set.
        path: what is made, removed or renamed.
        content: what is written; the new name; the note.
    """

    kind: Kind
    inode: int = 0
    offset: int = 0
    path: str = ""
    content: bytes = b""


def record(
    live: Callable[[Path, Notes], None],
    changed: Callable[[], None],
    directory: Path,
    recording: Path,
    pipe: Connection,
) -> None:
    """Record what something does to the files of a directory.

    Args:
        live: what is done; it notes what was acknowledged.
        changed: makes the product another one before, in this process.
    """
    changed()
    interposer = Interposer(directory)
    interposer.record(recording)
    live(directory, Notes(interposer.note))
    pipe.send("done")


def write_what_is_there(directory: Path, recording: Path) -> None:
    """Write a recording of how all that is in a directory could have come there."""
    with recording.open("wb") as file:
        for operation in _made(directory):
            path = os.fsencode(operation.path)
            sizes = len(path), len(operation.content)
            kind = operation.kind.encode()
            head = _HEAD.pack(kind, operation.inode, operation.offset, *sizes)
            file.write(head + path + operation.content)


def read_operations(recording: Path) -> Iterator[Operation]:
    """Read a recording."""
    content = recording.read_bytes()
    at = 0
    while at < len(content):
        kind, inode, offset, *sizes = _HEAD.unpack_from(content, at)
        path_at = at + _HEAD.size
        content_at = path_at + sizes[0]
        at = content_at + sizes[1]
        yield Operation(
            kind=cast(Kind, kind.decode()),
            inode=inode,
            offset=offset,
            path=os.fsdecode(content[path_at:content_at]),
            content=content[content_at:at],
        )


def _made(directory: Path) -> Iterator[Operation]:
    inode = directory.stat().st_ino
    yield Operation("D", inode, path=str(directory))
    for path in sorted(directory.iterdir()):
        if path.is_dir():
            yield from _made(path)
        else:
            number = path.stat().st_ino
            yield Operation("O", number, path=str(path))
            yield Operation("W", number, content=path.read_bytes())
            yield Operation("S", number)
    yield Operation("S", inode)
