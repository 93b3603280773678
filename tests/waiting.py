"""Own how tests wait for what another thread or process brings about."""

import faulthandler
import tempfile
import threading
import time
from collections.abc import Callable

# Longer than the product waits before it tries again.
PATIENCE_SECONDS = 120


def eventually(claim: Callable[[], bool]) -> None:
    """Wait until something is true."""
    pause, deadline = threading.Event(), time.monotonic() + PATIENCE_SECONDS
    while not claim():
        assert time.monotonic() < deadline, f"it does not come true; {_stacks()}"
        pause.wait(0.02)


def _stacks() -> str:
    """Return what every thread was at: the one that is waited for may hang."""
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file)
        file.seek(0)
        return file.read()
