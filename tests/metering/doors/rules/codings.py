"""Own the cells of codings: what is compressed is read to its end, or refused by name."""

import gzip

import pyarrow as pa

from tests.metering.doors.cells import Case, Rule, at, none_at
from tests.metering.doors.doors import HTTP, STRIPE
from tests.metering.doors.sending import Event, Refused, Right, Wire

TWO = (Event(), Event(identifier="sender/2", value="2"))
BOTH = (Right(), Right(value="2"))
NO_HEADER = "a file is named for its coding, and has no header"
NO_TEXT = "it takes values or columns, which are compressed by themselves or not at all"
COLUMN_FILES = ("table", "arrow", "parquet")
FILES = ("csv", "ndjson", "command")


def in_two_members(content: bytes) -> bytes:
    """Compress the halves apart, as a writer that was interrupted and went on does."""
    half = len(content) // 2
    return gzip.compress(content[:half]) + gzip.compress(content[half:])


def padded(content: bytes) -> bytes:
    """Fill up with zeros, as a tape or a block device does."""
    return gzip.compress(content).ljust(8_192, b"\0")


def zstd(content: bytes) -> bytes:
    compressed: bytes = pa.Codec("zstd").compress(content, asbytes=True)
    return compressed


def cut(content: bytes) -> bytes:
    return gzip.compress(content)[:-10]


RULE = Rule(
    "what is compressed is read to its end",
    (
        Case(
            name="gzip of one member",
            events=TWO,
            right=BOTH,
            wire=Wire(pack=gzip.compress, coding="gzip", ending=".gz"),
        ),
        Case(
            name="gzip of two members",
            events=TWO,
            right=BOTH,
            wire=Wire(pack=in_two_members, coding="gzip", ending=".gz"),
        ),
        Case(
            name="gzip with zeros behind it",
            events=TWO,
            right=BOTH,
            wire=Wire(pack=padded, coding="gzip", ending=".gz"),
        ),
        Case(
            name="x-gzip is gzip",
            wire=Wire(pack=gzip.compress, coding="x-gzip", ending=".gz"),
            empty=none_at(FILES, NO_HEADER),
        ),
        Case(
            name="gzip that is cut off",
            wire=Wire(pack=cut, coding="gzip", ending=".gz"),
            source=Refused("", "the gzip stream is truncated"),
        ),
        Case(
            name="zstd",
            wire=Wire(pack=zstd, coding="zstd", ending=".zst"),
            but=at(STRIPE, Refused("", "must be gzip, or left out")),
            statuses=dict.fromkeys(STRIPE, 415),
        ),
        Case(
            name="a coding that is not taken",
            wire=Wire(pack=bytes, coding="br", ending=".br"),
            source=Refused("", "gz"),
            statuses=dict.fromkeys(HTTP, 415),
        ),
    ),
    nowhere=dict.fromkeys(("create", "dicts", *COLUMN_FILES), NO_TEXT),
)
