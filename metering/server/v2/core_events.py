"""Routes of thin events: what was refused on the stream.

Source: https://docs.stripe.com/api/v2/core/events
"""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

import msgspec
from msgspec import Meta

from metering.arguments.kinds import Given
from metering.arguments.pages import PageLimit
from metering.arguments.times import CreatedBounds
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import V2
from metering.stream.requests import LIMIT
from metering.stream.thin_events import report_body

EVENTS = "/v2/core/events"
_TYPES_MAX = 20
_PAGE = "page"


class ThinEventList(msgspec.Struct, frozen=True, kw_only=True):
    """Which thin events are listed.

    Attributes:
        created: only those made within these bounds.
        limit: how many a page has.
        object_id: only those about this meter.
        page: id that next_page_url names.
        types: only those of these types.
    """

    created: CreatedBounds | None = None
    limit: PageLimit = LIMIT
    object_id: str | None = None
    page: str | None = None
    types: Annotated[Sequence[str], Meta(max_length=_TYPES_MAX)] | None = None


def _retrieve(call: Call) -> Answer:
    return Answer(body=report_body(call.m.error_reports.retrieve(call.ids["id"])))


def _list_events(call: Call) -> Answer:
    given, list_reports = call.given, call.m.error_reports.list
    limit = given.get("limit", LIMIT)
    filters = {
        "types": given.get("types"),
        "meter": given.get("object_id"),
        "created": given.get("created"),
    }
    page = list_reports(**filters, limit=limit, starting_after=given.get(_PAGE))
    next_page_url = _url(given, page[-1].id) if page.has_more else None
    data = [report_body(each) for each in page]
    return Answer(body={"data": data, "next_page_url": next_page_url})


def _url(given: Given, page: str) -> str:
    """Make the URL of the page behind a report, for the same filters."""
    names = ("limit", "object_id")
    pairs: list[tuple[str, object]] = [
        (name, given[name]) for name in names if name in given
    ]
    pairs += [
        (f"created[{name}]", time) for name, time in given.get("created", {}).items()
    ]
    pairs += [(f"types[{at}]", each) for at, each in enumerate(given.get("types", ()))]
    return f"{EVENTS}?{urlencode([*pairs, (_PAGE, page)])}"


ROUTES = (
    Route(
        method="GET",
        dialect=V2,
        path=EVENTS + "/{id}",
        scope="read",
        summary="Retrieve a thin event.",
        handler=_retrieve,
    ),
    Route(
        method="GET",
        dialect=V2,
        path=EVENTS,
        scope="read",
        summary="List thin events.",
        handler=_list_events,
        takes=ThinEventList,
    ),
)
