"""How a source is taken in: one request, the same at every door that takes many rows."""

import msgspec

from metering.arguments.words import RoundingName


class IngestOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the rows of a source are read and judged.

    Attributes:
        backfill: take any past time, not just the last 35 days.
        rounding: round values of more than 12 fraction digits to 12; they are refused if
            left out.
    """

    backfill: bool = False
    rounding: RoundingName | None = None
