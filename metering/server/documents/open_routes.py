"""Routes that need no key: they tell of the server, and of its store the health alone."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from metering.server.api.health import Health, KeptHealth
from metering.server.api.requests import Reply
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
    page: Callable[[Health], Reply]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRoute:
    """What is served at a path to GET.

    Attributes:
        media_type: of the answer.
        handler: its docstring says what the route does.
        needs_store: whether it fails where the store cannot be asked.
    """

    path: str
    media_type: str
    handler: Callable[[Site], Awaitable[Reply]]
    needs_store: bool = False


async def live(_: Site) -> Reply:
    """Tell that the server lives."""
    return Reply(status=200, body=b'{"status":"ok"}')


async def ready(site: Site) -> Reply:
    """Tell whether the server can answer from its store."""
    health = await site.health.latest()
    if not health.is_ready:
        return Reply(status=503, body=b'{"status":"unavailable"}')
    return Reply(status=200, body=b'{"status":"ok"}')


async def document(site: Site) -> Reply:
    """Describe the routes as OpenAPI does."""
    return Reply(status=200, body=site.document)


async def page(site: Site) -> Reply:
    """Show the routes and the health of the server, for people."""
    return site.page(await site.health.latest())


OPEN_ROUTES = (
    OpenRoute(path="/healthz", media_type=JSON, handler=live),
    OpenRoute(path="/readyz", media_type=JSON, handler=ready, needs_store=True),
    OpenRoute(path="/openapi.json", media_type=JSON, handler=document),
    OpenRoute(path="/", media_type=HTML, handler=page),
)
