"""How a source is taken in: one request, the same at every door that takes many rows."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from metering.arguments.strings import LONGEST_TEXT
from metering.arguments.times import TimeReading, TimeUnit
from metering.arguments.words import RoundingName
from metering.arguments.zones import ZoneName, zone_of

Identity = Literal["file", "row"]

NULL_VALUES = ("NULL", "\\N")

_NullSpelling = Annotated[str, Meta(max_length=LONGEST_TEXT)]


class IngestOptions(msgspec.Struct, frozen=True, kw_only=True):
    r"""How the rows of a source are read and judged.

    Attributes:
        backfill: take any past time, not just the last 35 days.
        now: take rows without a timestamp as happening now; if left out they are
            refused.
        timestamp_unit: what timestamps that are numbers count, since 1970 UTC.
        timezone: where timestamps without a zone are local, by its IANA name, such as
            UTC; if left out they are refused.
        rounding: round values of more than 12 fraction digits to 12; they are refused if
            left out.
        identity: what tells apart rows that have no identifier. file is the content of
            their file and their number in it; row is what they say and their number among
            equal rows, so that an export that grew counts each row once.
        null_values: what stands for null in a cell of CSV without quotes, as an empty one
            does. No customer is spelled so, whatever holds it. NULL and \N if left out.
    """

    backfill: bool = False
    now: bool = False
    timestamp_unit: TimeUnit = "s"
    timezone: ZoneName | None = None
    rounding: RoundingName | None = None
    identity: Identity = "file"
    null_values: Sequence[_NullSpelling] = NULL_VALUES

    @property
    def nobodies(self) -> frozenset[str]:
        """The spellings of null, also in upper and lower case: they name no customer."""
        return frozenset(
            spelled
            for each in self.null_values
            for spelled in (each, each.upper(), each.lower())
        )

    @property
    def times(self) -> TimeReading:
        """Return how timestamps are read."""
        zone = self.timezone
        return TimeReading(
            unit=self.timestamp_unit,
            zone=None if zone is None else zone_of(zone, "timezone"),
            is_of_source=True,
        )
