"""Calls: methods of the library, run on threads and awaited.

`awaited`, `listed` and `streamed` derive a method from one of the library, with its
parameters and its documentation, for type checkers as well as at run time. So nothing is
declared twice, and no parameter can be forgotten.
"""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial, wraps
from itertools import islice
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload
from weakref import WeakSet

from ledger.errors import MeteringError
from metering.aio.lanes import Lane
from metering.aio.lists import AsyncListObject
from metering.aio.opening import Closable
from metering.arguments.pages import ListedResource, ListObject
from metering.connection import Metering
from metering.usage.meter_events import NewMeterEvent
from metering.usage.resources import MeterEvent

THREADS = 16
"""How many calls run at the same time, beside creates of events and heavy calls."""
HEAVY_THREADS = 2
"""How many calls run at the same time that read or write much."""
_EVENTS_TOGETHER_MAX = 1_024
_STREAMED_AT_A_TIME = 256

P = ParamSpec("P")
ReturnT = TypeVar("ReturnT")
YieldT = TypeVar("YieldT")
SyncT = TypeVar("SyncT")


class Calls:
    """The threads on which the calls of a connection run; they start when needed.

    Args:
        m: the connection.
        threads: how many calls run at the same time.
    """

    def __init__(self, m: Metering, threads: int) -> None:
        self._m = m
        self._light = ThreadPoolExecutor(threads, "metering-aio")
        self._heavy = ThreadPoolExecutor(HEAVY_THREADS, "metering-aio-heavy")
        self._closables: WeakSet[Closable] = WeakSet()
        self._events = Lane(
            self._record, name="metering-aio-events", most=_EVENTS_TOGETHER_MAX
        )

    async def run(self, call: Callable[[], ReturnT]) -> ReturnT:
        """Run a call on a thread, in the context of the task that awaits it."""
        return await self._run(self._light, call)

    async def run_heavy(self, call: Callable[[], ReturnT]) -> ReturnT:
        """Run a call that takes long, of which only few run at the same time."""
        return await self._run(self._heavy, call)

    async def record(self, event: NewMeterEvent) -> MeterEvent:
        """Record an event, in one commit with those that other tasks record."""
        # In the child of a fork there is no thread to wait for.
        self._m.internals.check_usable()
        return await self._events.submit(event)

    def close_before(self, closable: Closable) -> None:
        """Have something closed before the threads end, which may wait for it."""
        self._closables.add(closable)

    def close(self) -> None:
        """End the threads, once they have done what they were given."""
        with ExitStack() as closing:  # All of it, in the reverse order.
            closing.callback(self._heavy.shutdown)
            closing.callback(self._light.shutdown)
            closing.callback(self._events.close)
            for closable in list(self._closables):
                closing.callback(closable.close)

    async def _run(
        self, pool: ThreadPoolExecutor, call: Callable[[], ReturnT]
    ) -> ReturnT:
        self._m.internals.check_usable()
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, partial(context.run, call))

    def _record(
        self, events: Sequence[NewMeterEvent]
    ) -> Sequence[MeterEvent | Exception]:
        record = self._m.internals.record_events
        try:
            return record(events)
        except MeteringError as error:
            return [error] * len(events)
        except Exception as error:  # noqa: BLE001  # its task gets it
            # One that is so odd that the check of it breaks must not fail the others.
            if len(events) == 1:
                return [error]
            return [outcome for each in events for outcome in self._record([each])]


class AsyncGroup(Generic[SyncT]):
    """Methods of one group of the library, awaited.

    Attributes:
        calls: the threads on which they run.
        sync: the group itself, whose methods block the thread that calls them.
    """

    def __init__(self, calls: Calls, sync: SyncT) -> None:
        self.calls = calls
        self.sync = sync


class DerivedMethod(Generic[P, ReturnT]):
    """A method of an `AsyncGroup`, derived from one of the library.

    Args:
        method: of the library; it documents the derived one.
        bind: returns the derived method of a group.
    """

    def __init__(
        self,
        method: Callable[Concatenate[Any, P], object],
        bind: Callable[[AsyncGroup[Any]], Callable[P, ReturnT]],
    ) -> None:
        self._bind = bind
        self.__wrapped__ = method
        self.__doc__ = method.__doc__

    @overload
    def __get__(self, group: None, owner: type) -> Self: ...

    @overload
    def __get__(self, group: AsyncGroup[Any], owner: type) -> Callable[P, ReturnT]: ...

    def __get__(
        self, group: AsyncGroup[Any] | None, owner: type
    ) -> Self | Callable[P, ReturnT]:
        """Bind the method to a group."""
        if group is None:
            return self
        return wraps(self.__wrapped__.__get__(group.sync))(self._bind(group))


def awaited(
    method: Callable[Concatenate[Any, P], ReturnT], *, is_heavy: bool = False
) -> DerivedMethod[P, Coroutine[Any, Any, ReturnT]]:
    """Derive a method that runs on a thread and is awaited.

    Args:
        method: of the library.
        is_heavy: whether it reads or writes much, so that few run at the same time.
    """

    def bind(group: AsyncGroup[Any]) -> Callable[P, Coroutine[Any, Any, ReturnT]]:
        run = group.calls.run_heavy if is_heavy else group.calls.run

        async def call(*args: P.args, **kwargs: P.kwargs) -> ReturnT:
            return await run(partial(method, group.sync, *args, **kwargs))

        return call

    return DerivedMethod(method, bind)


def listed(
    method: Callable[Concatenate[Any, P], ListObject[ListedResource]],
) -> DerivedMethod[P, Coroutine[Any, Any, AsyncListObject[ListedResource]]]:
    """Derive a method that returns a page of a list, whose further pages are awaited."""

    def bind(
        group: AsyncGroup[Any],
    ) -> Callable[P, Coroutine[Any, Any, AsyncListObject[ListedResource]]]:
        run = group.calls.run

        async def call(
            *args: P.args, **kwargs: P.kwargs
        ) -> AsyncListObject[ListedResource]:
            page = await run(partial(method, group.sync, *args, **kwargs))
            return AsyncListObject(page, run)

        return call

    return DerivedMethod(method, bind)


def streamed(
    method: Callable[Concatenate[Any, P], Iterator[YieldT]],
) -> DerivedMethod[P, AsyncIterator[YieldT]]:
    """Derive a method that returns an asynchronous iterator, read some at a time."""

    def bind(group: AsyncGroup[Any]) -> Callable[P, AsyncIterator[YieldT]]:
        run = group.calls.run

        async def call(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[YieldT]:
            stream = await run(partial(method, group.sync, *args, **kwargs))

            def next_portion() -> list[YieldT]:
                return list(islice(stream, _STREAMED_AT_A_TIME))

            while portion := await run(next_portion):
                for each in portion:
                    yield each

        return call

    return DerivedMethod(method, bind)
