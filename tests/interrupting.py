"""Ctrl-C, pressed at a moment of a test's choice."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.waiting import eventually

may_be_lost = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
"""For tests that press Ctrl-C: one that comes while Python cleans up can only be shown."""


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Press Ctrl-C after some time, and again, as people do, until it was heard.

    Python itself loses one that comes while it cleans up after an object. One that comes
    when the block is over harms nobody.
    """
    is_over = threading.Event()

    def press() -> None:
        is_over.wait(seconds)
        while not is_over.is_set():
            os.kill(os.getpid(), signal.SIGINT)
            is_over.wait(1)

    def hear(*_: object) -> None:
        if not is_over.is_set():
            raise KeyboardInterrupt

    hand = threading.Thread(target=press)
    before = signal.signal(signal.SIGINT, hear)
    try:
        # It may press before it has started, as this thread sees it.
        hand.start()
        yield
    finally:
        is_over.set()
        eventually(lambda: not hand.is_alive())
        signal.signal(signal.SIGINT, before)
