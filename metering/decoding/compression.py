"""Compression: gzip and zstd that others made, decompressed piece by piece.

A caller that bounds what it takes stops asking: no piece is longer than `PIECE_BYTES`,
however much a few bytes unpack to. Whatever was sent is either decompressed or an error,
since bytes that are skipped in silence are usage that is lost.

Sources: RFC 1952, section 2.2 (members follow one another), and gzip(1), which ignores
zeros behind them; RFC 8878, section 3 (frames follow one another).
"""

import enum
import io
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

PIECE_BYTES = 1 << 20
# What zlib leaves of its input it copies: after each piece, and after each member, of
# which a thousand may lie in so many bytes.
_INPUT_BYTES = 16 << 10
_GZIP_FORMAT = 16 + zlib.MAX_WBITS


class Compression(enum.Enum):
    """How bytes are compressed, by the name that HTTP and Arrow have for it."""

    GZIP = "gzip"
    ZSTD = "zstd"


def decompressed(content: bytes, compression: Compression) -> Iterator[bytes]:
    """Yield what bytes in memory unpack to.

    Raises:
        OSError: they are not of the format, are truncated, or others follow their end.
    """
    match compression:
        case Compression.GZIP:
            yield from _gunzipped(_slices_of([content]))
        case Compression.ZSTD:
            yield from _pieces_of(
                pa.CompressedInputStream(pa.BufferReader(content), "zstd")
            )


def open_decompressed(
    path: str, compression: Compression | None
) -> pa.NativeFile | io.BufferedReader:
    """Open a file to read what it unpacks to; reading raises as `decompressed` does.

    Raises:
        OSError: it cannot be opened.
    """
    if compression is Compression.GZIP:
        # Arrow's reader takes the zeros that pad an archive for a broken member.
        pieces = _gunzipped(_slices_of(_pieces_of(pa.OSFile(path))))
        return opened_pieces(pieces)
    name = None if compression is None else compression.value
    return pa.input_stream(path, compression=name)


def opened_pieces(pieces: Iterator[bytes]) -> io.BufferedReader:
    """Return pieces of bytes as a file."""
    return io.BufferedReader(_PieceReader(pieces), PIECE_BYTES)


def _gunzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    ahead = next(pieces, b"")
    is_first = True
    while ahead or is_first:
        member = zlib.decompressobj(_GZIP_FORMAT)
        while True:
            try:
                unpacked = member.decompress(ahead, PIECE_BYTES)
            except zlib.error as error:
                place = "" if is_first else " behind the end of a member"
                reason = str(error).rpartition(": ")[2]
                raise OSError(f"it is not gzip{place}: {reason}") from error
            if unpacked:
                yield unpacked
            if member.eof:
                break
            ahead = member.unconsumed_tail
            # A full piece may leave output behind although no input is left.
            if not ahead and len(unpacked) < PIECE_BYTES:
                ahead = next(pieces, b"")
                if not ahead:
                    raise OSError("the gzip stream is truncated")
        ahead = _without_padding(member.unused_data, pieces)
        is_first = False


def _without_padding(ahead: bytes, pieces: Iterator[bytes]) -> bytes:
    """Skip zeros, and return what comes behind them; nothing where they end the file."""
    while not (rest := ahead.lstrip(b"\0")):
        ahead = next(pieces, b"")
        if not ahead:
            return b""
    return rest


def _slices_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), _INPUT_BYTES):
            yield piece[start : start + _INPUT_BYTES]


def _pieces_of(file: pa.NativeFile) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE_BYTES):
            yield piece


class _PieceReader(io.RawIOBase):
    """Pieces of any length as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        """Whether it can be read; it can."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from the next piece; 0 is the end."""
        if not self._left:
            self._left = memoryview(next(self._pieces, b""))
        length = min(len(buffer), len(self._left))
        buffer[:length] = self._left[:length]
        self._left = self._left[length:]
        return length
