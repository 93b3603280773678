"""Requests as they arrive and responses as they leave: bytes and headers.

Nothing here waits for a socket: `metering.server.http.receiving` reads bodies.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from metering.server.api.errors import BodyTooLargeError, BodyUnreadableError

LENGTH_DIGITS_MAX = 18
"""Of a length that is read: Python refuses numbers of thousands of digits."""
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """How large a body may be, in bytes: as sent, and decompressed."""

    sent_max: int
    decoded_max: int


FORM_LIMITS = BodyLimits(sent_max=1 << 20, decoded_max=4 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request.

    Attributes:
        query: as it was sent.
        headers: by their names in lower case.
        ids: what the path has in the place of the names in the route's.
        body: decompressed.
        request_id: made for this request.
    """

    method: str
    path: str
    query: bytes
    headers: Mapping[str, str]
    ids: Mapping[str, str]
    body: bytes
    request_id: str

    def with_body(self, body: bytes) -> "HttpRequest":
        """Return the request with its body, which was read after its head."""
        return replace(self, body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """A response.

    Attributes:
        headers: beside those that every response has.
        pieces: in place of the body, made while they are sent.
        refusal: why the request never reached the store, one of `error_responses.REFUSALS`.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Iterator[bytes] | None = None
    refusal: str | None = None


def media_type_named(headers: Mapping[str, str]) -> str:
    """Return the media type of a body in lower case, or an empty string."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def check_length(headers: Mapping[str, str], limits: BodyLimits) -> None:
    """Check the length that a body's header gives."""
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        return
    if len(length) > LENGTH_DIGITS_MAX or int(length) > limits.sent_max:
        raise BodyTooLargeError(limits.sent_max)


def check_encoding(headers: Mapping[str, str]) -> str:
    """Return how a body is compressed: ``gzip``, or ``identity`` where it is not."""
    encoding = headers.get("content-encoding", "").strip().lower() or "identity"
    if encoding not in {"gzip", "identity"}:
        raise BodyUnreadableError(
            f"Unsupported Content-Encoding: {encoding[:60]}; use gzip or none."
        )
    return encoding


def decompressed(body: bytes, headers: Mapping[str, str], limits: BodyLimits) -> bytes:
    """Decompress a body that is compressed, and never more of it than is allowed."""
    if check_encoding(headers) != "gzip":
        return body
    decompressor, most = zlib.decompressobj(_GZIP), limits.decoded_max
    try:
        decoded = decompressor.decompress(body, most + 1)
    except zlib.error as error:
        raise BodyUnreadableError(
            "The request's body is not the gzip that its header says."
        ) from error
    if len(decoded) > most:
        raise BodyTooLargeError(most)
    if not decompressor.eof or decompressor.unused_data:
        raise BodyUnreadableError("The request's body is not one whole gzip stream.")
    return decoded
