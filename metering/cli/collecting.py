"""The garbage collector while the program loads: it waits.

What loads stays for as long as the process lives. Looking through it again and again, and
once more at the exit, takes a fifth of the time of a short command.
"""

import gc


def collect_later() -> None:
    """Let the collector wait, until `collect_again`."""
    gc.disable()


def collect_again() -> None:
    """Let the collector look through whatever is made from now on."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
