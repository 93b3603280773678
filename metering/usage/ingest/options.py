"""How a source is taken in: one request, the same at every door that takes many rows."""

import msgspec


class IngestOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the rows of a source are read and judged.

    Attributes:
        backfill: take any past time, not just the last 35 days.
    """

    backfill: bool = False
