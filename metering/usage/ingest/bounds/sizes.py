"""Sizes of a body: what it asks for, known before anything is unpacked, and judged."""

from dataclasses import dataclass

from metering.errors import SourceTooLargeError
from metering.usage.ingest.bounds.limits import (
    BODY_COLUMNS_MAX,
    BODY_ROWS_MAX,
    UNPACK_FACTOR,
    UNPACKED_AT_ONCE_MAX,
    UNPACKED_MAX,
    UNPACKED_MIN,
)


@dataclass(slots=True, kw_only=True)
class SourceSizes:
    """What a body asks for.

    Attributes:
        rows: in all.
        columns: in all, those within lists and structs among them.
        unpacked: bytes in all; a value without any counts as one.
        at_once: bytes that have to be in memory at the same time.
    """

    rows: int = 0
    columns: int = 0
    unpacked: int = 0
    at_once: int = 0


def unpacked_max(sent: int, factor: int = UNPACK_FACTOR) -> int:
    """Return how many bytes a body may unpack to of which so many were sent."""
    return min(max(UNPACKED_MIN, factor * sent), UNPACKED_MAX)


def check_sizes(name: str, sizes: SourceSizes, most: int) -> None:
    """Check what a body asks for.

    Args:
        name: what it is called.
        sizes: of the body.
        most: how many bytes it may unpack to.

    Raises:
        SourceTooLargeError: it asks for more than it may.
    """
    cure = "send it in several bodies"
    at_once = "write smaller batches, or row groups and pages"
    for found, limit, what, instead in (
        (sizes.columns, BODY_COLUMNS_MAX, "columns", "leave out what is no usage"),
        (sizes.rows, BODY_ROWS_MAX, "rows", cure),
        (sizes.unpacked, most, "bytes unpacked", cure),
        (sizes.at_once, UNPACKED_AT_ONCE_MAX, "bytes to be unpacked at once", at_once),
    ):
        if found > limit:
            raise SourceTooLargeError(name, f"{found} {what}", limit, instead)
