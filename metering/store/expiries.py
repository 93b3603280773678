"""Expiries: up to when this process has looked for grants that expired."""

from dataclasses import dataclass, field

from ledger.facts.instants import LogTime

NEVER_LOOKED = -(2**62)
"""An instant before which no grant expires."""


@dataclass(slots=True, kw_only=True)
class ExpiriesSeen:
    """Up to which instant this process has looked for grants that expired.

    It saves looking again and decides nothing. If the log's time is corrected, it looks
    again.
    """

    instant: int = NEVER_LOOKED
    time: LogTime = field(default_factory=LogTime)
