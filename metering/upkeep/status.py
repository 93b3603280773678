"""The status of a store, and the receipts of a worker's rounds."""

from datetime import datetime, timedelta

from ledger.appending.time_repairs import TimeView
from ledger.background import LoopState
from ledger.commits import read_head
from ledger.records.deliveries import Deliveries
from metering.arguments.clock import at_or_none
from metering.bodies import ResourceObject
from metering.store.engine import Engine
from metering.upkeep.log_time import time_ahead
from projections.alerts.queries import AlertQueries


class LoopStatus(ResourceObject, frozen=True, kw_only=True):
    """How a background loop of this process is.

    Attributes:
        name: what it does: ``worker`` (looks for news), ``alerts``, ``webhooks`` (makes
            deliveries), ``deliveries`` (one for each endpoint that fails, too),
            ``reports``, ``auditing``, ``progress``, ``sealing``, ``reclaiming`` (of space), ``keeping`` and ``runs``
            (of what is derived), or ``recorder``.
        last_done: when it last did what it is for; None where it never has.
        failing_since: None where it does not fail.
        failures: how often it has failed since then.
        failures_total: how often it has ever failed.
        code: of its last error; ``internal_error`` is a fault of this program. None where
            it does not fail.
        message: of its last error.
    """

    name: str
    last_done: datetime | None
    failing_since: datetime | None
    failures: int
    failures_total: int
    code: str | None
    message: str | None


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
        sealed_position: up to which usage lies in segments, 0 where none does.
        branch_of: the store that this one is a branch of, from which no webhook is sent;
            None where it is none.
        branch_position: up to which a branch has the log of its origin.
        loops: the background loops of this process that have run, by name. One that
            fails is tried again, less and less often, until the fault has passed.
    """

    position: int
    event_count: int
    evaluated_position: int | None
    pending_deliveries: int
    pending_since: datetime | None
    ahead_seconds: int = 0
    sealed_position: int = 0
    branch_of: str | None = None
    branch_position: int | None = None
    loops: tuple[LoopStatus, ...] = ()


class WorkReceipt(ResourceObject, frozen=True, kw_only=True):
    """What a round of a worker did.

    Attributes:
        position: of the last entry when the round began; what is recorded while it runs
            may be taken in as well.
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
    origin = engine.log.lineage.origin
    # Taken in before, and so up to the snapshot's position, but for the newest.
    event_count = engine.log.count_events()
    with engine.log.read() as connection:
        head = read_head(connection)
        evaluated = AlertQueries(connection).checkpoint()
        pending, since = Deliveries(connection).backlog()
        ahead = time_ahead(engine, TimeView(connection, engine.log.history))
    return StoreStatus(
        position=head.position,
        event_count=event_count,
        evaluated_position=evaluated,
        pending_deliveries=pending,
        pending_since=at_or_none(since),
        ahead_seconds=int(ahead.total_seconds()),
        sealed_position=head.sealed_position,
        branch_of=None if origin is None else origin.store,
        branch_position=None if origin is None else origin.up_to,
        loops=loops_of(engine),
    )


def loops_of(engine: Engine) -> tuple[LoopStatus, ...]:
    """Return how the background loops are; see `Metering.loops`."""
    now = engine.clock.now()
    return tuple(_loop(each, now) for each in engine.log.background.states())


def _loop(state: LoopState, now: datetime) -> LoopStatus:
    def at(seconds_ago: float | None) -> datetime | None:
        return None if seconds_ago is None else now - timedelta(seconds=seconds_ago)

    return LoopStatus(
        name=state.name,
        last_done=at(state.done_seconds_ago),
        failing_since=at(state.failing_seconds),
        failures=state.failures,
        failures_total=state.failures_total,
        code=state.code,
        message=state.message,
    )
