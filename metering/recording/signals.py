"""SIGTERM: by default it ends a process at once, without a chance to write anything.

While a recorder is open it raises SystemExit in the main thread instead, so that with
statements end and exit handlers run. Where the process has a handler of its own, as every
server has, that one stays.
"""

import os
import signal
import threading
from types import FrameType

_EXIT_STATUS = 128 + signal.SIGTERM
"""As shells report a process that the signal ended."""

_users: set[object] = set()


def exit_on_sigterm(user: object) -> None:
    """Let SIGTERM exit for the sake of a user, unless it is handled already.

    Only the main thread can; another one changes nothing.
    """
    is_ours = signal.getsignal(signal.SIGTERM) is _exit
    if not is_ours:
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL or not _in_main():
            return
        signal.signal(signal.SIGTERM, _exit)
    _users.add(user)


def stop_exiting_on_sigterm(user: object) -> None:
    """Give SIGTERM its default back, once no user is left."""
    _users.discard(user)
    is_ours = signal.getsignal(signal.SIGTERM) is _exit
    if is_ours and not _users and _in_main():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, frame: FrameType | None) -> None:
    del frame
    if _users:
        raise SystemExit(_EXIT_STATUS)
    # The last user ended on a thread that could not give it back.
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _in_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def _forget_in_child() -> None:
    # The child of a fork has no recorder to close.
    _users.clear()
    stop_exiting_on_sigterm(None)


os.register_at_fork(after_in_child=_forget_in_child)
