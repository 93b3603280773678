"""Own how tests wait for what another thread or process brings about."""

import threading
import time
from collections.abc import Callable

# Longer than the product waits before it tries again.
PATIENCE_SECONDS = 120


def eventually(claim: Callable[[], bool]) -> None:
    """Wait until something is true."""
    pause, deadline = threading.Event(), time.monotonic() + PATIENCE_SECONDS
    while not claim():
        assert time.monotonic() < deadline, "it does not come true"
        pause.wait(0.02)
