"""What a run of a report counts, all of which was fixed when it was created."""

from collections.abc import Callable
from dataclasses import dataclass

ReportProgress = Callable[[int, int], None]
"""Receives how much is done and how much there is, and may raise to end the work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedReport:
    """A stretch of time, as the log knew it at a position.

    Attributes:
        position: nothing after it counts.
        created: when that was, microseconds since 1970 UTC.
        start: inclusive, microseconds since 1970 UTC.
        end: exclusive, not after `created`.
    """

    position: int
    created: int
    start: int
    end: int
