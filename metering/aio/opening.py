"""Opening: what is awaited to be opened, or opened by an async with statement."""

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar


class Closable(Protocol):
    """What blocks while it is closed."""

    def close(self) -> None:
        """Close it."""


class _AsyncClosable(Protocol):
    """What is awaited to be closed."""

    async def close(self) -> None:
        """Close it."""


ClosableT = TypeVar("ClosableT", bound=Closable)
AsyncClosableT = TypeVar("AsyncClosableT", bound=_AsyncClosable)


class Opening(Generic[ClosableT, AsyncClosableT]):
    """Something that is about to be opened: awaited, or in an async with statement.

    Args:
        open_it: opens it, on a thread.
        wrap: makes of it what is awaited, in the thread of the event loop.
    """

    def __init__(
        self,
        open_it: Callable[[], ClosableT],
        wrap: Callable[[ClosableT], AsyncClosableT],
    ) -> None:
        self._open_it = open_it
        self._wrap = wrap
        self._opened: AsyncClosableT | None = None

    def __await__(self) -> Generator[Any, None, AsyncClosableT]:
        """Open it."""
        return self._open().__await__()

    async def __aenter__(self) -> AsyncClosableT:
        """Open it; the async with statement closes it."""
        self._opened = await self._open()
        return self._opened

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        assert self._opened is not None, "it was entered"
        await self._opened.close()

    async def _open(self) -> AsyncClosableT:
        pool = ThreadPoolExecutor(1, "metering-aio-opening")
        opening = pool.submit(self._open_it)
        pool.shutdown(wait=False)
        try:
            return self._wrap(await asyncio.wrap_future(opening))
        except asyncio.CancelledError:
            # It may be opened all the same, for nobody who could close it.
            opening.add_done_callback(_close)
            raise


def _close(opened: "Future[ClosableT]") -> None:
    if not opened.cancelled() and opened.exception() is None:
        opened.result().close()
