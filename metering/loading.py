"""Loading: the collector of garbage waits while modules load.

What loads stays for as long as the process lives: to look through it again and again
takes a fifth of the time. Afterwards it is as old as if it had been looked through.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collecting_later() -> Iterator[None]:
    """Let the collector wait, if it is at work, until modules have loaded."""
    if not gc.isenabled():
        # Another thread loads, or the process has reasons of its own.
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        # What the process has frozen stays so.
        if not gc.get_freeze_count():
            # All that is young becomes old, and no object is looked at.
            gc.freeze()
            gc.unfreeze()
        gc.enable()
