"""Adjustments: cancelling an event. Decides whether it still may be cancelled."""

from typing import Literal

import numpy as np

from ledger.appending.writing import Writing
from ledger.facts.adjustments import MeterEventCancelled
from ledger.usage.columns import usage_rows
from metering.arguments.clock import MICROSECOND, at_microseconds
from metering.arguments.refusals import missing
from metering.arguments.schema import checked
from metering.errors import InvalidRequestError, ResourceMissingError
from metering.store.engine import Engine
from metering.usage.requests import CancelParams, MeterEventAdjustmentCreate
from metering.usage.resources import Cancel, MeterEventAdjustment


class MeterEventAdjustments:
    """The adjustments of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self,
        *,
        event_name: str,
        type: Literal["cancel"],  # noqa: A002  # the name that Stripe gives it
        cancel: CancelParams,
    ) -> MeterEventAdjustment:
        """Cancel an event: no summary counts it from then on.

        Cancelling again is success. The event's identifier stays taken.

        Args:
            event_name: the event's.
            type: ``cancel``.
            cancel: ``{"identifier": …}``, the event's.

        Raises:
            ResourceMissingError: no event of the name has the identifier.
            InvalidRequestError: an argument is malformed, or the event was recorded
                longer ago than the connection's `cancel_window`.
        """
        asked = checked(
            MeterEventAdjustmentCreate, event_name=event_name, type=type, cancel=cancel
        )
        if asked.cancel is None:
            raise missing("cancel[identifier]")
        identifier = asked.cancel["identifier"]
        now = self._engine.now()

        with self._engine.writing(needs_events=True) as writing:
            fact = self._cancellation(event_name, identifier, now, writing)
            if fact is not None:
                writing.record([fact])
        return MeterEventAdjustment(
            event_name=event_name,
            cancel=Cancel(identifier=identifier),
            livemode=self._engine.settings.livemode,
        )

    def _cancellation(
        self, event_name: str, identifier: str, now: int, writing: Writing
    ) -> MeterEventCancelled | None:
        engine = self._engine
        position = engine.log.find_event(event_name, identifier)
        if position is None:
            raise ResourceMissingError(
                f"meter event of {event_name!r}", identifier, param="cancel[identifier]"
            )
        if engine.is_cancelled(position):
            return None
        events, recorded_at = engine.log.events_at(np.array([position]))
        # As of the request, however long the lock took, by a clock that is right.
        now, made = min(now, writing.now), int(recorded_at[0])
        event = usage_rows(events)[0]
        time = engine.clocked(writing, writing.head).times.get(event.customer)
        if time is not None and (shown := time.at(position)) is not None:
            now, made = time.instant, shown
        self._check_window(identifier, made, now)
        return MeterEventCancelled(
            event_position=position,
            event_name=event_name,
            identifier=identifier,
            customer=event.customer,
            timestamp=event.timestamp,
            value=event.value,
        )

    def _check_window(self, identifier: str, recorded_at: int, now: int) -> None:
        window = self._engine.settings.cancel_window
        if window is None or now - recorded_at <= window // MICROSECOND:
            return
        raise InvalidRequestError(
            f"The event with identifier {identifier} was recorded at"
            f" {at_microseconds(recorded_at).isoformat()}, more than {window} ago, and"
            " can no longer be cancelled",
            code="out_of_window",
            param="cancel[identifier]",
        )
