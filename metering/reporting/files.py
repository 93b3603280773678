"""Files of reports: parts beside the segments, each written once and proven when read.

The parts of a file are named by its run, the attempt that made it and their numbers. What
they are is recorded only once all of them are durable. So a file is there as a whole or not
at all, and whoever dies before leaves parts that nothing names, which the next attempt
removes.
"""

import hashlib
import io
from collections.abc import Callable, Iterator

import pyarrow as pa

from ledger.errors import SegmentMissingError, StoreDamagedError
from ledger.facts.reports import ReportPart
from ledger.segments.store import SegmentStore
from projections.kernels.reports import ReportRecord

PART_BYTES = 4 << 20
"""How much of a file is in memory while it is made, and while it is read."""


PREFIX = "report-{}-"
"""How the names of all files of reports of a log begin, given its epoch.

Several logs may share a segment store.
"""


def prefix_of(epoch: str, run: ReportRecord) -> str:
    """Return how the names of all parts of a run begin, of whatever attempt."""
    return f"{PREFIX.format(epoch)}{run.position:015d}-"


class ReportSink(io.RawIOBase):
    """What a report is written to, as pyarrow writes to Python's files.

    Args:
        store: keeps the parts.
        prefix: of their names, with the attempt.
        check: is called before each part is kept, and may raise to end the work.
    """

    def __init__(
        self, store: SegmentStore, prefix: str, check: Callable[[], None]
    ) -> None:
        super().__init__()
        self._store = store
        self._prefix = prefix
        self._check = check
        self._held = bytearray()
        self._byte_count = 0
        self._parts: list[ReportPart] = []

    def writable(self) -> bool:
        """Whether it can be written to: it can."""
        return True

    def tell(self) -> int:
        """Return how much was written."""
        return self._byte_count

    def write(self, content: object, /) -> int:
        """Take bytes, and keep each part that is full."""
        taken = memoryview(content)  # type: ignore[arg-type]  # a buffer of any kind
        self._held += taken
        self._byte_count += taken.nbytes
        while len(self._held) >= PART_BYTES:
            self._keep(PART_BYTES)
        return taken.nbytes

    def parts(self) -> tuple[ReportPart, ...]:
        """Keep what is left, and return all parts, which are durable."""
        if self._held:
            self._keep(len(self._held))
        return tuple(self._parts)

    def _keep(self, byte_count: int) -> None:
        self._check()
        content = bytes(self._held[:byte_count])
        del self._held[:byte_count]
        name = part_name(self._prefix, len(self._parts))
        self._store.put(name, pa.py_buffer(content))
        digest = hashlib.sha256(content).hexdigest()
        self._parts.append(ReportPart(byte_count=byte_count, sha256=digest))


def part_name(prefix: str, number: int) -> str:
    """Return the name of a part, given the prefix with the attempt."""
    return f"{prefix}{number:06d}.part"


def part_names(epoch: str, run: ReportRecord) -> list[str]:
    """Return the names of the parts of a run's file, in order; none where it has none."""
    prefix = f"{prefix_of(epoch, run)}{run.attempt}-"
    return [part_name(prefix, number) for number in range(len(run.parts))]


def content_of(store: SegmentStore, epoch: str, run: ReportRecord) -> Iterator[bytes]:
    """Yield the bytes of a run's file, part by part, each compared with what was made.

    Raises:
        StoreDamagedError: a part is missing or something else.
        SegmentStoreUnavailableError: it cannot be read now.
    """
    for name, part in zip(part_names(epoch, run), run.parts, strict=True):
        try:
            with store.open(name) as file:
                content = file.read()
        except SegmentMissingError as error:
            raise _damaged(run, f"{name} is missing from {store.url}") from error
        if hashlib.sha256(content).hexdigest() != part.sha256:
            raise _damaged(run, f"{name} in {store.url} is not what was written")
        yield content


def _damaged(run: ReportRecord, reason: str) -> StoreDamagedError:
    return StoreDamagedError(f"the file of report {run.run_id}", reason)
