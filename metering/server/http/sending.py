"""Sending: a response is written for an ASGI server, whole or as it is made."""

import asyncio
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from itertools import count

from metering import MeteringError
from metering.server.api.error_responses import response_to_failure
from metering.server.api.errors import ServerBusyError
from metering.server.api.requests import HttpResponse
from metering.server.api.service import IDEMPOTENCY_KEY, LONGEST_IDEMPOTENCY_KEY
from metering.server.grammar.dialects import V2
from metering.server.grammar.media_types import JSON
from metering.server.http.receiving import AsgiMessage, AsgiReceive, AsgiSend
from metering.webhooks.resources import API_VERSION

LARGE_BYTES_MAX = 256 << 20
"""What answers that are made while they are sent may hold together, in bytes."""
_PROCESS_ID = secrets.token_hex(6)
_NUMBERS = count(1)
_PART_BYTES = 64 << 10


def last_response(error: MeteringError) -> bytes:
    """Write what ends a connection of which no application has a request."""
    response = response_to_failure(error, V2).closing()
    headers = {
        **response.headers,
        "Content-Type": JSON,
        "Content-Length": str(len(response.body)),
    }
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    lines += [f"{name.lower()}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + response.body


class LargeAnswers:
    """The answers that are made while they are sent. For one event loop at a time.

    A client may take hours for one, so what all of them are made of has a bound.
    """

    def __init__(self) -> None:
        self._bytes_held = 0
        # One piece at a time: making them leaves little of the interpreter to others.
        self.making = asyncio.Lock()

    @contextmanager
    def held(self, count: int) -> Iterator[None]:
        """Count the bytes of one, which may be as many as it likes where it is alone.

        Raises:
            ServerBusyError: those of others leave no room for it.
        """
        if self._bytes_held and self._bytes_held + count > LARGE_BYTES_MAX:
            raise ServerBusyError("answers to other requests fill its memory for them")
        self._bytes_held += count
        try:
            yield
        finally:
            self._bytes_held -= count


class Sending:
    """Sends the response to one request."""

    def __init__(self, send: AsgiSend, asked_headers: Mapping[str, str]) -> None:
        # Counted, not drawn: a draw asks the system each time, and the event loop then
        # waits for the threads to let it go on.
        self.request_id = f"req_{_PROCESS_ID}{next(_NUMBERS):06x}"
        self._send = send
        self._asked_headers = asked_headers

    async def whole(self, response: HttpResponse) -> None:
        """Send a response that is in memory, as fast as the client takes it."""
        await self._send(self._head(response))
        body, end = response.body, 0
        # A server copies what a client does not take, and waits before the next part.
        while len(body) - end > _PART_BYTES:
            part, end = body[end : end + _PART_BYTES], end + _PART_BYTES
            await self._send(
                {"type": "http.response.body", "body": part, "more_body": True}
            )
        await self._send({"type": "http.response.body", "body": body[end:]})

    async def pieces(
        self, response: HttpResponse, receive: AsgiReceive, large: LargeAnswers
    ) -> None:
        """Send what is made meanwhile, on another thread, until the client goes.

        Raises:
            ServerBusyError: too many such answers are being sent; nothing of it is.
        """
        with large.held(response.held_bytes):
            await self._send(self._head(response))
            await self._made(response, receive, large.making)

    async def _made(
        self, response: HttpResponse, receive: AsgiReceive, making: asyncio.Lock
    ) -> None:
        pieces: Iterator[bytes] | None = response.pieces
        assert pieces is not None, "it comes in pieces"
        gone = asyncio.ensure_future(receive())
        try:
            while not gone.done():
                async with making:
                    piece = await asyncio.to_thread(next, pieces, None)
                if piece is None:
                    await self._send({"type": "http.response.body", "body": b""})
                    return
                await self._send(
                    {"type": "http.response.body", "body": piece, "more_body": True}
                )
        finally:
            gone.cancel()

    def _head(self, response: HttpResponse) -> AsgiMessage:
        asked = self._asked_headers
        headers = {
            "content-type": JSON,
            "cache-control": "no-store",
            "request-id": self.request_id,
            "stripe-version": asked.get("stripe-version", API_VERSION)[:64],
            **{name.lower(): value for name, value in response.headers.items()},
        }
        if response.pieces is None:
            headers["content-length"] = str(len(response.body))
        if idempotency_key := asked.get(IDEMPOTENCY_KEY):
            headers["idempotency-key"] = idempotency_key[:LONGEST_IDEMPOTENCY_KEY]
        return {
            "type": "http.response.start",
            "status": response.status,
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1"))
                for name, value in headers.items()
            ],
        }
