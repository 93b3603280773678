"""Lists whose further pages are awaited."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Generic, TypeVar

from metering.arguments.pages import ListedResource, ListObject

PageT = TypeVar("PageT")
RunOnThread = Callable[[Callable[[], PageT]], Awaitable[PageT]]


class AsyncListObject(list[ListedResource], Generic[ListedResource]):
    """A page of a list, as `metering.ListObject` is, whose other pages are awaited.

    Iterating over it goes through this page, `auto_paging_iter` through all from here on.

    Attributes:
        object: ``"list"``, as in Stripe's API.
        has_more: whether there are resources beyond this page, in the direction read.
    """

    object = "list"

    def __init__(
        self,
        page: ListObject[ListedResource],
        run: RunOnThread[ListObject[ListedResource]],
    ) -> None:
        super().__init__(page)
        self.has_more = page.has_more
        self._page = page
        self._run = run

    @property
    def data(self) -> list[ListedResource]:
        """Return the resources of this page, newest first."""
        return list(self)

    async def next_page(self) -> "AsyncListObject[ListedResource]":
        """Read the page beyond this one; an empty one where there is none."""
        return AsyncListObject(await self._run(self._page.next_page), self._run)

    async def auto_paging_iter(self) -> AsyncIterator[ListedResource]:
        """Go through this page and those beyond it, each read when it is reached.

        Pages of `ending_before` lead to newer resources, and so are read the oldest
        first.
        """
        page = self._page
        for each in page.in_reading_order():
            yield each
        while page.has_more:
            page = await self._run(page.next_page)
            for each in page.in_reading_order():
                yield each

    def to_dict(self) -> dict[str, Any]:
        """Return the page as Stripe writes it in JSON, without its URL."""
        return self._page.to_dict()
