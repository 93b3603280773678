"""Metering requests: which event a request is, and what happens when that fails.

What a framework calls a request is its module's; this is the same for all of them.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypedDict, TypeVar

from metering.integrations.processes import ProcessStore
from metering.usage.event_rules import PayloadValue

RequestT = TypeVar("RequestT")
RequestPayload = Mapping[str, PayloadValue]

_logger = logging.getLogger(__name__)


class RequestEvent(TypedDict):
    """What `MeterEvents.create` and `Recorder.record` take."""

    event_name: str
    payload: RequestPayload
    identifier: str | None


def log_failure(error: Exception) -> None:
    """Log that a request was not metered."""
    _logger.error("A request was not metered: %s", error)


def _own_identifier(_request: object) -> None:
    """Leave it to the store, so that every request counts."""


@dataclass(frozen=True, kw_only=True)
class RequestMetering(Generic[RequestT]):
    """How requests are metered: each is one event, made when its status is known.

    Attributes:
        event_name: of a meter.
        payload: returns the payload of an event, from the request and the status of its
            response; None where the request is not metered. A request that raised has
            status 500.
        identifier: returns the identifier of an event. Requests of one identifier count
            once, so it must be nothing that a client can choose; by default each request
            has its own.
        waits: whether a response begins only when its event is durable. Otherwise the
            recorder of this process holds the event for a moment, and no response waits.
        failed: is called with the error where a request is not metered. By default it
            logs. Where `waits`, what it raises fails the request.
    """

    event_name: str
    payload: Callable[[RequestT, int], RequestPayload | None]
    identifier: Callable[[RequestT], str | None] = _own_identifier
    waits: bool = False
    failed: Callable[[Exception], None] = log_failure

    def record(self, usage: ProcessStore, request: RequestT, status: int) -> None:
        """Record the event of a request, and wait for the log where `waits`."""
        try:
            event = self._event_of(request, status)
            if event is not None and self.waits:
                usage.m.meter_events.create(**event)
            elif event is not None:
                usage.recorder.record(**event)
        except Exception as error:  # noqa: BLE001  # of the application's functions too
            self.failed(error)

    async def record_awaited(
        self, usage: ProcessStore, request: RequestT, status: int
    ) -> None:
        """Do the same in an event loop, which goes on meanwhile."""
        try:
            event = self._event_of(request, status)
            if event is not None and self.waits:
                await usage.open().awaited.meter_events.create(**event)
            elif event is not None:
                await usage.open().awaited_recorder.record(**event)
        except Exception as error:  # noqa: BLE001  # of the application's functions too
            self.failed(error)

    def _event_of(self, request: RequestT, status: int) -> RequestEvent | None:
        payload = self.payload(request, status)
        if payload is None:
            return None
        return RequestEvent(
            event_name=self.event_name,
            payload=payload,
            identifier=self.identifier(request),
        )
