"""Lanes: what tasks ask for at the same time, done together by one thread.

Passing one thing at a time between an event loop and a thread costs more than most things
take to do. So a lane's thread takes all that has gathered while it was at work, and what
is ready together wakes the event loop once.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")
LaneDoneT = TypeVar("LaneDoneT")

_HandedOut = deque[tuple[asyncio.Future[LaneDoneT], LaneDoneT | Exception]]
_LaneQueue = SimpleQueue[tuple[ItemT, asyncio.Future[LaneDoneT]] | None]


class HandOut(Generic[LaneDoneT]):
    """Settles futures of event loops from other threads. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready: dict[asyncio.AbstractEventLoop, _HandedOut[LaneDoneT]] = {}

    def settle(
        self, done: Iterable[tuple[asyncio.Future[LaneDoneT], LaneDoneT | Exception]]
    ) -> None:
        """Settle futures, in the threads of their loops, each with a value or an error."""
        woken: list[asyncio.AbstractEventLoop] = []
        with self._lock:
            for future, outcome in done:
                loop = future.get_loop()
                if loop not in self._ready:
                    self._ready[loop] = deque()
                    woken.append(loop)
                self._ready[loop].append((future, outcome))
        for loop in woken:
            try:
                loop.call_soon_threadsafe(self._settle, loop)
            except RuntimeError:  # The loop has ended, and with it the waiting task.
                self._taken(loop)

    def _settle(self, loop: asyncio.AbstractEventLoop) -> None:
        for future, outcome in self._taken(loop):
            if future.done():  # Its task was cancelled.
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    def _taken(self, loop: asyncio.AbstractEventLoop) -> "_HandedOut[LaneDoneT]":
        with self._lock:
            # One that was closed before it settled anything never will.
            for closed in [each for each in self._ready if each.is_closed()]:
                del self._ready[closed]
            return self._ready.pop(loop, deque())


class Lane(Generic[ItemT, LaneDoneT]):
    """Items that tasks of any event loop submit, done together by a thread of its own.

    Args:
        work: does items, and returns an outcome for each, in order: a value, or the error
            that its task gets. An error that it raises goes to all of their tasks.
        name: of the thread.
        most: how many items are done together at most.
    """

    def __init__(
        self,
        work: Callable[[Sequence[ItemT]], Sequence[LaneDoneT | Exception]],
        *,
        name: str,
        most: int,
    ) -> None:
        self._work = work
        self._name = name
        self._most = most
        self._lock = threading.Lock()
        self._running: tuple[threading.Thread, _LaneQueue[ItemT, LaneDoneT]] | None = (
            None
        )
        self._hand_out = HandOut[LaneDoneT]()

    async def submit(self, item: ItemT) -> LaneDoneT:
        """Have an item done, and return its outcome.

        Of an item whose task is cancelled, nothing is done if the thread has not taken
        it yet; otherwise it is done, and its outcome goes nowhere.
        """
        future: asyncio.Future[LaneDoneT] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._started().put((item, future))
        return await future

    def start(self) -> None:
        """Start the thread, unless it runs. Nothing ends it but `close`."""
        with self._lock:
            self._started()

    def close(self) -> None:
        """End the thread once it has done what was submitted."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            thread, queue = running
            queue.put(None)
            thread.join()

    def _started(self) -> "_LaneQueue[ItemT, LaneDoneT]":
        if self._running is None:
            # A queue for each thread: the sentinel that ends one must not end the next.
            queue: _LaneQueue[ItemT, LaneDoneT] = SimpleQueue()
            thread = threading.Thread(
                target=self._run, args=(queue,), name=self._name, daemon=True
            )
            thread.start()
            self._running = thread, queue
        return self._running[1]

    def _run(self, queue: "_LaneQueue[ItemT, LaneDoneT]") -> None:
        is_open = True
        while is_open:
            came = what_came(queue, self._most)
            wanted = [each for each in came if each is not None and not each[1].done()]
            is_open = None not in came
            if wanted:
                items, futures = zip(*wanted, strict=True)
                self._hand_out.settle(zip(futures, self._done(items), strict=True))

    def _done(self, items: Sequence[ItemT]) -> Sequence[LaneDoneT | Exception]:
        try:
            done = self._work(items)
            # Else the thread would end, and every later task wait for ever.
            assert len(done) == len(items), "each item has an outcome"
        except Exception as error:  # noqa: BLE001  # the tasks that wait for it get it
            return [error] * len(items)
        return done


def what_came(queue: "SimpleQueue[ItemT]", most: int) -> list[ItemT]:
    """Wait for something in a queue, and take all that is there."""
    came = [queue.get()]
    try:
        while len(came) < most:
            came.append(queue.get_nowait())
    except Empty:
        pass
    return came
