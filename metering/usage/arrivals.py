"""Arrivals: when events came, what was known then, and which times they may have.

The clock is asked once for all events that came together.
"""

from datetime import timedelta

import msgspec

from metering.arguments.clock import MICROSECOND, at_microseconds
from metering.arguments.times import ONE_EVENT, TimeReading, UsageTime
from metering.errors import (
    InvalidRequestError,
    MeterEventInvalidError,
    TimestampOutOfRangeError,
)
from projections.meters.catalog import Definitions
from projections.windows import END

OLDEST = timedelta(days=35) // MICROSECOND
NEWEST = timedelta(minutes=5) // MICROSECOND


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """When events arrived, and what was known then.

    Attributes:
        now: microseconds since 1970 UTC.
        definitions: the meters.
        takes_any_past: whether timestamps may be older than 35 days.
        ignores_the_moment: whether timestamps may also lie in the future, meters be
            inactive and values have as many digits as the stored type, as is right for
            an event that is recorded already.
        times: how timestamps are read.
        takes_now: whether an event without a timestamp happens now.
    """

    now: int
    definitions: Definitions
    takes_any_past: bool
    ignores_the_moment: bool = False
    times: TimeReading = ONE_EVENT
    takes_now: bool = True

    @property
    def earliest(self) -> int:
        """The earliest timestamp that is taken, inclusive."""
        takes_any = self.takes_any_past or self.ignores_the_moment
        return 0 if takes_any else max(0, self.now - OLDEST)

    @property
    def latest(self) -> int:
        """The latest timestamp that is taken, inclusive."""
        return END - 1 if self.ignores_the_moment else min(self.now + NEWEST, END - 1)

    def of(self, customer: object) -> "Arrival":
        """Return the arrival of events of a customer, by its test clock if it has one.

        Raises:
            MeterEventInvalidError: the clock is deleted, and so is the customer.
        """
        if not isinstance(customer, str):
            return self
        time = self.definitions.clocked.times.get(customer)
        if time is None:
            return self
        if time.is_deleted:
            raise MeterEventInvalidError(
                f"No such customer: {customer}; its test clock was deleted",
                code="resource_missing",
                param="payload",
            )
        return msgspec.structs.replace(self, now=time.instant)

    def instant(self, timestamp: UsageTime | None) -> int:
        """Return the time of an event as microseconds since 1970 UTC.

        Raises:
            MeterEventInvalidError: it has none, or one that is not taken.
        """
        if timestamp is None:
            return self._instant_of_none()
        try:
            at = self.times.instant(timestamp, "timestamp")
        except InvalidRequestError as error:
            raise MeterEventInvalidError(
                error.message, code=error.code, param=error.param
            ) from error
        if at < self.earliest:
            limit = (
                "before 1970" if self.takes_any_past else "more than 35 days in past"
            )
            raise TimestampOutOfRangeError(
                f"The event timestamp cannot be {limit}. Expected a timestamp greater"
                " than or equal to",
                at_microseconds(self.earliest),
                is_too_early=True,
            )
        if at > self.latest:
            raise TimestampOutOfRangeError(
                "The event timestamp cannot be more than 5 minutes in the future."
                " Expected a timestamp less than or equal to",
                at_microseconds(self.latest),
                is_too_early=False,
            )
        return at

    def _instant_of_none(self) -> int:
        if self.takes_now:
            return self.now
        raise MeterEventInvalidError(
            "Invalid timestamp: the row has none, and a missing time is not taken for now;"
            " give one, or now=True where now is meant",
            code="parameter_missing",
            param="timestamp",
        )
