"""Routes that need no key, as data; `metering.server.documents.site` answers them."""

from dataclasses import dataclass

from metering.server.grammar.media_types import HTML, JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRoute:
    """What is served at a path to GET, to anyone.

    Attributes:
        media_type: of the response.
        summary: what the route does, in a sentence.
        needs_store: whether it fails where the store cannot be asked.
    """

    path: str
    media_type: str
    summary: str
    needs_store: bool = False


LIVE = OpenRoute(
    path="/healthz", media_type=JSON, summary="Report that the server runs."
)
READY = OpenRoute(
    path="/readyz",
    media_type=JSON,
    summary="Report whether the server can answer from its store.",
    needs_store=True,
)
DOCUMENT = OpenRoute(
    path="/openapi.json", media_type=JSON, summary="Describe the routes in OpenAPI."
)
PAGE = OpenRoute(
    path="/",
    media_type=HTML,
    summary="List the routes and the health of the server, for people.",
)
OPEN_ROUTES = (LIVE, READY, DOCUMENT, PAGE)
