"""The recorder for asyncio: the event loop waits neither for the log nor for the disk."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from time import monotonic
from types import TracebackType
from typing import Self

from metering.aio.calls import Calls
from metering.aio.lanes import Lane
from metering.arguments.times import Time
from metering.recording.buffer import EventBuffer
from metering.recording.events import HeldEvent, UnrecordedEvent
from metering.recording.recorder import Recorder
from metering.recording.recording import CLOSE_TIMEOUT
from metering.recording.spool import Spool
from metering.usage.event_rules import PayloadValue

_RECORDED_TOGETHER_MAX = 1_024
_TURN_SECONDS = 0.001
"""How long records together keep the event loop before it looks at what else is due."""


class AsyncRecorder:
    """Records events at once, and writes them many at a time; see `Metering.recorder`.

    Args:
        calls: the threads of the connection.
        recorder: what it records with.
    """

    def __init__(self, calls: Calls, recorder: Recorder) -> None:
        self._calls = calls
        self._recorder = recorder
        self._recording = recorder.recording
        self._recording.exit_on_sigterm()
        calls.close_before(recorder)
        holding = recorder.recording.holding
        self._lane = _spooling_lane(holding) if isinstance(holding, Spool) else None
        if self._lane is not None:
            calls.close_before(self._lane)
        self._room: asyncio.Future[None] | None = None
        self._kept_seconds = 0.0

    @property
    def unrecorded(self) -> Sequence[UnrecordedEvent]:
        """What could not be written when the recorder was closed, the oldest first."""
        return self._recorder.unrecorded

    async def record(
        self,
        *,
        event_name: str,
        payload: Mapping[str, PayloadValue],
        identifier: str | None = None,
        timestamp: Time | None = None,
    ) -> str:
        """Record one event, and return its identifier; see `Recorder.record`.

        It waits for room where as many events are held as may be, and, with a spool,
        until the event is durable, in one write with those of other tasks. With a spool
        the event of a task that is cancelled is recorded all the same.
        """
        recording, began = self._recording, monotonic()
        event = recording.form(event_name, payload, identifier, timestamp)
        if self._lane is not None:
            # What it counts has happened, though whoever asked for it may be gone.
            await asyncio.shield(self._spool(self._lane, event))
        elif isinstance(recording.holding, EventBuffer):
            while not recording.holding.add_if_room(event):
                await self._wait_for_room(recording.holding)
                began = monotonic()
            recording.added()
            # A record that need not wait would never let the event loop go on, and many
            # tasks that each record for a while would keep it for all that time together.
            self._kept_seconds += monotonic() - began
            if self._kept_seconds >= _TURN_SECONDS:
                self._kept_seconds = 0.0
                await asyncio.sleep(0)
        return event.identifier

    async def flush(self, timeout: timedelta | None = None) -> bool:
        """Wait until everything recorded before is written; see `Recorder.flush`."""
        return await self._calls.run(lambda: self._recorder.flush(timeout))

    async def close(self, timeout: timedelta = CLOSE_TIMEOUT) -> None:
        """Write what is held, and end; see `Recorder.close`."""

        def close() -> None:
            if self._lane is not None:
                self._lane.close()
            self._recorder.close(timeout)

        await asyncio.to_thread(close)

    async def __aenter__(self) -> Self:
        """Use the recorder in an async with statement, which closes it."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the recorder."""
        await self.close()

    async def _spool(self, lane: Lane[HeldEvent, bool], event: HeldEvent) -> None:
        await lane.submit(event)
        self._recording.added()

    async def _wait_for_room(self, buffer: EventBuffer) -> None:
        """Wait on one thread for all tasks."""
        loop = asyncio.get_running_loop()
        room = self._room
        if room is None or room.done() or room.get_loop() is not loop:
            room = asyncio.ensure_future(self._calls.run(buffer.wait_for_room))
            self._room = room
        await asyncio.shield(room)


def _spooling_lane(spool: Spool) -> Lane[HeldEvent, bool]:
    def hold(events: Sequence[HeldEvent]) -> Sequence[bool]:
        spool.add_together(events)
        return [True] * len(events)

    return Lane(hold, name="metering-aio-spool", most=_RECORDED_TOGETHER_MAX)
