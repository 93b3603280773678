"""Pages: lists as Stripe answers them, newest first, with cursors both ways."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import msgspec

from metering.arguments.kinds import Given
from metering.bodies import Body, body_of
from metering.errors import InvalidRequestError, ResourceMissingError

_LIMIT = 10
_AFTER, _BEFORE = "starting_after", "ending_before"


def page_of(
    fetch: Callable[..., Sequence[Any]], given: Given, url: str, **filters: object
) -> Body:
    """Answer a page of what the library lists by pages itself.

    Args:
        fetch: lists, given the filters, a limit and a cursor.
        given: what the request gave.
        url: of the list.
        **filters: for `fetch`.
    """
    _check_cursors(given)
    limit = given.get("limit", _LIMIT)
    cursors = {name: given[name] for name in (_AFTER, _BEFORE) if name in given}
    items = fetch(**filters, **cursors, limit=limit)
    has_more = False
    if len(items) == limit:
        beyond = {_BEFORE: items[0].id} if _BEFORE in given else {_AFTER: items[-1].id}
        has_more = bool(fetch(**filters, **beyond, limit=1))
    return listed([body_of(each) for each in items], url, has_more=has_more)


def page_within(
    items: Sequence[msgspec.Struct], kind: str, given: Given, url: str
) -> Body:
    """Answer a page of what the library lists at once."""
    _check_cursors(given)
    limit = given.get("limit", _LIMIT)
    ids: list[str] = [each.id for each in items]  # type: ignore[attr-defined]  # resources that are listed have ids
    if _BEFORE in given:
        end = _index(ids, kind, given[_BEFORE], _BEFORE)
        start = max(0, end - limit)
        has_more = start > 0
    else:
        after = given.get(_AFTER)
        start = 0 if after is None else _index(ids, kind, after, _AFTER) + 1
        end = start + limit
        has_more = len(ids) > end
    page = [body_of(each) for each in islice(items, start, end)]
    return listed(page, url, has_more=has_more)


def listed(data: list[Body], url: str, *, has_more: bool) -> Body:
    """Write a list."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def _index(ids: list[str], kind: str, cursor: str, param: str) -> int:
    if cursor not in ids:
        raise ResourceMissingError(kind, cursor, param=param)
    return ids.index(cursor)


def _check_cursors(given: Given) -> None:
    if _AFTER in given and _BEFORE in given:
        raise InvalidRequestError(
            "You may only provide one of: starting_after, ending_before.",
            code="parameters_exclusive",
            param=_BEFORE,
        )
