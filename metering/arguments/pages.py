"""Pages: the one protocol of every list, Stripe's.

A list is read newest first, a page at a time, and each page in one database transaction.
A cursor is the id of a resource; the page begins behind it, or ends before it.
Source: https://docs.stripe.com/api/pagination
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

from metering.arguments.refusals import exclusive
from metering.arguments.strings import Id
from metering.bodies import ResourceObject
from metering.errors import ResourceMissingError
from projections.rows import Page

LIMIT = 10
"""How many resources a page has where the caller does not say."""
LIMIT_MAX = 100

PageLimit = Annotated[int, Meta(ge=1, le=LIMIT_MAX)]

ListedResource = TypeVar("ListedResource", bound=ResourceObject)
ListedRow = TypeVar("ListedRow")
Asked = TypeVar("Asked", bound="PageRequest")


class PageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which page of a list to read.

    Attributes:
        limit: how many resources.
        starting_after: id of the resource before the first one.
        ending_before: id of the resource behind the last one.
    """

    limit: PageLimit | None = LIMIT
    starting_after: Id | None = None
    ending_before: Id | None = None


class WholeListRequest(PageRequest, frozen=True, kw_only=True):
    """Which page to read of a list that is short: all of it, where there is no limit."""

    limit: PageLimit | None = None


class ListObject(list[ListedResource], Generic[ListedResource]):
    """A page of a list: its resources, and whether there are more of them.

    Iterating over it goes through this page, `auto_paging_iter` through all from here on.

    Attributes:
        object: ``"list"``, as in Stripe's API.
        has_more: whether there are resources beyond this page, in the direction read.
    """

    object = "list"

    def __init__(
        self,
        data: Sequence[ListedResource] = (),
        *,
        has_more: bool = False,
        next_page: Callable[[], "ListObject[ListedResource]"] | None = None,
        is_backwards: bool = False,
    ) -> None:
        super().__init__(data)
        self.has_more = has_more
        self._next_page = next_page
        self._is_backwards = is_backwards

    @property
    def data(self) -> list[ListedResource]:
        """Return the resources of this page, newest first."""
        return list(self)

    def next_page(self) -> "ListObject[ListedResource]":
        """Read the page beyond this one; an empty one where there is none."""
        if not self.has_more or self._next_page is None:
            return ListObject()
        return self._next_page()

    def in_reading_order(self) -> Iterator[ListedResource]:
        """Go through this page away from where the list was entered.

        Pages of `ending_before` lead to newer resources, and so are read the oldest
        first.
        """
        return reversed(self) if self._is_backwards else iter(self)

    def auto_paging_iter(self) -> Iterator[ListedResource]:
        """Go through this page and those beyond it, each read when it is reached.

        Pages of `ending_before` lead to newer resources, and so are read the oldest
        first.
        """
        page = self
        yield from page.in_reading_order()
        while page.has_more:
            page = page.next_page()
            yield from page.in_reading_order()

    def to_dict(self) -> dict[str, Any]:
        """Return the page as Stripe writes it in JSON, without its URL."""
        return {
            "object": self.object,
            "data": [each.to_dict() for each in self],
            "has_more": self.has_more,
        }


def page_of(asked: PageRequest, position_of: Callable[[str, str], int]) -> Page:
    """Return which rows to read for a page, and one beyond it to know of more.

    Args:
        asked: the request.
        position_of: finds the position of a cursor, given its name for a refusal.

    Raises:
        InvalidRequestError: both cursors are given.
        ResourceMissingError: from `position_of`.
    """
    check_cursors(asked)
    assert asked.limit is not None, "the list is read by pages"
    before = after = None
    if asked.starting_after is not None:
        before = position_of(asked.starting_after, "starting_after")
    if asked.ending_before is not None:
        after = position_of(asked.ending_before, "ending_before")
    return Page(limit=asked.limit + 1, before=before, after=after)


def listed(
    asked: Asked,
    found: Sequence[ListedResource],
    read: Callable[[Asked], ListObject[ListedResource]],
    id_of: Callable[[ListedResource], str] = lambda each: each.id,  # type: ignore[attr-defined]  # resources that are listed have one
) -> ListObject[ListedResource]:
    """Return a page of what was read, which may be one resource longer.

    Args:
        asked: the request.
        found: resources, the newest first.
        read: answers the request for the next page.
        id_of: returns the cursor of a resource.
    """
    is_backwards = asked.ending_before is not None
    limit = len(found) if asked.limit is None else asked.limit
    has_more = len(found) > limit
    data = found[-limit:] if is_backwards and has_more else found[:limit]

    def next_page() -> ListObject[ListedResource]:
        name = "ending_before" if is_backwards else "starting_after"
        end = data[0 if is_backwards else -1]
        return read(msgspec.structs.replace(asked, **{name: id_of(end)}))

    return ListObject(
        data, has_more=has_more, next_page=next_page, is_backwards=is_backwards
    )


def within_page(
    asked: PageRequest, found: Sequence[ListedRow], ids: Sequence[str], kind: str
) -> Sequence[ListedRow]:
    """Return the part of a whole list that is asked for, and one resource beyond it.

    Args:
        asked: the request.
        found: all resources, the newest first.
        ids: theirs.
        kind: what they are, for a refusal.

    Raises:
        InvalidRequestError: both cursors are given.
        ResourceMissingError: a cursor is the id of none of them.
    """
    check_cursors(asked)
    start, end = 0, len(found)
    if asked.starting_after is not None:
        start = _index(ids, asked.starting_after, kind, "starting_after") + 1
    if asked.ending_before is not None:
        end = _index(ids, asked.ending_before, kind, "ending_before")
    if asked.limit is None:
        return found[start:end]
    if asked.ending_before is not None:
        return found[max(0, end - asked.limit - 1) : end]
    return found[start : start + asked.limit + 1]


def check_cursors(asked: PageRequest) -> None:
    """Refuse a page that is bounded on both sides.

    Raises:
        InvalidRequestError: both cursors are given.
    """
    if asked.starting_after is not None and asked.ending_before is not None:
        raise exclusive("ending_before", "starting_after", "ending_before")


def _index(ids: Sequence[str], cursor: str, kind: str, param: str) -> int:
    if cursor not in ids:
        raise ResourceMissingError(kind, cursor, param=param)
    return ids.index(cursor)
