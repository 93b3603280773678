"""Threads: work on many things at a time, in order and in little memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

GivenT = TypeVar("GivenT")
DoneT = TypeVar("DoneT")

# Enough that no thread waits, few enough that what is done does not pile up.
_AHEAD = 2


def in_threads(
    work: Callable[[GivenT], DoneT], items: Iterable[GivenT], threads: int
) -> Iterator[DoneT]:
    """Do some work for each item, and yield what it comes to in the items' order."""
    with ThreadPoolExecutor(threads, "reaggregation") as pool:
        waiting: deque[Future[DoneT]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
