"""Expiries: up to when this process has looked for grants that expired."""

import msgspec

from ledger.facts.instants import LogTime

NEVER_LOOKED = -(2**62)
"""An instant before which no grant expires."""


class ExpiriesSeen(msgspec.Struct, kw_only=True):
    """Up to which instant this process has looked for grants that expired.

    It saves looking again and decides nothing. If the log's time is corrected, it looks
    again.
    """

    instant: int = NEVER_LOOKED
    time: LogTime = msgspec.field(default_factory=LogTime)
