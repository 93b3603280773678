"""What lies before the tail: the sealed part of the log, as one process knows it."""

from pathlib import Path

import msgspec

from ledger.segments.entry import Segment
from ledger.segments.reader import SegmentReader


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """Segments, with what reads them and a place for runs.

    Attributes:
        segments: in the order of the log; they tile it from its beginning.
        reader: reads them.
        runs: the directory for runs of this log.
        shared_runs: where runs of its ancestors may be, which are read and left alone.
    """

    segments: tuple[Segment, ...]
    reader: SegmentReader
    runs: Path
    shared_runs: tuple[Path, ...] = ()

    @property
    def position(self) -> int:
        """Up to where the log is sealed, 0 where it is not."""
        return self.segments[-1].up_to if self.segments else 0
