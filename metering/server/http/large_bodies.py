"""Large bodies: read when they may be sent, few at a time, and unpacked on a thread.

A body of rows is held in memory whole, because some of its formats begin at their end.
So no more of them are held than the machine has room for, and a client that may not send
one learns it before it does. Other requests wait for none of this.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from metering.server.api.authentication import Keyring
from metering.server.api.requests import (
    BodyLimits,
    HttpRequest,
    HttpResponse,
    decompressed,
)
from metering.server.api.routes import Route
from metering.server.api.service import Service
from metering.server.http.receiving import AsgiReceive, read_sent

BODIES_MAX = 4
"""How many are in memory at the same time."""


class LargeBodies:
    """The bodies that are being read and answered.

    Args:
        service: checks requests.
        keyring: looks at the keys.
        patience_seconds: how long to wait for the next part of a body.
    """

    def __init__(
        self, service: Service, keyring: Keyring, patience_seconds: float
    ) -> None:
        self._service = service
        self._keyring = keyring
        self._patience_seconds = patience_seconds
        self._room = asyncio.Semaphore(BODIES_MAX)

    async def refusal(self, route: Route, request: HttpRequest) -> HttpResponse | None:
        """Refuse a request before its body is read, where that is clear."""
        return await asyncio.to_thread(
            lambda: self._service.refusal(route, request, self._keyring.look())
        )

    @asynccontextmanager
    async def whole(
        self, request: HttpRequest, receive: AsgiReceive, limits: BodyLimits
    ) -> AsyncIterator[HttpRequest]:
        """Read a body when there is room for it, and hold the room.

        Raises:
            BodyTooLargeError: it is too large.
            BodyUnreadableError: it is not what its headers say.
            BodyTooSlowError: it stalls.
            ClientGoneError: the client hung up.
        """
        async with self._room:
            sent = await read_sent(
                receive, limits, patience_seconds=self._patience_seconds
            )
            body = await asyncio.to_thread(decompressed, sent, request.headers, limits)
            del sent
            yield request.with_body(body)
