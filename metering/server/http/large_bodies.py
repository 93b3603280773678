"""Large bodies: let in before they are read, few at a time, and unpacked on a thread.

A body of rows is held in memory whole, because some of its formats begin at their end.
So no more of them are held than the machine has room for, and whoever may not send one
is told before it is sent. Other requests are neither held up by them nor by their like.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

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
        service: checks requests, and answers them.
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

    async def refusal(self, route: Route, asked: HttpRequest) -> HttpResponse | None:
        """Refuse a request whose body is still to be read, where that is clear."""
        return await asyncio.to_thread(
            lambda: self._service.refusal(route, asked, self._keyring.look())
        )

    @asynccontextmanager
    async def whole(
        self, asked: HttpRequest, receive: AsgiReceive, limits: BodyLimits
    ) -> AsyncIterator[HttpRequest]:
        """Read a body when there is room for it, and hold the room.

        Raises:
            BodyRefusedError: it is too large, or not what its header says.
            BodyTooSlowError: it stopped to come.
            ClientGoneError: the client hung up.
        """
        async with self._room:
            sent = await read_sent(
                receive, limits, patience_seconds=self._patience_seconds
            )
            body = await asyncio.to_thread(decompressed, sent, asked.headers, limits)
            del sent
            yield replace(asked, body=body)
