"""How a source is taken in: one request, the same at every door that takes many rows."""

from typing import Literal

import msgspec

from metering.arguments.words import RoundingName

Identity = Literal["file", "row"]


class IngestOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the rows of a source are read and judged.

    Attributes:
        backfill: take any past time, not just the last 35 days.
        rounding: round values of more than 12 fraction digits to 12; they are refused if
            left out.
        identity: what tells apart rows that have no identifier. file is the content of
            their file and their number in it; row is what they say and their number among
            equal rows, so that an export that grew counts each row once.
    """

    backfill: bool = False
    rounding: RoundingName | None = None
    identity: Identity = "file"
