"""The status of a store, and the receipts of a worker's rounds."""

from datetime import datetime

from ledger.records.deliveries import Deliveries
from metering.arguments.clock import at_or_none
from metering.bodies import ResourceObject
from metering.store.engine import Engine
from metering.upkeep.log_time import time_ahead
from projections.alerts.queries import AlertQueries


class StoreStatus(ResourceObject, frozen=True, kw_only=True):
    """How far a store is.

    Attributes:
        position: of the last entry of the log.
        event_count: of recorded meter events, cancelled ones among them.
        evaluated_position: up to which alerts on usage were evaluated; None where there
            never was one. Later entries need not be usage.
        pending_deliveries: how many deliveries are pending, one for each event and
            endpoint.
        pending_since: when the oldest of them was enqueued; None where there is none.
        ahead_seconds: how far the log's time is ahead of the real time, 0 where it is not:
            a clock was wrong, see `LogTimeRepairs.repair`.
    """

    position: int
    event_count: int
    evaluated_position: int | None
    pending_deliveries: int
    pending_since: datetime | None
    ahead_seconds: int = 0


class WorkReceipt(ResourceObject, frozen=True, kw_only=True):
    """What a round of a worker did.

    Attributes:
        position: up to which the log was taken in.
        triggered: how often alerts triggered.
        enqueued: deliveries added, one for each event and endpoint.
        delivered: attempts answered with a 2xx.
        failed: other attempts; they are repeated when they are due.
    """

    position: int
    triggered: int
    enqueued: int
    delivered: int
    failed: int


def status_of(engine: Engine) -> StoreStatus:
    """Return the status of a store; see `Metering.status`."""
    event_count = engine.log.count_events()
    with engine.log.read() as connection:
        evaluated = AlertQueries(connection).checkpoint()
        pending, since = Deliveries(connection).backlog()
    return StoreStatus(
        position=engine.log.head().position,
        event_count=event_count,
        evaluated_position=evaluated,
        pending_deliveries=pending,
        pending_since=at_or_none(since),
        ahead_seconds=int(time_ahead(engine).total_seconds()),
    )
