"""The facade for asyncio: one connection to one store, every call of it awaited."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial, wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self

from metering import opening
from metering.aio.calls import THREADS, AsyncGroup, Calls, awaited
from metering.aio.groups import (
    AsyncAlerts,
    AsyncApiKeys,
    AsyncCreditApplications,
    AsyncCreditBalanceSummaries,
    AsyncCreditBalanceTransactions,
    AsyncCreditGrants,
    AsyncErrorReports,
    AsyncEvents,
    AsyncMeterEventAdjustments,
    AsyncMeterEvents,
    AsyncMeterEventSessions,
    AsyncMeters,
    AsyncWebhookEndpoints,
)
from metering.connection import POLL, Metering
from metering.upkeep.status import WorkReceipt

if TYPE_CHECKING:
    from metering.upkeep.worker import Worker

P = ParamSpec("P")


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
        self.credit_grants = AsyncCreditGrants(calls, m.credit_grants)
        self.credits = AsyncCreditApplications(calls, m.credits)
        self.credit_balance_summary = AsyncCreditBalanceSummaries(
            calls, m.credit_balance_summary
        )
        self.credit_balance_transactions = AsyncCreditBalanceTransactions(
            calls, m.credit_balance_transactions
        )
        self.alerts = AsyncAlerts(calls, m.alerts)
        self.webhook_endpoints = AsyncWebhookEndpoints(calls, m.webhook_endpoints)
        self.events = AsyncEvents(calls, m.events)
        self.api_keys = AsyncApiKeys(calls, m.api_keys)
        self.meter_event_sessions = AsyncMeterEventSessions(
            calls, m.meter_event_sessions
        )
        self.error_reports = AsyncErrorReports(calls, m.error_reports)

    now = awaited(Metering.now)
    status = awaited(Metering.status)
    catch_up = awaited(Metering.catch_up)
    deliver = awaited(Metering.deliver, is_heavy=True)
    seal = awaited(Metering.seal, is_heavy=True)
    reaggregate = awaited(Metering.reaggregate, is_heavy=True)
    sql = awaited(Metering.sql, is_heavy=True)
    rebuild = awaited(Metering.rebuild, is_heavy=True)
    verify = awaited(Metering.verify, is_heavy=True)

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
    ) -> AsyncIterator["Worker"]:
        """Keep the store current for as long as an async with statement lasts.

        See `Metering.worker`; `progress` is called in the worker's thread.

        Raises:
            MeteringError: where the statement ends, the error that ended the worker.
        """
        worker = self.sync.worker(poll=poll, progress=progress)
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
            self.calls.close()
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


class Connecting:
    """A connection that is about to be opened: awaited, or in an async with statement."""

    def __init__(self, open_store: Callable[[], Metering]) -> None:
        self._open_store = open_store
        self._opened: AsyncMetering | None = None

    def __await__(self) -> Generator[Any, None, AsyncMetering]:
        """Open the connection."""
        return self._open().__await__()

    async def __aenter__(self) -> AsyncMetering:
        """Open the connection, which the async with statement closes."""
        self._opened = await self._open()
        return self._opened

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        assert self._opened is not None, "it was entered"
        await self._opened.close()

    async def _open(self) -> AsyncMetering:
        pool = ThreadPoolExecutor(1, "metering-aio-connect")
        opening = pool.submit(self._open_store)
        pool.shutdown(wait=False)
        try:
            return AsyncMetering(await asyncio.wrap_future(opening))
        except asyncio.CancelledError:
            # It may be opened all the same, for nobody who could close it.
            opening.add_done_callback(_close)
            raise


def _close(opened: Future[Metering]) -> None:
    if not opened.cancelled() and opened.exception() is None:
        opened.result().close()


def _connecting(open_store: Callable[P, Metering]) -> Callable[P, Connecting]:
    @wraps(open_store)
    def connect(*args: P.args, **kwargs: P.kwargs) -> Connecting:
        return Connecting(partial(open_store, *args, **kwargs))

    return connect


connect = _connecting(opening.connect)
