"""Positions: requests that wait until the log has reached one.

They wait on futures, however many they are. One task looks at the log for all of them,
less often while nothing comes.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

from metering import MeteringError
from metering.server.api.errors import PositionNotReachedError, TooManyWaitingError

POSITION_SECONDS = 5.0
"""How long a request waits for the position that it asks for."""
WAITING_MAX = 512
"""How many requests wait for a position at the same time."""
WAITING_MAX_OF_KEY = 64
"""How many of them may be of one key."""
_POLL_SECONDS, _POLL_SECONDS_MAX = 0.02, 0.16


class PositionWaits:
    """The requests of an application that wait. For one event loop at a time.

    Args:
        look: returns the position of the log; may wait.
    """

    def __init__(self, look: Callable[[], int]) -> None:
        self._look = look
        self._wanted: dict[asyncio.Future[None], int] = {}
        self._by_key: Counter[str] = Counter()
        self._looking: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._wanted)

    async def reached(self, asked: PositionNotReachedError, deadline: float) -> None:
        """Wait until the log may have reached a position.

        Raises:
            PositionNotReachedError: it has not by the deadline, of the loop's clock.
            TooManyWaitingError: as many requests wait as may.
        """
        key_id = asked.key_id
        if self._by_key[key_id] >= WAITING_MAX_OF_KEY:
            raise TooManyWaitingError(WAITING_MAX_OF_KEY, are_of_key=True)
        if self.waiting >= WAITING_MAX:
            raise TooManyWaitingError(WAITING_MAX, are_of_key=False)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._wanted[future] = asked.wanted
        self._by_key[key_id] += 1
        self._start_looking(loop)
        try:
            async with asyncio.timeout_at(deadline):
                await future
        except TimeoutError:
            raise asked from None
        finally:
            self._wanted.pop(future, None)
            self._by_key -= Counter({key_id: 1})  # Forgets a key that waits no more.

    def _start_looking(self, loop: asyncio.AbstractEventLoop) -> None:
        looking = self._looking
        if looking is None or looking.done() or looking.get_loop() is not loop:
            self._looking = loop.create_task(self._look_for_all())

    async def _look_for_all(self) -> None:
        pause, last = _POLL_SECONDS, 0
        while self._wanted:
            await asyncio.sleep(pause)
            try:
                position = await asyncio.to_thread(self._look)
            except MeteringError:
                # Each asks again, and is answered what is wrong with the store.
                position = max(self._wanted.values(), default=0)
            self._wake(position)
            has_moved = position != last
            pause = _POLL_SECONDS if has_moved else min(2 * pause, _POLL_SECONDS_MAX)
            last = position

    def _wake(self, position: int) -> None:
        """Wake those whose position the log has reached."""
        for future, wanted in list(self._wanted.items()):
            if wanted <= position:
                del self._wanted[future]
                if not future.done():
                    future.set_result(None)
