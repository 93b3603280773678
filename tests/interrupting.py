"""Ctrl-C, pressed at a moment of a test's choice."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

may_be_lost = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
"""For tests that press Ctrl-C: one that comes while Python cleans up can only be shown."""


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Press Ctrl-C after some time, and again, as people do, until it was heard.

    Python itself loses one that comes while it cleans up after an object.
    """
    is_over = threading.Event()

    def press() -> None:
        is_over.wait(seconds)
        while not is_over.is_set():
            os.kill(os.getpid(), signal.SIGINT)
            is_over.wait(1)

    hand = threading.Thread(target=press)
    hand.start()
    try:
        yield
    finally:
        is_over.set()
        hand.join()
