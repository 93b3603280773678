"""Pages of a list, one after another until the last."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

PAGE = 100


class _Listed(Protocol):
    @property
    def id(self) -> str: ...


_Resource = TypeVar("_Resource", bound=_Listed)


def every(
    fetch: Callable[[int, str | None], Sequence[_Resource]],
) -> Iterator[_Resource]:
    """Go through all pages.

    Args:
        fetch: gets at most so many resources that follow the one of an id.
    """
    page = fetch(PAGE, None)
    while page:
        yield from page
        page = fetch(PAGE, page[-1].id) if len(page) == PAGE else []
