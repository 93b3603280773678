"""Requests as they come in, and replies as they go out: bytes, headers, nothing else."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from metering.server.errors import BodyRefusedError, BodyTooSlowError

BODY_MAX = 1 << 20
"""Of a form, as it is sent."""
DECODED_MAX = 4 << 20
"""Of a form, decompressed."""

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_GZIP = 16 + zlib.MAX_WBITS


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
    """An answer; its headers are beside those that every answer has."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def headers_of(scope: Scope) -> dict[str, str]:
    """Read the headers of a request; the last one of a name counts."""
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope["headers"]
    }


async def read_body(
    receive: Receive, headers: Mapping[str, str], *, patience_seconds: float
) -> bytes:
    """Read a body, decompressed, and never more of it than is allowed.

    Args:
        receive: gives the next part of it.
        headers: of the request.
        patience_seconds: how long to wait for each part.

    Raises:
        BodyTooSlowError: the next part did not come in time.
        BodyRefusedError: it is too large, or compressed in another way than gzip.
        ClientGoneError: the client hung up.
    """
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) > BODY_MAX:
        raise _too_large(BODY_MAX)
    body = bytearray()
    while True:
        try:
            async with asyncio.timeout(patience_seconds):
                message = await receive()
        except TimeoutError as error:
            raise BodyTooSlowError(patience_seconds) from error
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body += message.get("body", b"")
        if len(body) > BODY_MAX:
            raise _too_large(BODY_MAX)
        if not message.get("more_body", False):
            break
    return _decoded(bytes(body), headers.get("content-encoding", "identity"))


def _decoded(body: bytes, encoding: str) -> bytes:
    match encoding.strip().lower():
        case "identity" | "":
            return body
        case "gzip":
            return _decompressed(body)
        case other:
            message = f"Unsupported Content-Encoding: {other[:60]}; use gzip or none."
            raise BodyRefusedError(message, is_too_large=False)


def _decompressed(body: bytes) -> bytes:
    decompressor = zlib.decompressobj(_GZIP)
    try:
        decoded = decompressor.decompress(body, DECODED_MAX + 1)
    except zlib.error as error:
        message = "The request's body is not the gzip that its header says."
        raise BodyRefusedError(message, is_too_large=False) from error
    if len(decoded) > DECODED_MAX:
        raise _too_large(DECODED_MAX)
    if not decompressor.eof or decompressor.unused_data:
        message = "The request's body is not one whole gzip stream."
        raise BodyRefusedError(message, is_too_large=False)
    return decoded


def _too_large(most: int) -> BodyRefusedError:
    message = f"The request's body is too large; must be at most {most} bytes."
    return BodyRefusedError(message, is_too_large=True)
