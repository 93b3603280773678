"""Own how a history is lived through: by two connections to one store, and one clock.

Each step names the connection that acts, so that what one writes the other must read.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Self

from hypothesis import strategies as st

import metering
from tests.oracles.log_time import OracleTime
from tests.segment_places import places_of

MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Upkeep:
    """Catch up, seal, rebuild, deliver or reopen."""

    verb: str


@dataclass(frozen=True, kw_only=True)
class Change:
    """Activate, deactivate or archive an alert, if that is allowed."""

    alert: int
    verb: str


UPKEEP = st.builds(
    Upkeep, verb=st.sampled_from(["catch_up", "catch_up", "seal", "rebuild", "reopen"])
)
CHANGES = st.builds(
    Change,
    alert=st.integers(0, 3),
    verb=st.sampled_from(["deactivate", "activate", "activate", "archive"]),
)


class TwoConnections:
    """Two connections to a store, which close with it.

    `reached` counts what happened, so that a search can show that it was no idle one.
    """

    def __init__(self, target: str, now: datetime, **settings: Any) -> None:
        self.target = target
        self.clock = metering.FixedClock(now)
        self._settings = {"clock": self.clock, **settings, **places_of(target)}
        self.connections = [self._connect(), self._connect()]
        self.reached: Counter[str] = Counter()
        self._wrong_by = timedelta(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as closing:
            for connection in self.connections:
                closing.callback(connection.close)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def live(self, history: Iterable[tuple[int, Any]]) -> None:
        for number, deed in history:
            self.do(number, deed)

    def do(self, number: int, deed: Any) -> None:
        if isinstance(deed, Upkeep):
            self.keep_up(number, deed.verb)
        else:
            self.act(number, deed)

    def act(self, number: int, deed: Any) -> None:
        """Do anything but upkeep, and tell the oracle."""
        raise NotImplementedError(deed)

    def let_the_clock_be_wrong(self, by: timedelta) -> None:
        """Let what is recorded next be by a clock that is ahead."""
        self.clock.advance(by)
        self._wrong_by += by

    def correct_time(
        self, connection: int, time: OracleTime, share: Fraction
    ) -> datetime | None:
        """Set the clock right, and bring the log's time back, if it is ahead.

        Args:
            connection: which of them does it.
            time: what is to be expected.
            share: where between its bounds the right time is.

        Returns:
            The time that it is brought back to, which the oracle has to be told.
        """
        self.clock.advance(-self._wrong_by)
        self._wrong_by = timedelta(0)
        now = self.now
        bounds = time.bounds(now)
        start, end = bounds or (now, now)
        to = start + int((end - start) // MICROSECOND * share) * MICROSECOND
        made = self.connections[connection].log_time.repair(to)
        assert made.was_wrong == (bounds is not None)
        if bounds is None:
            return None
        assert made.after == time.position_at(now)
        assert made.position == len(time.instants) + 1
        self.reached["time corrected"] += 1
        return to

    def assert_found(self, found: Callable[[], list[Any]], due: list[Any]) -> None:
        """Check what is found now, and when everything was sealed and made anew."""
        self.connections[1].catch_up()
        assert found() == due

        position = self.connections[0].catch_up()
        self.connections[0].seal()
        self.connections[1].rebuild()
        self.keep_up(0, "reopen")
        self.connections[1].catch_up()
        assert self.connections[0].catch_up() == position
        assert found() == due
        assert self.connections[1].verify().problems == ()

    def keep_up(self, number: int, verb: str) -> None:
        """Do what an `Upkeep` says."""
        if verb == "reopen":
            self.connections[number].close()
            self.connections[number] = self._connect()
        else:
            getattr(self.connections[number], verb)()

    def _connect(self) -> metering.Metering:
        return metering.connect(self.target, **self._settings)


def filters_of(customer: str | None) -> dict[str, object]:
    """The part of an alert's threshold that says whose it is."""
    if customer is None:
        return {}
    return {"filters": [{"type": "customer", "customer": customer}]}


def change_alert(connection: metering.Metering, alert_id: str, verb: str) -> bool:
    """Change an alert, and return whether that was allowed."""
    try:
        getattr(connection.alerts, verb)(alert_id)
    except metering.InvalidRequestError:
        return False
    return True
