"""Files of runs: how the arrays of one run are written, named, mapped and checked.

A run is one uncompressed Arrow IPC file of one row, whose cells are arrays: its columns
may have different lengths, and all are read where the file is mapped. The name says
what the run was made of, as the file itself does, and the checksum of the whole file;
what does not agree is no run. Nothing here is fsynced, because a run that is lost or
torn is found out and made again.
"""

import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
from xxhash import xxh3_128

from ledger.database.directories import make_directory, open_private
from ledger.errors import RunsDirectoryError
from ledger.usage.columns import column_of, numbers_of

RunColumns: TypeAlias = Mapping[str, np.ndarray | pa.Array]
"""Arrays of any lengths and Arrow types, by name."""

_DIGEST_BYTES_IN_NAME = 8
_NAME = re.compile(
    r"(?P<kind>[a-z_]+)-(?P<version>\d+)-(?P<after>\d{15})-(?P<up_to>\d{15})"
    r"-(?P<digest>[0-9a-f]{16})-(?P<checksum>[0-9a-f]{32})\.arrow"
)
_METADATA_KEY = b"run"
_BYTES_AT_A_TIME = 1 << 20
# What mapping and reading a file that was changed may raise.
_UNREADABLE = (OSError, pa.ArrowException, ValueError)


class RunIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was made of.

    Attributes:
        kind: what it holds: lower case letters and underscores.
        version: of the fold that made it.
        after: the position before its stretch of the log.
        up_to: the last position of its stretch.
        digest: the first 8 bytes of the hash chain at that position.
    """

    kind: str
    version: int
    after: int
    up_to: int
    digest: bytes

    @classmethod
    def of(
        cls, kind: str, version: int, after: int, up_to: int, digest: bytes
    ) -> "RunIdentity":
        """Identify the run of a stretch that ends at a digest of the hash chain."""
        return cls(
            kind=kind,
            version=version,
            after=after,
            up_to=up_to,
            digest=digest[:_DIGEST_BYTES_IN_NAME],
        )

    def __str__(self) -> str:
        """Return how the names of its files begin."""
        return (
            f"{self.kind}-{self.version}-{self.after:015d}-{self.up_to:015d}"
            f"-{self.digest.hex()}"
        )


class MappedRun:
    """A checked run, mapped into memory: stays readable when its file is removed."""

    def __init__(self, identity: RunIdentity, path: Path, content: pa.Buffer) -> None:
        self.identity = identity
        self.path = path
        self._content = content
        self._row = _row_of(content)

    @property
    def says(self) -> str | None:
        """Which run it says that it is."""
        said = (self._row.schema.metadata or {}).get(_METADATA_KEY)
        return None if said is None else said.decode(errors="replace")

    def is_as_written(self) -> bool:
        """Whether what is mapped is still what was written, byte for byte."""
        return self.path.name.endswith(f"-{xxh3_128(self._content).hexdigest()}.arrow")

    def array(self, column: str) -> pa.Array:
        """View a column as it was given to `write_run`."""
        return self._row.column(column)[0].values

    def numbers(self, column: str) -> np.ndarray:
        """View a column of numbers without nulls; it cannot be written to."""
        return numbers_of(self.array(column))


def write_run(directory: Path, identity: RunIdentity, columns: RunColumns) -> MappedRun:
    """Write a run, so that it is in the directory as a whole or not at all.

    Equal columns give an equal file, and replace one that is there already.

    Raises:
        RunsDirectoryError: there is no room, or no permission.
    """
    temporary = directory / f".{identity}-{secrets.token_hex(8)}.tmp"
    with working_in(directory):
        make_directory(directory)
        try:
            _write(temporary, identity, columns)
            content = _mapped(temporary)
            path = directory / f"{identity}-{_checksum(temporary)}.arrow"
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return MappedRun(identity, path, content)


def open_run(path: Path) -> MappedRun | None:
    """Map a run and check it; None where it is absent, damaged or something else."""
    identity = identity_of(path.name)
    if identity is None:
        return None
    try:
        content = _mapped(path)
        if not path.name.endswith(f"-{_checksum(path)}.arrow"):
            return None
        run = MappedRun(identity, path, content)
    except _UNREADABLE:
        return None
    return run if run.says == str(identity) else None


@contextmanager
def working_in(directory: Path) -> Iterator[None]:
    """Turn every error of the system into one that names the directory of runs.

    Raises:
        RunsDirectoryError: the system refused what the block asked.
    """
    try:
        yield
    except OSError as error:
        raise RunsDirectoryError(str(directory), str(error)) from error


def runs_in(directory: Path, kind: str) -> list[Path]:
    """List the files of a kind of run that were written to their end.

    Raises:
        RunsDirectoryError: the directory cannot be read.
    """
    with working_in(directory):
        return sorted(directory.glob(f"{kind}-*.arrow"))


def files_of(directory: Path, identity: RunIdentity) -> list[Path]:
    """List the files that say that they are a run.

    Raises:
        RunsDirectoryError: the directory cannot be read.
    """
    with working_in(directory):
        return sorted(directory.glob(f"{identity}-*.arrow"))


def unfinished_in(directory: Path, kind: str) -> list[Path]:
    """List unfinished files: abandoned, unless a process is building.

    Raises:
        RunsDirectoryError: the directory cannot be read.
    """
    with working_in(directory):
        return sorted(directory.glob(f".{kind}-*.tmp"))


def remove(directory: Path, files: Sequence[Path]) -> None:
    """Remove files of a directory; they may be absent.

    Raises:
        RunsDirectoryError: one of them cannot be removed.
    """
    with working_in(directory):
        for path in files:
            path.unlink(missing_ok=True)


def identity_of(name: str) -> RunIdentity | None:
    """Read which run a file should be; None where the name is no run's."""
    parts = _NAME.fullmatch(name)
    if parts is None:
        return None
    return RunIdentity(
        kind=parts["kind"],
        version=int(parts["version"]),
        after=int(parts["after"]),
        up_to=int(parts["up_to"]),
        digest=bytes.fromhex(parts["digest"]),
    )


def _write(path: Path, identity: RunIdentity, columns: RunColumns) -> None:
    cells = [_cell(values) for values in columns.values()]
    schema = pa.schema(
        [pa.field(name, cell.type) for name, cell in zip(columns, cells, strict=True)],
        {_METADATA_KEY: str(identity)},
    )
    row = pa.RecordBatch.from_arrays(cells, schema=schema)
    # Arrow would make it by the umask.
    os.close(open_private(path, os.O_WRONLY | os.O_EXCL))
    with (
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        writer.write_batch(row)


def _cell(values: np.ndarray | pa.Array) -> pa.Array:
    array = values if isinstance(values, pa.Array) else column_of(values)
    return pa.LargeListArray.from_arrays(
        column_of(np.array([0, len(array)], np.int64)), array
    )


def _checksum(path: Path) -> str:
    """Compute the checksum of a file without reading it whole into memory."""
    portion, checksum = bytearray(_BYTES_AT_A_TIME), xxh3_128()
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(portion):
            checksum.update(memoryview(portion)[:count])
    return checksum.hexdigest()


def _mapped(path: Path) -> pa.Buffer:
    with pa.memory_map(str(path)) as file:
        return file.read_buffer()


def _row_of(content: pa.Buffer) -> pa.RecordBatch:
    return pa.ipc.open_file(content).get_batch(0)
