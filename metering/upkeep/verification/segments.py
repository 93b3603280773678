"""Segments: the files are what was sealed, and the catalog says what they hold."""

import hashlib
from collections.abc import Sequence

from msgspec.structs import replace

from ledger.entries import Commit, Head
from ledger.errors import SegmentDamagedError, SegmentStoreError
from ledger.facts.union import FACTS
from ledger.segments.entry import Segment
from ledger.usage.columns import timestamps_of
from ledger.usage.rows import batch_of
from metering.store.engine import Engine


def problems_of_sealing(
    before: Head, segments: Sequence[Segment], after: Head
) -> list[str]:
    """Compare the sealed position of the log with the end of its segments."""
    end = segments[-1].up_to if segments else 0
    # Another process may have sealed more between the looks.
    if before.sealed_position <= end <= after.sealed_position:
        return []
    said = f"The log says that it is sealed up to position {after.sealed_position}"
    return [f"{said}, but its segments end at {end}"]


def problems_of_file(engine: Engine, segment: Segment) -> list[str]:
    """Compare a segment's file with the catalog, as far as it can be read."""
    try:
        return problems_of_content(engine, segment)
    except SegmentStoreError as error:
        return [error.message]


def problems_of_content(engine: Engine, segment: Segment) -> list[str]:
    """Compare a segment's file with the catalog.

    Raises:
        SegmentStoreError: the file cannot be read.
    """
    content = engine.log.sealed.reader.content(segment)
    if hashlib.sha256(content).digest() == segment.sha256:
        return []
    reason = "what is stored is not what was sealed"
    if content.size != segment.byte_count:
        reason = f"{segment.byte_count} bytes were sealed, {content.size} are stored"
    return [SegmentDamagedError(segment.name, reason).message]


class CatalogLabels:
    """What the catalog says of segments, compared with the commits that they hold.

    Args:
        segments: of the log, in order.
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._ends = {segment.up_to: segment for segment in segments}
        self._end = segments[-1].up_to if segments else 0
        self._timestamps: list[int] = []
        self._wrong: list[Segment] = []

    def take_in(self, commit: Commit, head: Head) -> None:
        """Take in the next commit, and the head that it makes."""
        if head.position > self._end:
            return
        if not isinstance(commit.content, FACTS):
            timestamps = timestamps_of(batch_of(commit.content))
            self._timestamps += [int(timestamps.min()), int(timestamps.max())]
        segment = self._ends.get(head.position)
        if segment is not None:
            found = replace(
                segment,
                facts_position=head.facts_position,
                recorded_at=head.recorded_at,
                earliest=min(self._timestamps, default=0),
                latest=max(self._timestamps, default=0),
            )
            if found != segment:
                self._wrong.append(segment)
            self._timestamps = []

    def problems(self) -> list[str]:
        """Return which segments are not what the catalog says."""
        return [
            f"What the catalog says of the segment {segment.name} is not what it holds"
            for segment in self._wrong
        ]
