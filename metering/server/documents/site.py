"""The site: the responses of the routes that need no key."""

from collections.abc import Sequence

from metering.bodies import encoded
from metering.server.api.error_responses import UNAVAILABLE
from metering.server.api.health import KeptHealth
from metering.server.api.requests import HttpResponse
from metering.server.api.routes import Route
from metering.server.documents.front_page import PAGE_HEADERS, front_page
from metering.server.documents.open_routes import (
    DOCUMENT,
    LIVE,
    OPEN_ROUTES,
    READY,
    OpenRoute,
)
from metering.server.documents.openapi import document_of

_OK, _UNAVAILABLE = b'{"status":"ok"}', b'{"status":"unavailable"}'


class Site:
    """Answers the routes that need no key.

    Args:
        routes: those that need one, to be described.
        health: of the store.
    """

    def __init__(self, routes: Sequence[Route], health: KeptHealth) -> None:
        document = document_of(routes, OPEN_ROUTES)
        self._document = HttpResponse(body=encoded(document))
        self._page = front_page(document)
        self._health = health

    async def response(self, route: OpenRoute) -> HttpResponse:
        """Answer one of the routes that need no key."""
        if route is LIVE:
            return HttpResponse(body=_OK)
        if route is DOCUMENT:
            return self._document
        health = await self._health.latest()
        if route is READY:
            if health.is_ready:
                return HttpResponse(body=_OK)
            return HttpResponse(status=UNAVAILABLE, body=_UNAVAILABLE)
        page = self._page(health)
        return HttpResponse(body=page.encode(), headers=PAGE_HEADERS)
