"""Receiving: a request's head and body, read from an ASGI server within bounds."""

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from metering.server.api.errors import BodyTooLargeError, BodyTooSlowError
from metering.server.api.requests import BodyLimits
from metering.server.http.bodies import HeldBody

AsgiMessage = MutableMapping[str, Any]
AsgiScope = MutableMapping[str, Any]
AsgiReceive = Callable[[], Awaitable[AsgiMessage]]
AsgiSend = Callable[[AsgiMessage], Awaitable[None]]
AsgiApplication = Callable[[AsgiScope, AsgiReceive, AsgiSend], Awaitable[None]]

BYTES_PER_SECOND_MIN = 16 << 10
"""How fast a body has to come, after the first wait."""
_ENCODED_SLASH = re.compile(b"%2f", re.IGNORECASE)


class ClientGoneError(Exception):
    """The client hung up, and will not read a response."""


def path_within(scope: AsgiScope) -> str:
    """Return the path of a request below where the application is mounted.

    A slash that came encoded stays so. It is part of an id, and a server that decodes it
    would act at another path than its client named.
    """
    path: str = scope["path"]
    raw: bytes = scope.get("raw_path") or b""
    if _ENCODED_SLASH.search(raw):
        path = unquote(_ENCODED_SLASH.sub(b"%252F", raw))
    root: str = scope.get("root_path", "")
    within = path.removeprefix(root)
    return within if within.startswith("/") else path


async def read_sent(
    receive: AsgiReceive, limits: BodyLimits, held: HeldBody, *, patience_seconds: float
) -> bytes:
    """Read a body as it is sent, and never more of it than is allowed.

    Args:
        receive: of the ASGI server.
        limits: what the body may be.
        held: what its bytes are counted with.
        patience_seconds: how long to wait for each part.
    """
    # Parts of a few bytes each would take ten times as much memory as they hold.
    body = bytearray()
    now = asyncio.get_running_loop().time
    begin = now()
    while True:
        # Nor may it come byte by byte for ever.
        latest = begin + patience_seconds + len(body) / BYTES_PER_SECOND_MIN
        try:
            async with asyncio.timeout(min(patience_seconds, latest - now())):
                message = await receive()
        except TimeoutError as error:
            raise BodyTooSlowError(patience_seconds) from error
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        part, is_whole = message.get("body", b""), not message.get("more_body", False)
        length = len(body) + len(part)
        if length > limits.sent_max:
            raise BodyTooLargeError(limits.sent_max)
        held.grow(length)
        if is_whole and not body:
            return bytes(part)
        body += part
        if is_whole:
            return bytes(body)
