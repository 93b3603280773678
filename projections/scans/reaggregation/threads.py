"""Threads: work on many items at once, with the results in the order of the items."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

GivenT = TypeVar("GivenT")
DoneT = TypeVar("DoneT")

# Enough that no thread waits, few enough that results do not pile up.
_AHEAD = 2


def in_threads(
    work: Callable[[GivenT], DoneT], items: Iterable[GivenT], threads: int
) -> Iterator[DoneT]:
    """Work on each item in threads; yield the results in the order of the items."""
    if threads == 1:
        # The thread that asks is the one: starting another takes as long as a small item.
        yield from map(work, items)
        return
    with ThreadPoolExecutor(threads, "reaggregation") as pool:
        waiting: deque[Future[DoneT]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
