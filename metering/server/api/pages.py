"""Pages: what the library lists, as Stripe answers it."""

from collections.abc import Callable
from typing import Any

from metering.arguments.kinds import Given
from metering.arguments.pages import LIMIT, ListObject
from metering.bodies import Body, body_of


def page_of(
    fetch: Callable[..., ListObject[Any]],
    given: Given,
    url: str,
    write: Callable[[Any], Body] = body_of,
) -> Body:
    """Return a page of a list; without a limit, a page has Stripe's.

    Args:
        fetch: returns the page.
        given: the parameters that were given.
        url: of the list.
        write: makes the body of each resource.
    """
    return page_body(fetch(**{"limit": LIMIT, **given}), url, write)


def page_body(
    page: ListObject[Any], url: str, write: Callable[[Any], Body] = body_of
) -> Body:
    """Return a page, of whose resources each is written so."""
    return listed([write(each) for each in page], url, has_more=page.has_more)


def listed(data: list[Body], url: str, *, has_more: bool) -> Body:
    """Return a list of bodies."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}
