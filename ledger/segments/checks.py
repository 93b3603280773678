"""Whether a log and the segments that lie in a store belong together."""

from collections.abc import Collection, Sequence

from ledger.entries import Head
from ledger.errors import SegmentMissingError, StoreBehindError
from ledger.segments.entry import Segment, end_position
from ledger.segments.store import SegmentStore


def check_segments(
    store: SegmentStore, names: Collection[str], segments: Sequence[Segment], head: Head
) -> None:
    """Compare what a segment store has with what a log says of it.

    Args:
        store: where the segments are.
        names: what was there, listed before the log was read: what others seal
            meanwhile must not be taken for the segments of another log.
        segments: the log's.
        head: the log's.

    Raises:
        SegmentMissingError: a segment of the log is not there.
        StoreBehindError: there are segments of positions that the log does not have:
            it was restored from a backup that is older than they are.
    """
    for segment in segments:
        if segment.name not in names and store.size(segment.name) is None:
            raise SegmentMissingError(store.url, segment.name)
    ends = [(end_position(name, head.epoch) or 0, name) for name in names]
    furthest, name = max(ends, default=(0, ""))
    if furthest > head.position:
        raise StoreBehindError(name, furthest, head.position)
