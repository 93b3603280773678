"""Requests as they come in, and replies as they go out: bytes, headers, nothing else."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from metering.server.api.errors import BodyRefusedError, BodyTooSlowError

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_GZIP = 16 + zlib.MAX_WBITS
_BYTES_PER_SECOND_MIN = 16 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a body may be, in bytes.

    Attributes:
        sent_max: as it is sent.
        decoded_max: decompressed.
    """

    sent_max: int
    decoded_max: int


FORM_LIMITS = Limits(sent_max=1 << 20, decoded_max=4 << 20)


class ClientGoneError(Exception):
    """Whoever asked has hung up, and will not hear an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request.

    Attributes:
        query: as it was sent.
        headers: by their names in lower case.
        ids: what the path has in the place of its names.
        request_id: made for it.
    """

    method: str
    path: str
    query: bytes
    headers: Mapping[str, str]
    ids: Mapping[str, str]
    body: bytes
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer.

    Attributes:
        headers: beside those that every answer has.
        pieces: in place of the body, made while they are sent.
        refusal: why the request never reached the store, one of `REFUSALS`.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Iterator[bytes] | None = None
    refusal: str | None = None


def headers_of(scope: Scope) -> dict[str, str]:
    """Read the headers of a request; the last one of a name counts."""
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope["headers"]
    }


async def read_body(
    receive: Receive, headers: Mapping[str, str], *, patience_seconds: float
) -> bytes:
    """Read a body that is small, decompressed, and never more of it than is allowed.

    Args:
        receive: gives the next part of it.
        headers: of the request.
        patience_seconds: how long to wait for each part.

    Raises:
        BodyTooSlowError: the next part did not come in time.
        BodyRefusedError: it is too large, or compressed in another way than gzip.
        ClientGoneError: the client hung up.
    """
    check_length(headers, FORM_LIMITS)
    body = await read_sent(receive, FORM_LIMITS, patience_seconds=patience_seconds)
    return decoded(body, headers, FORM_LIMITS)


def check_length(headers: Mapping[str, str], limits: Limits) -> None:
    """Check how long a body says that it is.

    Raises:
        BodyRefusedError: it is too large.
    """
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) > limits.sent_max:
        raise _too_large(limits.sent_max)


async def read_sent(
    receive: Receive, limits: Limits, *, patience_seconds: float
) -> bytes:
    """Read a body as it is sent; see `read_body`.

    Raises:
        BodyTooSlowError: the next part did not come in time.
        BodyRefusedError: it is too large.
        ClientGoneError: the client hung up.
    """
    parts: list[bytes] = []
    length = 0
    now = asyncio.get_running_loop().time
    begin = now()
    while True:
        # Nor can it come byte by byte, for ever.
        latest = begin + patience_seconds + length / _BYTES_PER_SECOND_MIN
        try:
            async with asyncio.timeout(min(patience_seconds, latest - now())):
                message = await receive()
        except TimeoutError as error:
            raise BodyTooSlowError(patience_seconds) from error
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        if length > limits.sent_max:
            raise _too_large(limits.sent_max)
        if not message.get("more_body", False):
            return b"".join(parts)


def check_encoding(headers: Mapping[str, str]) -> str:
    """Tell how a body is compressed: by ``gzip``, or not, which is ``identity``.

    Raises:
        BodyRefusedError: in another way.
    """
    encoding = headers.get("content-encoding", "").strip().lower() or "identity"
    if encoding not in {"gzip", "identity"}:
        message = f"Unsupported Content-Encoding: {encoding[:60]}; use gzip or none."
        raise BodyRefusedError(message, is_too_large=False)
    return encoding


def decoded(body: bytes, headers: Mapping[str, str], limits: Limits) -> bytes:
    """Decompress a body, where it is compressed.

    Raises:
        BodyRefusedError: it is not what its header says, or too large.
    """
    is_compressed = check_encoding(headers) == "gzip"
    return _decompressed(body, limits.decoded_max) if is_compressed else body


def _decompressed(body: bytes, most: int) -> bytes:
    decompressor = zlib.decompressobj(_GZIP)
    try:
        decoded = decompressor.decompress(body, most + 1)
    except zlib.error as error:
        message = "The request's body is not the gzip that its header says."
        raise BodyRefusedError(message, is_too_large=False) from error
    if len(decoded) > most:
        raise _too_large(most)
    if not decompressor.eof or decompressor.unused_data:
        message = "The request's body is not one whole gzip stream."
        raise BodyRefusedError(message, is_too_large=False)
    return decoded


def _too_large(most: int) -> BodyRefusedError:
    message = f"The request's body is too large; must be at most {most} bytes."
    return BodyRefusedError(message, is_too_large=True)
