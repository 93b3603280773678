"""Sizes of Arrow streams: how much memory one takes, known before it is allocated.

The buffers of a batch may be compressed, each begins with its length decompressed, and
Arrow allocates that before it looks at the rest: a few bytes can ask for any amount.

Source: https://arrow.apache.org/docs/format/Columnar.html#compression and the schemas
of the flatbuffers in ``format/Message.fbs`` of Arrow.
"""

import struct

import pyarrow as pa

_DICTIONARY, _BATCH = 2, 3
_VERSION, _HEADER_TYPE, _HEADER = 0, 1, 2
_V5 = 4
_DATA_OF_DICTIONARY, _IS_DELTA = 1, 2
_BUFFERS, _COMPRESSION = 2, 3
_BYTES_PER_BUFFER = 16
_LENGTH = struct.Struct("<q")


def unpacked_bytes(stream: pa.Buffer) -> int:
    """Add up the buffers of all batches, decompressed.

    Raises:
        ArrowInvalid: it is no Arrow stream.
    """
    try:
        return sum(map(_unpacked_bytes, pa.ipc.MessageReader.open_stream(stream)))
    except (struct.error, IndexError) as error:
        reason = f"A message cannot be read: {error}"
        raise pa.ArrowInvalid(reason) from error


def _unpacked_bytes(message: pa.ipc.Message) -> int:
    table = _Table.root(memoryview(message.metadata))
    if table.byte(_VERSION) != _V5:
        # Older ones say in another place that they are compressed.
        reason = "A message is of an old version of the format; write it in version 5"
        raise pa.ArrowInvalid(reason)
    kind = table.byte(_HEADER_TYPE)
    header = table.table(_HEADER)
    if header is not None and kind == _DICTIONARY:
        if header.byte(_IS_DELTA):
            # Each batch behind it has all words so far, also where it says nothing new.
            reason = "A dictionary is added to; write each one whole"
            raise pa.ArrowInvalid(reason)
        header = header.table(_DATA_OF_DICTIONARY)
    elif kind != _BATCH:
        return 0
    if header is None or message.body is None:
        return 0
    if header.table(_COMPRESSION) is None:
        return int(message.body.size)
    body = memoryview(message.body)
    return sum(_unpacked_length(body, *each) for each in header.buffers(_BUFFERS))


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

    def buffers(self, field: int) -> list[tuple[int, int]]:
        at = self._place(field)
        if at is None:
            return []
        first = at + self._unsigned(at)
        count = self._unsigned(first)
        entries = self._content[first + 4 :][: count * _BYTES_PER_BUFFER]
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
