"""How far a store is, what is still to be done, and what a worker did about it."""

from datetime import datetime

from ledger.records.deliveries import Deliveries
from metering.arguments.clock import at_microseconds
from metering.bodies import ResourceObject
from metering.store.engine import Engine
from projections.alerts.queries import AlertQueries


class StoreStatus(ResourceObject, frozen=True, kw_only=True):
    """How far a store is.

    Attributes:
        position: of the last entry of the log.
        event_count: how many meter events are recorded, cancelled ones among them.
        evaluated_position: up to where alerts on usage were evaluated; None where there
            never was one. What came after it need not be usage.
        pending_deliveries: how many events are still to be delivered, each counted for
            every endpoint that wants it.
        pending_since: when the oldest of these was to be delivered first; None where
            nothing is to be.
    """

    position: int
    event_count: int
    evaluated_position: int | None
    pending_deliveries: int
    pending_since: datetime | None


class WorkReceipt(ResourceObject, frozen=True, kw_only=True):
    """What a round of a worker came to.

    Attributes:
        position: up to where the log was taken in.
        triggered: how often alerts triggered.
        enqueued: deliveries that were added, one for each event and endpoint.
        delivered: attempts that were answered with a 2xx.
        failed: attempts that were not; they are repeated when they are due.
    """

    position: int
    triggered: int
    enqueued: int
    delivered: int
    failed: int


def status_of(engine: Engine) -> StoreStatus:
    """Look how far a store is; see `Metering.status`."""
    event_count = engine.log.count_events()
    with engine.log.read() as connection:
        evaluated = AlertQueries(connection).checkpoint()
        pending, since = Deliveries(connection).backlog()
    return StoreStatus(
        position=engine.log.head().position,
        event_count=event_count,
        evaluated_position=evaluated,
        pending_deliveries=pending,
        pending_since=None if since is None else at_microseconds(since),
    )
