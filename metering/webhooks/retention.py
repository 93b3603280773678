"""Retention: what was sent is forgotten after 30 days, a little at a time.

What is still to be sent is kept. Source of the 30 days: https://docs.stripe.com/api/events
"""

from time import monotonic

from ledger.records.outbox import Outbox
from metering.store.engine import Engine

KEPT = 30 * 24 * 3600 * 1_000_000
_EVENTS_AT_A_TIME = 1_000
_SECONDS_BETWEEN_LOOKS = 600.0


class Retention:
    """Forgets old deliveries when it is called, not more often than is of use."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._next_look = monotonic()

    def keep_up(self) -> None:
        """Forget some deliveries with their attempts and bodies, if any are too old."""
        if monotonic() < self._next_look:
            return
        before = self._engine.now() - KEPT
        count = 0
        with self._engine.log.read() as connection:
            is_any = bool(Outbox(connection).forgettable(before, 1))

        if is_any:
            with self._engine.outbox() as (outbox, _):
                count = outbox.forget(before, _EVENTS_AT_A_TIME)
        if count < _EVENTS_AT_A_TIME:
            self._next_look = monotonic() + _SECONDS_BETWEEN_LOOKS
