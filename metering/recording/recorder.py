"""The recorder: `MeterEvents.create` for callers that do not wait for the log."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Self

from metering.arguments.times import UsageTime
from metering.recording.events import UnrecordedEvent
from metering.recording.recording import CLOSE_TIMEOUT, Recording
from metering.usage.event_rules import PayloadValue


class Recorder:
    """Records events at once, and writes them many at a time; see `Metering.recorder`.

    Thread-safe. Refuses use in the child of a fork, which writes nothing of what its
    parent holds.

    Attributes:
        recording: what it records with; it may change.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        recording.exit_on_sigterm()

    @property
    def unrecorded(self) -> Sequence[UnrecordedEvent]:
        """What could not be written when the recorder was closed, the oldest first."""
        return self.recording.unrecorded

    def record(
        self,
        *,
        event_name: str,
        payload: Mapping[str, PayloadValue],
        identifier: str | None = None,
        timestamp: UsageTime | None = None,
    ) -> str:
        """Record one event, and return its identifier, made up where it is absent.

        What can be checked without the meter is checked at once. The rest is checked when
        the event is written: what is refused then goes to `on_refused` and to the log of
        the process. With a spool the event is durable when this returns; without one,
        when it was written. The parameters are those of `MeterEvents.create`.

        Raises:
            MeterEventInvalidError: the event breaks a rule, whatever its meter.
            RecorderFullError: as many events are held as may be, and it is not to block.
            RecorderClosedError: the recorder is closed.
            StoreError: the spool cannot hold the event, which is not recorded; or the
                store is closed.
        """
        recording = self.recording
        event = recording.form(event_name, payload, identifier, timestamp)
        recording.holding.add(event)
        recording.added()
        return event.identifier

    def flush(self, timeout: timedelta | None = None) -> bool:
        """Wait until everything recorded before is written, or refused.

        Args:
            timeout: how long to wait; None is as long as it takes.

        Returns:
            Whether it is.

        Raises:
            StoreError: it cannot be written now; it is held, and tried again.
        """
        return self.recording.flush(timeout)

    def close(self, timeout: timedelta = CLOSE_TIMEOUT) -> None:
        """Write what is held, and end. Closing again does nothing.

        Args:
            timeout: how long to try where the store cannot be used.

        Raises:
            EventsUnrecordedError: events could not be written; they are in `unrecorded`.
                Those of a spool stay there and are no error.
        """
        self.recording.close(timeout)

    def __enter__(self) -> Self:
        """Use the recorder in a with statement, which closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the recorder."""
        self.close()
