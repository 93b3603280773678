"""Held events: what was recorded and is not in the log yet, and what never will be."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from metering.arguments.clock import at_microseconds


class HeldEvent(NamedTuple):
    """An event on its way to the log, in the form that is recorded.

    Attributes:
        instant: when the usage happened, microseconds since 1970 UTC.
        recorded_at: when it was recorded here, as that.
        has_own_timestamp: whether its sender said when the usage happened.
    """

    event_name: str
    identifier: str
    instant: int
    recorded_at: int
    has_own_timestamp: bool
    payload: dict[str, str]

    @property
    def timestamp(self) -> datetime:
        """When the usage happened."""
        return at_microseconds(self.instant)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnrecordedEvent:
    """An event that was given to a recorder and is not in the log.

    Attributes:
        code: of the error that `MeterEvents.create` would have raised.
        message: that error's sentence.
    """

    event_name: str
    identifier: str
    timestamp: datetime
    payload: dict[str, str]
    code: str
    message: str

    @classmethod
    def of(cls, event: HeldEvent, code: str, message: str) -> "UnrecordedEvent":
        """Say why an event was not recorded."""
        return cls(
            event_name=event.event_name,
            identifier=event.identifier,
            timestamp=event.timestamp,
            payload=event.payload,
            code=code,
            message=message,
        )
