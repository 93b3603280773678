"""How a source is taken in: one request, the same at every door that takes many rows."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from metering.arguments.strings import LONGEST_TEXT
from metering.arguments.words import RoundingName

Identity = Literal["file", "row"]

NULL_VALUES = ("NULL", "\\N")

_NullSpelling = Annotated[str, Meta(max_length=LONGEST_TEXT)]


class IngestOptions(msgspec.Struct, frozen=True, kw_only=True):
    r"""How the rows of a source are read and judged.

    Attributes:
        backfill: take any past time, not just the last 35 days.
        rounding: round values of more than 12 fraction digits to 12; they are refused if
            left out.
        identity: what tells apart rows that have no identifier. file is the content of
            their file and their number in it; row is what they say and their number among
            equal rows, so that an export that grew counts each row once.
        null_values: what stands for null in a cell of CSV without quotes, as an empty one
            does. No customer is spelled so, whatever holds it. NULL and \N if left out.
    """

    backfill: bool = False
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
