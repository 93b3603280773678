"""Pages: what the library lists, as Stripe answers it."""

from collections.abc import Callable
from typing import Any

from metering.arguments.kinds import Given
from metering.arguments.pages import LIMIT, ListObject
from metering.bodies import Body, body_of


def page_of(fetch: Callable[..., ListObject[Any]], given: Given, url: str) -> Body:
    """Return a page of a list; without a limit, a page has Stripe's."""
    return page_body(fetch(**{"limit": LIMIT, **given}), url)


def page_body(page: ListObject[Any], url: str) -> Body:
    """Return a page as Stripe writes it."""
    return listed([body_of(each) for each in page], url, has_more=page.has_more)


def listed(data: list[Body], url: str, *, has_more: bool) -> Body:
    """Return a list of bodies."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}
