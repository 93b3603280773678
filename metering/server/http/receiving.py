"""Receiving: a request's head and body, read from an ASGI server within bounds."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from metering.server.api.errors import BodyTooLargeError, BodyTooSlowError
from metering.server.api.requests import (
    FORM_LIMITS,
    BodyLimits,
    check_length,
    decompressed,
)

AsgiMessage = MutableMapping[str, Any]
AsgiScope = MutableMapping[str, Any]
AsgiReceive = Callable[[], Awaitable[AsgiMessage]]
AsgiSend = Callable[[AsgiMessage], Awaitable[None]]
AsgiApplication = Callable[[AsgiScope, AsgiReceive, AsgiSend], Awaitable[None]]

BYTES_PER_SECOND_MIN = 16 << 10
"""How fast a body has to come, after the first wait."""


class ClientGoneError(Exception):
    """The client hung up, and will not read a response."""


async def read_body(
    receive: AsgiReceive, headers: Mapping[str, str], *, patience_seconds: float
) -> bytes:
    """Read a small body, decompressed, and never more of it than is allowed."""
    check_length(headers, FORM_LIMITS)
    sent = await read_sent(receive, FORM_LIMITS, patience_seconds=patience_seconds)
    return decompressed(sent, headers, FORM_LIMITS)


async def read_sent(
    receive: AsgiReceive, limits: BodyLimits, *, patience_seconds: float
) -> bytes:
    """Read a body as it is sent, waiting so long for each part."""
    parts: list[bytes] = []
    length = 0
    now = asyncio.get_running_loop().time
    begin = now()
    while True:
        # Nor may it come byte by byte for ever.
        latest = begin + patience_seconds + length / BYTES_PER_SECOND_MIN
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
            raise BodyTooLargeError(limits.sent_max)
        if not message.get("more_body", False):
            return b"".join(parts)
