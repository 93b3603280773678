"""What the catalog says of a segment: a stretch of the log that lies in a Parquet file.

Segments tile the log from its beginning: each holds the usage of the positions after
the one before it. Commits of facts in that stretch stay in the database.
"""

import bisect
from collections.abc import Sequence

import msgspec

from ledger.entries import Head

_SHA256_DIGITS_IN_NAME = 16


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed stretch of the log.

    Attributes:
        name: of the file in the segment store.
        after: the position before the stretch; that of the segment before, or 0.
        up_to: the last position of the stretch.
        rows: how many meter events the file holds.
        byte_count: size of the file.
        sha256: of the file, 32 bytes; what proves it.
        checksums: of the parts of the file; what is compared before they are read.
        digest: hash chain up to and including `up_to`.
        facts_position: position of the last fact up to `up_to`, 0 where there is none.
        recorded_at: when the last commit up to `up_to` was accepted, microseconds since
            1970 UTC.
        earliest: least timestamp of its events, microseconds since 1970 UTC.
        latest: greatest timestamp of its events.
    """

    name: str
    after: int
    up_to: int
    rows: int
    byte_count: int
    sha256: bytes
    checksums: bytes
    digest: bytes
    facts_position: int
    recorded_at: int
    earliest: int
    latest: int

    def head(self, epoch: str) -> Head:
        """Make the head that the log had at the end of the segment."""
        return Head(
            position=self.up_to,
            facts_position=self.facts_position,
            recorded_at=self.recorded_at,
            digest=self.digest,
            epoch=epoch,
            sealed_position=self.up_to,
        )


def segment_name(epoch: str, after: int, up_to: int, sha256: bytes) -> str:
    """Name a segment's file, so that another file cannot have the name."""
    digits = sha256.hex()[:_SHA256_DIGITS_IN_NAME]
    return f"{name_prefix(epoch)}{after:015d}-{up_to:015d}-{digits}.parquet"


def name_prefix(epoch: str) -> str:
    """Prefix of the names of a log's segments, which may share a store with others."""
    return f"{epoch}-"


def end_position(name: str, epoch: str) -> int | None:
    """Read from a name up to which position the segment goes; None for other names."""
    parts = name.removeprefix(name_prefix(epoch)).removesuffix(".parquet").split("-")
    is_ours = name.startswith(name_prefix(epoch)) and name.endswith(".parquet")
    if not is_ours or len(parts) != 3 or not parts[1].isdecimal():
        return None
    return int(parts[1])


def segment_holding(segments: Sequence[Segment], position: int) -> Segment | None:
    """Find the segment whose stretch has a position."""
    at = bisect.bisect_left(segments, position, key=lambda segment: segment.up_to)
    return segments[at] if at < len(segments) else None


def overlapping(
    segments: Sequence[Segment], start: int, end: int
) -> tuple[Segment, ...]:
    """Pick the segments with timestamps in ``[start, end)``, microseconds since 1970."""
    return tuple(
        segment
        for segment in segments
        if segment.rows and segment.earliest < end and segment.latest >= start
    )
