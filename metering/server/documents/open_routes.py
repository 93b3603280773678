"""Routes that need no key: they tell of the server, and of its store the health alone."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from metering.server.api.health import Health, KeptHealth
from metering.server.api.requests import HttpResponse
from metering.server.grammar.media_types import HTML, JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What they answer from.

    Attributes:
        document: OpenAPI.
        page: writes the page that shows the health.
    """

    health: KeptHealth
    document: bytes
    page: Callable[[Health], HttpResponse]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRoute:
    """What is served at a path to GET.

    Attributes:
        media_type: of the answer.
        summary: what the route does, in a sentence.
        needs_store: whether it fails where the store cannot be asked.
    """

    path: str
    media_type: str
    summary: str
    handler: Callable[[Site], Awaitable[HttpResponse]]
    needs_store: bool = False


async def _live(_: Site) -> HttpResponse:
    return HttpResponse(body=b'{"status":"ok"}')


async def _ready(site: Site) -> HttpResponse:
    health = await site.health.latest()
    if not health.is_ready:
        return HttpResponse(status=503, body=b'{"status":"unavailable"}')
    return HttpResponse(body=b'{"status":"ok"}')


async def _document(site: Site) -> HttpResponse:
    return HttpResponse(body=site.document)


async def _page(site: Site) -> HttpResponse:
    return site.page(await site.health.latest())


OPEN_ROUTES = (
    OpenRoute(
        path="/healthz",
        media_type=JSON,
        summary="Report that the server runs.",
        handler=_live,
    ),
    OpenRoute(
        path="/readyz",
        media_type=JSON,
        summary="Report whether the server can answer from its store.",
        handler=_ready,
        needs_store=True,
    ),
    OpenRoute(
        path="/openapi.json",
        media_type=JSON,
        summary="Describe the routes in OpenAPI.",
        handler=_document,
    ),
    OpenRoute(
        path="/",
        media_type=HTML,
        summary="List the routes and the health of the server, for people.",
        handler=_page,
    ),
)
