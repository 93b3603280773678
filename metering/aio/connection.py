"""The facade for asyncio: one connection to one store, every call of it awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial, wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self

from metering import opening
from metering.aio.calls import THREADS, AsyncGroup, Calls, DerivedMethod, awaited
from metering.aio.groups import (
    AsyncAlerts,
    AsyncApiKeys,
    AsyncAudit,
    AsyncCorrections,
    AsyncCreditApplications,
    AsyncCreditBalanceSummaries,
    AsyncCreditBalanceTransactions,
    AsyncCreditGrants,
    AsyncCreditHolds,
    AsyncCreditPools,
    AsyncCreditSchedules,
    AsyncCustomers,
    AsyncEntitlements,
    AsyncErrorReports,
    AsyncEvents,
    AsyncLogTimeRepairs,
    AsyncMeterEventAdjustments,
    AsyncMeterEvents,
    AsyncMeterEventSessions,
    AsyncMeters,
    AsyncPrices,
    AsyncProducts,
    AsyncReports,
    AsyncSpendLimits,
    AsyncStatements,
    AsyncSubscriptionItems,
    AsyncSubscriptions,
    AsyncTestClocks,
    AsyncTestHelpers,
    AsyncWebhookEndpoints,
)
from metering.aio.opening import Opening
from metering.aio.recorder import AsyncRecorder
from metering.connection import Metering
from metering.recording.recorder import Recorder
from metering.upkeep.auditing.pace import EVERY
from metering.upkeep.polling import POLL
from metering.upkeep.status import WorkReceipt

if TYPE_CHECKING:
    from metering.upkeep.worker import Worker

P = ParamSpec("P")


def _recorded(
    open_recorder: Callable[Concatenate[Any, P], Recorder],
) -> DerivedMethod[P, Opening[Recorder, AsyncRecorder]]:
    """Derive a method whose recorder is awaited."""

    def bind(group: AsyncGroup[Any]) -> Callable[P, Opening[Recorder, AsyncRecorder]]:
        def call(*args: P.args, **kwargs: P.kwargs) -> Opening[Recorder, AsyncRecorder]:
            return Opening(
                partial(open_recorder, group.sync, *args, **kwargs),
                partial(AsyncRecorder, group.calls),
            )

        return call

    return DerivedMethod(open_recorder, bind)


def _branched(
    make_branch: Callable[Concatenate[Any, P], Metering],
) -> DerivedMethod[P, Opening[Metering, AsyncMetering]]:
    """Derive a method whose store is awaited, on threads of its own."""

    def bind(group: AsyncGroup[Any]) -> Callable[P, Opening[Metering, AsyncMetering]]:
        def call(*args: P.args, **kwargs: P.kwargs) -> Opening[Metering, AsyncMetering]:
            return Opening(
                partial(make_branch, group.sync, *args, **kwargs), AsyncMetering
            )

        return call

    return DerivedMethod(make_branch, bind)


class AsyncMetering(AsyncGroup[Metering]):
    """A connection to a store whose calls are awaited, from any event loop.

    They run on threads of the connection: reads and writes on some, long ones such as
    `reaggregate` on a few others. A call whose task is cancelled is not made if its turn
    has not come; otherwise it is made to its end, and its outcome goes nowhere. What a
    caller passes to be called, such as `progress`, is called on such a thread.

    Args:
        m: the connection, which may be used beside it, and is closed with it.
        threads: how many calls run at the same time.
    """

    def __init__(self, m: Metering, *, threads: int = THREADS) -> None:
        calls = Calls(m, threads)
        super().__init__(calls, m)
        self.meters = AsyncMeters(calls, m.meters)
        self.meter_events = AsyncMeterEvents(calls, m.meter_events)
        self.meter_event_adjustments = AsyncMeterEventAdjustments(
            calls, m.meter_event_adjustments
        )
        self.products = AsyncProducts(calls, m.products)
        self.prices = AsyncPrices(calls, m.prices)
        self.customers = AsyncCustomers(calls, m.customers)
        self.subscriptions = AsyncSubscriptions(calls, m.subscriptions)
        self.subscription_items = AsyncSubscriptionItems(calls, m.subscription_items)
        self.entitlements = AsyncEntitlements(calls, m.entitlements)
        self.corrections = AsyncCorrections(calls, m.corrections)
        self.statements = AsyncStatements(calls, m.statements)
        self.reports = AsyncReports(calls, m.reports)
        self.credit_grants = AsyncCreditGrants(calls, m.credit_grants)
        self.credit_holds = AsyncCreditHolds(calls, m.credit_holds)
        self.spend_limits = AsyncSpendLimits(calls, m.spend_limits)
        self.credit_schedules = AsyncCreditSchedules(calls, m.credit_schedules)
        self.credit_pools = AsyncCreditPools(calls, m.credit_pools)
        self.credits = AsyncCreditApplications(calls, m.credits)
        self.credit_balance_summary = AsyncCreditBalanceSummaries(
            calls, m.credit_balance_summary
        )
        self.credit_balance_transactions = AsyncCreditBalanceTransactions(
            calls, m.credit_balance_transactions
        )
        self.alerts = AsyncAlerts(calls, m.alerts)
        self.test_clocks = AsyncTestClocks(calls, m.test_clocks)
        self.test_helpers = AsyncTestHelpers(calls, m.test_helpers)
        self.webhook_endpoints = AsyncWebhookEndpoints(calls, m.webhook_endpoints)
        self.events = AsyncEvents(calls, m.events)
        self.api_keys = AsyncApiKeys(calls, m.api_keys)
        self.audit = AsyncAudit(calls, m.audit)
        self.meter_event_sessions = AsyncMeterEventSessions(
            calls, m.meter_event_sessions
        )
        self.error_reports = AsyncErrorReports(calls, m.error_reports)
        self.log_time = AsyncLogTimeRepairs(calls, m.log_time)

    now = awaited(Metering.now)
    status = awaited(Metering.status)
    loops = awaited(Metering.loops)
    catch_up = awaited(Metering.catch_up)
    deliver = awaited(Metering.deliver, is_heavy=True)
    seal = awaited(Metering.seal, is_heavy=True)
    reaggregate = awaited(Metering.reaggregate, is_heavy=True)
    reaggregate_sql = awaited(Metering.reaggregate_sql, is_heavy=True)
    usage = awaited(Metering.usage, is_heavy=True)
    rate = awaited(Metering.rate, is_heavy=True)
    explain = awaited(Metering.explain)
    check = awaited(Metering.check)
    spend = awaited(Metering.spend)
    sql = awaited(Metering.sql, is_heavy=True)
    rebuild = awaited(Metering.rebuild, is_heavy=True)
    verify = awaited(Metering.verify, is_heavy=True)
    backup = awaited(Metering.backup, is_heavy=True)
    export = awaited(Metering.export, is_heavy=True)
    recorder = _recorded(Metering.recorder)
    branch = _branched(Metering.branch)

    @property
    def position(self) -> Coroutine[Any, Any, int]:
        """The position of the last entry that any process has recorded, to be awaited."""
        return self.calls.run(lambda: self.sync.position)

    @asynccontextmanager
    async def worker(
        self,
        *,
        poll: timedelta = POLL,
        progress: Callable[[WorkReceipt], None] | None = None,
        audit: timedelta | None = EVERY,
        audit_files: bool = False,
    ) -> AsyncIterator[Worker]:
        """Keep the store current for as long as an async with statement lasts.

        See `Metering.worker`; `progress` is called in the worker's thread.

        Raises:
            Exception: where the statement ends, what the worker fails with for good.
        """
        worker = self.sync.worker(
            poll=poll, progress=progress, audit=audit, audit_files=audit_files
        )
        worker.__enter__()
        try:
            yield worker
        except BaseException as error:
            await asyncio.to_thread(worker.__exit__, type(error), error, None)
            raise
        await asyncio.to_thread(worker.__exit__, None, None, None)

    async def close(self) -> None:
        """Close the connection when its calls have ended; then using it is an error."""

        def close() -> None:
            try:
                self.calls.close()
            finally:
                self.sync.close()

        await asyncio.to_thread(close)

    async def __aenter__(self) -> Self:
        """Use the connection in an async with statement, which closes it."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        await self.close()


def _connecting(
    open_store: Callable[P, Metering],
) -> Callable[P, Opening[Metering, AsyncMetering]]:
    @wraps(open_store)
    def connect(*args: P.args, **kwargs: P.kwargs) -> Opening[Metering, AsyncMetering]:
        return Opening(partial(open_store, *args, **kwargs), AsyncMetering)

    return connect


connect = _connecting(opening.connect)
