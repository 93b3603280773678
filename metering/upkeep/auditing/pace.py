"""The pace of an audit: how often a worker makes a pass, and what of it."""

from dataclasses import dataclass
from datetime import timedelta

EVERY = timedelta(hours=1)
LONGEST_EVERY = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPace:
    """When a worker audits.

    Attributes:
        every: how long after the end of a pass the next one begins.
        files: whether passes read the whole file of each segment.
    """

    every: timedelta
    files: bool
