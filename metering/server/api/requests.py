"""Requests as they arrive and responses as they leave: bytes and headers.

Nothing here waits for a socket: `metering.server.http.receiving` reads bodies.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from metering.decoding.compression import Compression
from metering.decoding.compression import decompressed as pieces_of
from metering.server.api.errors import (
    BodyTooLargeError,
    BodyUnreadableError,
    EncodingRefusedError,
)
from metering.usage.ingest.bounds.limits import UNPACK_FACTOR
from metering.usage.ingest.bounds.sizes import unpacked_max

_HELD_UNPACKED_MAX = 16 << 20
_LENGTH_DIGITS_MAX = 18
# Beyond every limit; Python refuses to read numbers of thousands of digits.
_LENGTH_ENDLESS = 10**_LENGTH_DIGITS_MAX
_CODINGS = {
    "gzip": Compression.GZIP,
    "x-gzip": Compression.GZIP,
    "zstd": Compression.ZSTD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """What a body may be.

    Attributes:
        sent_max: how many bytes may be sent.
        decoded_max: how many bytes they may unpack to.
        compressions: how it may be compressed.
        unpack_factor: how many times as long as it was sent it may be, unpacked, beyond
            the first part.
    """

    sent_max: int
    decoded_max: int
    # A zstd frame may ask for a window of 128 MiB, which is too much for a small body.
    compressions: tuple[Compression, ...] = (Compression.GZIP,)
    unpack_factor: int = UNPACK_FACTOR


FORM_LIMITS = BodyLimits(sent_max=1 << 20, decoded_max=4 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request.

    Attributes:
        query: as it was sent.
        headers: by their names in lower case.
        ids: what the path has in the place of the names in the route's.
        body: decompressed, but for rows that take much memory then.
        request_id: made for this request.
        packed: how such rows are compressed.
        is_admitted: whether it was admitted before its body was read.
    """

    method: str
    path: str
    query: bytes
    headers: Mapping[str, str] = field(repr=False)
    ids: Mapping[str, str]
    body: bytes = field(repr=False)
    request_id: str
    packed: Compression | None = None
    is_admitted: bool = False

    def with_body(
        self, body: bytes, packed: Compression | None = None
    ) -> "HttpRequest":
        """Return the request with its body, which was read after its head."""
        # Each request has one: `replace` takes twice as long.
        return HttpRequest(
            method=self.method,
            path=self.path,
            query=self.query,
            headers=self.headers,
            ids=self.ids,
            body=body,
            request_id=self.request_id,
            is_admitted=self.is_admitted,
            packed=packed,
        )

    def admitted(self) -> "HttpRequest":
        """Return the request as one whose body may be read."""
        return replace(self, is_admitted=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """A response.

    Attributes:
        headers: beside those that every response has.
        pieces: in place of the body, made while they are sent.
        held_bytes: what they are made of.
        refusal: why the request never reached the store, one of `error_responses.REFUSALS`.
    """

    status: int = 200
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Iterator[bytes] | None = None
    held_bytes: int = 0
    refusal: str | None = None

    def closing(self) -> "HttpResponse":
        """Return the response as the last one of its connection."""
        return replace(self, headers={**self.headers, "Connection": "close"})


def media_type_named(headers: Mapping[str, str]) -> str:
    """Return the media type of a body in lower case, or an empty string."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def length_of(headers: Mapping[str, str]) -> int | None:
    """Return how long a body is by its head, or None where that does not say."""
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or (length and not length.isdecimal()):
        return None
    digits = length.lstrip("0")
    return int(digits or 0) if len(digits) <= _LENGTH_DIGITS_MAX else _LENGTH_ENDLESS


def has_body(headers: Mapping[str, str]) -> bool:
    """Whether a body follows the head of a request."""
    return length_of(headers) != 0


def check_length(headers: Mapping[str, str], limits: BodyLimits) -> None:
    """Check the length that a body's header gives."""
    length = length_of(headers)
    if length is not None and length > limits.sent_max:
        raise BodyTooLargeError(limits.sent_max)


def check_encoding(
    headers: Mapping[str, str], limits: BodyLimits
) -> Compression | None:
    """Return how a body is compressed, or None where it is not.

    Raises:
        EncodingRefusedError: in a way that is not taken, or in several.
    """
    named = headers.get("content-encoding", "")
    codings = [each.strip().lower() for each in named.split(",")]
    applied = [each for each in codings if each not in {"", "identity"}]
    if not applied:
        return None
    compression = _CODINGS.get(applied[0])
    if compression not in limits.compressions or len(applied) > 1:
        raise EncodingRefusedError(named, [each.value for each in limits.compressions])
    return compression


def decompressed(body: bytes, compression: Compression, limits: BodyLimits) -> bytes:
    """Decompress a body, and never more of it than is allowed."""
    return b"".join(_pieces(body, compression, limits))


def unpacked_rows(
    body: bytes, compression: Compression, limits: BodyLimits
) -> tuple[bytes, Compression | None]:
    """Decompress a body of rows, where it is small enough to be held.

    Returns:
        The body, and how it is compressed if it is left as it came. It unpacks to no more
        than is allowed then, and is decompressed piece by piece as it is read.
    """
    parts: list[bytes] = []
    length = 0
    for piece in _pieces(body, compression, limits):
        length += len(piece)
        if length > _HELD_UNPACKED_MAX:
            parts.clear()
        else:
            parts.append(piece)
    is_held = length <= _HELD_UNPACKED_MAX
    return (b"".join(parts), None) if is_held else (body, compression)


def _pieces(
    body: bytes, compression: Compression, limits: BodyLimits
) -> Iterator[bytes]:
    most = min(limits.decoded_max, unpacked_max(len(body), limits.unpack_factor))
    length = 0
    try:
        for piece in pieces_of(body, compression):
            length += len(piece)
            if length > most:
                raise BodyTooLargeError(most)
            yield piece
    except OSError as error:
        raise BodyUnreadableError(
            f"The request's body is not the {compression.value} that its header says:"
            f" {error}."
        ) from error
