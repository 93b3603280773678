"""Levels: which runs there should be for the segments there are.

A few neighbours of a level make one of the next, counted from the beginning of the log:
the number of runs grows with the logarithm of the log, each event is merged a few times
in its life, and every process comes to the same runs, whatever it found when it began.
A run grows no further than what can be merged in memory.
"""

from collections.abc import Sequence

import msgspec

from ledger.segments.entry import Segment

FAN_IN = 8
# Some 64 full segments; their identifiers take 2.6 GB.
EVENTS_AT_MOST = 80_000_000


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Neighbouring segments that one run is to cover.

    Attributes:
        after: the position before the first.
        up_to: the last position.
        digest: hash chain at the last position.
        events: how many meter events they hold.
        segment: the one segment of the lowest level, None above it.
        parts: the stretches of the level below, none for one segment.
    """

    after: int
    up_to: int
    digest: bytes
    events: int
    segment: Segment | None
    parts: tuple["Stretch", ...]


def stretches(
    segments: Sequence[Segment],
    *,
    fan_in: int = FAN_IN,
    events_at_most: int = EVENTS_AT_MOST,
) -> list[Stretch]:
    """Divide segments into the fewest stretches, in the order of the log.

    Args:
        segments: those of the catalog, from the beginning of the log, without gaps.
        fan_in: how many neighbours of a level make one of the next.
        events_at_most: how many events a stretch of several segments may hold.
    """
    level: list[Stretch | None] = [_of_one(segment) for segment in segments]
    chosen: list[Stretch] = []
    while any(level):
        above: list[Stretch | None] = []
        for start in range(0, len(level), fan_in):
            parts = [part for part in level[start : start + fan_in] if part]
            joined = _joined(parts, fan_in, events_at_most)
            above.append(joined)
            if joined is None:
                chosen += parts
        level = above
    return sorted(chosen, key=lambda stretch: stretch.after)


def _of_one(segment: Segment) -> Stretch:
    return Stretch(
        after=segment.after,
        up_to=segment.up_to,
        digest=segment.digest,
        events=segment.rows,
        segment=segment,
        parts=(),
    )


def _joined(
    parts: Sequence[Stretch], fan_in: int, events_at_most: int
) -> Stretch | None:
    events = sum(part.events for part in parts)
    if len(parts) < fan_in or events > events_at_most:
        return None
    return Stretch(
        after=parts[0].after,
        up_to=parts[-1].up_to,
        digest=parts[-1].digest,
        events=events,
        segment=None,
        parts=tuple(parts),
    )
