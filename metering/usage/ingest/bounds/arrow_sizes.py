"""Sizes of Arrow streams: how much memory one takes, known before it is allocated.

The buffers of a batch may be compressed, each begins with its length decompressed, and
Arrow allocates that before it looks at the rest: a few bytes can ask for any amount. A
column of nulls has no buffer, so that a batch has as many rows as it says.

Source: https://arrow.apache.org/docs/format/Columnar.html#compression and the schemas
of the flatbuffers in ``format/Message.fbs`` of Arrow.
"""

import struct

import pyarrow as pa

from metering.usage.ingest.bounds.limits import BODY_BATCHES_MAX
from metering.usage.ingest.bounds.sizes import SourceSizes

_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3
_VERSION, _HEADER_TYPE, _HEADER = 0, 1, 2
_V5 = 4
_FIELDS, _CHILDREN = 1, 5
_ID, _DATA_OF_DICTIONARY, _IS_DELTA = 0, 1, 2
_LENGTH_OF_BATCH, _NODES, _BUFFERS, _COMPRESSION = 0, 1, 2, 3
_BYTES_PER_PAIR = 16
_LENGTH = struct.Struct("<q")


def arrow_sizes(stream: pa.Buffer) -> SourceSizes:
    """Add up the batches of a stream, decompressed.

    Raises:
        ArrowInvalid: it is no Arrow stream.
    """
    adding = _SizesSoFar()
    try:
        for message in pa.ipc.MessageReader.open_stream(stream):
            adding.add(message)
    except (struct.error, IndexError) as error:
        reason = f"A message cannot be read: {error}"
        raise pa.ArrowInvalid(reason) from error
    return adding.sizes


class _SizesSoFar:
    """Sizes of the messages so far."""

    def __init__(self) -> None:
        self.sizes = SourceSizes()
        self._dictionaries: dict[int, int] = {}
        self._batches = 0

    def add(self, message: pa.ipc.Message) -> None:
        table = _Table.root(memoryview(message.metadata))
        if table.byte(_VERSION) != _V5:
            # Older ones say in another place that they are compressed.
            reason = (
                "A message is of an old version of the format; write it in version 5"
            )
            raise pa.ArrowInvalid(reason)
        self._batches += table.byte(_HEADER_TYPE) != _SCHEMA
        if self._batches > BODY_BATCHES_MAX:
            # Each is worked on by itself, however few rows it has.
            reason = f"It has more than {BODY_BATCHES_MAX} batches; write larger ones"
            raise pa.ArrowInvalid(reason)
        header = table.table(_HEADER)
        if header is None:
            return
        sizes = self.sizes
        match table.byte(_HEADER_TYPE):
            case kind if kind == _SCHEMA:
                sizes.columns = _count_fields(header)
            case kind if kind == _DICTIONARY:
                self._add_dictionary(message, header)
            case kind if kind == _BATCH:
                sizes.rows += max(0, header.long(_LENGTH_OF_BATCH))
                unpacked, at_once = _bytes_of(message, header)
                sizes.unpacked += unpacked
                at_once += sum(self._dictionaries.values())
                sizes.at_once = max(sizes.at_once, at_once)

    def _add_dictionary(self, message: pa.ipc.Message, header: "_Table") -> None:
        if header.byte(_IS_DELTA):
            # Each batch behind it has all words so far, also where it says nothing new.
            reason = "A dictionary is added to; write each one whole"
            raise pa.ArrowInvalid(reason)
        data = header.table(_DATA_OF_DICTIONARY)
        if data is not None:
            unpacked, at_once = _bytes_of(message, data)
            self.sizes.unpacked += unpacked
            # It stays until another takes its place.
            self._dictionaries[header.long(_ID)] = at_once


def _count_fields(schema: "_Table") -> int:
    """Count the columns of a schema, those within others among them."""
    waiting, count = schema.tables(_FIELDS), 0
    while waiting:
        count += 1
        waiting += waiting.pop().tables(_CHILDREN)
    return count


def _bytes_of(message: pa.ipc.Message, batch: "_Table") -> tuple[int, int]:
    """Return how much a batch unpacks to, and how much of it is unpacked at once."""
    # A value without a buffer takes something as soon as it is looked at.
    values = sum(max(0, length) for length, _ in batch.pairs(_NODES))
    if message.body is None:
        return values, values
    if batch.table(_COMPRESSION) is None:
        # Read where it lies.
        return values + int(message.body.size), 0
    body = memoryview(message.body)
    unpacked = sum(_unpacked_length(body, *each) for each in batch.pairs(_BUFFERS))
    return values + unpacked, unpacked


def _unpacked_length(body: memoryview, offset: int, length: int) -> int:
    if not length:
        return 0
    (unpacked,) = _LENGTH.unpack_from(body, offset)
    # What would not become smaller is not compressed.
    return int(unpacked) if unpacked >= 0 else length


class _Table:
    """A table of a flatbuffer.

    Source: https://flatbuffers.dev/internals
    """

    def __init__(self, content: memoryview, at: int) -> None:
        self._content = content
        self._at = at
        self._fields_at = at - self._signed(at)

    @classmethod
    def root(cls, content: memoryview) -> "_Table":
        return cls(content, struct.unpack_from("<I", content)[0])

    def byte(self, field: int) -> int:
        at = self._place(field)
        return 0 if at is None else self._content[at]

    def table(self, field: int) -> "_Table | None":
        at = self._place(field)
        return None if at is None else _Table(self._content, at + self._unsigned(at))

    def long(self, field: int) -> int:
        at = self._place(field)
        return 0 if at is None else int(_LENGTH.unpack_from(self._content, at)[0])

    def tables(self, field: int) -> list["_Table"]:
        at = self._place(field)
        if at is None:
            return []
        first = at + self._unsigned(at)
        count = self._unsigned(first)
        places = range(first + 4, first + 4 + 4 * count, 4)
        return [_Table(self._content, each + self._unsigned(each)) for each in places]

    def pairs(self, field: int) -> list[tuple[int, int]]:
        at = self._place(field)
        if at is None:
            return []
        first = at + self._unsigned(at)
        count = self._unsigned(first)
        entries = self._content[first + 4 :][: count * _BYTES_PER_PAIR]
        return list(struct.iter_unpack("<qq", entries))

    def _place(self, field: int) -> int | None:
        fields = struct.unpack_from("<H", self._content, self._fields_at)[0]
        entry = 4 + 2 * field
        if entry >= fields:
            return None
        offset = struct.unpack_from("<H", self._content, self._fields_at + entry)[0]
        return self._at + offset if offset else None

    def _signed(self, at: int) -> int:
        return int(struct.unpack_from("<i", self._content, at)[0])

    def _unsigned(self, at: int) -> int:
        return int(struct.unpack_from("<I", self._content, at)[0])
