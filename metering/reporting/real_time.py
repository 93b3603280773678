"""The time by which files of reports expire: the real one, as it is of other state.

A clock that jumps ahead removes nothing that is to be kept.
"""

from metering.store.engine import Engine
from projections.reports.queries import ReportQueries


def real_time(engine: Engine, seen: ReportQueries) -> int:
    """Return the real time, microseconds since 1970 UTC; see `ClockJudge.real_time`."""
    return engine.log.judge.real_time(seen.connection, engine.now())
