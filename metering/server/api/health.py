"""Health: whether the store can be asked, and how far its log goes.

Anyone may ask without a key, so the store itself is asked once a second at most.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

_KEPT_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The health of a store.

    Attributes:
        position: of its log; None where the store cannot be asked.
    """

    position: int | None

    @property
    def is_ready(self) -> bool:
        """Whether the store can be asked."""
        return self.position is not None


class KeptHealth:
    """The health of a store, as it was a second ago at most. For one event loop.

    Args:
        look: asks the store; may wait.
        monotonic: returns the time in seconds, never backwards.
    """

    def __init__(
        self, look: Callable[[], Health], monotonic: Callable[[], float]
    ) -> None:
        self._look = look
        self._monotonic = monotonic
        self._looking: asyncio.Future[Health] | None = None
        self._stale_at = 0.0

    async def latest(self) -> Health:
        """Return what was seen last, or look again.

        Calls during a look wait for its answer, so a store that hangs does not use
        up the threads.
        """
        looking = self._looking
        now = self._monotonic()
        if looking is None or (looking.done() and now >= self._stale_at):
            looking = asyncio.ensure_future(asyncio.to_thread(self._look))
            self._looking, self._stale_at = looking, now + _KEPT_SECONDS
        # A client that hangs up does not end the look of the others.
        return await asyncio.shield(looking)
