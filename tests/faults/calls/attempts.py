"""Own single faults: a history is lived through, and a chosen system call does not succeed.

What the product raises then must be an error of its own, and nothing may hang. After it
the store is opened again, and must hold what was acknowledged, once.
"""

import errno
import faulthandler
import os
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from random import Random
from typing import NamedTuple, TextIO

import metering
from tests.faults.histories import History, Notes, Verdict, judged
from tests.processes import Child, said
from tests.profiles import memory_directory
from tests.system_calls.interposer import Call, Deed, Interposer

# What a system may answer to each of them.
ERRORS: Mapping[Call, Sequence[int]] = {
    Call.OPEN: [errno.EIO, errno.EMFILE, errno.ENOSPC, errno.EDQUOT, errno.ENOMEM],
    Call.READ: [errno.EIO, errno.ENOMEM],
    Call.WRITE: [errno.EIO, errno.ENOSPC, errno.EDQUOT],
    Call.SYNC: [errno.EIO, errno.ENOSPC, errno.EDQUOT],
    Call.TRUNCATE: [errno.EIO, errno.ENOSPC],
    Call.RENAME: [errno.EIO, errno.ENOSPC, errno.EDQUOT],
    Call.REMOVE: [errno.EIO, errno.EACCES],
    Call.MAKE: [errno.EIO, errno.ENOSPC, errno.EDQUOT],
    Call.MAP: [errno.ENOMEM, errno.ENODEV],
    Call.LOCK: [errno.EIO],
    Call.CONNECT: [errno.ECONNREFUSED, errno.ETIMEDOUT, errno.ENETUNREACH],
    Call.SEND: [errno.EPIPE, errno.ECONNRESET, errno.ENOBUFS],
    Call.RECEIVE: [errno.ECONNRESET, errno.ETIMEDOUT],
}
_INTERRUPTED = {Call.OPEN, Call.READ, Call.WRITE, Call.SYNC, Call.LOCK}
CHANGES = (
    Call.OPEN,
    Call.WRITE,
    Call.SYNC,
    Call.TRUNCATE,
    Call.RENAME,
    Call.REMOVE,
    Call.MAKE,
    Call.LOCK,
    Call.SEND,
)
"""The calls before which a process is killed."""

# Longer than a writer waits for its turn, and for the write lock.
_LONGEST_SECONDS = 100.0


class Fault(NamedTuple):
    """A call that does not succeed.

    Attributes:
        nth: of the calls of its kind, from 1.
        lasts: whether those after it fail as well.
    """

    call: Call
    nth: int
    deed: Deed
    error: int = 0
    lasts: bool = False

    def __str__(self) -> str:
        """Say what it is, as a finding names it."""
        what = errno.errorcode.get(self.error, self.deed.name)
        return f"{self.call.name} {self.nth} {what}{' from then on' * self.lasts}"


def faults(counts: Mapping[Call, int], tries: int, generator: Random) -> list[Fault]:
    """Draw different faults, of each kind of call as many, if it is made as often."""
    calls = [call for call, count in counts.items() if count]
    possible = sum(counts[call] * len(ERRORS[call]) for call in calls)
    drawn = dict[Fault, None]()
    while len(drawn) < min(tries, possible):
        call = generator.choice(calls)
        drawn[_fault(call, generator.randint(1, counts[call]), generator)] = None
    return list(drawn)


def _fault(call: Call, nth: int, generator: Random) -> Fault:
    if call is Call.WRITE and generator.random() < 0.2:
        return Fault(call, nth, Deed.SHORTEN)
    # No signal comes for ever.
    if call in _INTERRUPTED and generator.random() < 0.1:
        return Fault(call, nth, Deed.FAIL, errno.EINTR)
    error = generator.choice(ERRORS[call])
    # Where no lock can be had, each call waits a minute for one, as it must.
    lasts = call is not Call.LOCK and generator.random() < 0.4
    return Fault(call, nth, Deed.FAIL, error, lasts=lasts)


class Attempts:
    """A history that is lived through again and again, from the same beginning.

    Args:
        original: an empty directory for what is there before.
    """

    def __init__(
        self, name: str, history: History, processes: ForkServerContext, original: Path
    ) -> None:
        self.name = name
        self._history = history
        self._processes = processes
        self._original = original
        history.prepare(original)

    def counts(self) -> Mapping[Call, int]:
        """Count the calls of a life in which nothing fails."""
        with self._copied() as place:
            child = Child(self._processes, count_calls, self._history, place)
            (counts,) = said(child)
        found: Mapping[Call, int] = counts
        return found

    def failing(self, fault: Fault, *, is_long: bool) -> Verdict | None:
        """Live through it while a call fails; None where it was never made."""
        with self._copied() as place:
            attempt = partial(
                live_with, history=self._history, fault=fault, is_long=is_long
            )
            return _answer(Child(self._processes, attempt, place))

    def killed(self, nth: int, *, is_long: bool) -> Verdict | None:
        """Kill the process before the nth call that changes anything; None as above."""
        with self._copied() as place:
            child = Child(self._processes, live_until, self._history, place, nth)
            notes = list(said(child))
            came = child.exit_code() == -signal.SIGKILL
            go_on = partial(
                check_after, history=self._history, notes=notes, is_long=is_long
            )
            verdict = _answer(Child(self._processes, go_on, place))
        return verdict if came or (verdict and verdict.finding) else None

    @contextmanager
    def _copied(self) -> Iterator[Path]:
        with memory_directory() as parent:
            yield Path(shutil.copytree(self._original, parent / "disk"))


def _answer(child: Child) -> Verdict | None:
    answers = list(said(child, until=time.monotonic() + 2 * _LONGEST_SECONDS))
    if not answers:
        child.kill()
        return Verdict(lost=1, finding=f"it hung or died: {child.exit_code()}")
    child.exit_code()
    (verdict,) = answers
    assert verdict is None or isinstance(verdict, Verdict)
    return verdict


# What the processes do.


def count_calls(history: History, place: Path, pipe: Connection) -> None:
    """Live through a history, and say how many calls of each kind that took."""
    interposer = Interposer(place, sockets=True)
    history.live(place, Notes(lambda _: None))
    pipe.send(interposer.counts())


def live_with(
    place: Path, pipe: Connection, *, history: History, fault: Fault, is_long: bool
) -> None:
    """Live through a history with a fault, and say what was wrong."""
    # Where it hangs is said where its other errors are not: they are kept.
    faulthandler.dump_traceback_later(_LONGEST_SECONDS, file=os.dup(2), exit=True)
    notes = list[str]()
    interposer = Interposer(place, sockets=True)
    with _errors_of_this_process() as errors:
        interposer.plan(
            fault.call,
            nth=fault.nth,
            deed=fault.deed,
            error=fault.error,
            lasts=fault.lasts,
        )
        finding = _lived(history, place, notes)
        came = interposer.came()
        interposer.let_pass()
        verdict = judged(history, place, notes, is_long=is_long)
        errors.seek(0)
        logged = errors.read()
    if "Traceback" in logged:
        finding += f"\nlogged: {logged}"
    if finding and not verdict.finding:
        verdict = Verdict(finding=finding)
    pipe.send(verdict if came or verdict.finding else None)


def live_until(history: History, place: Path, nth: int, pipe: Connection) -> None:
    """Live through a history up to the nth change, and say what was noted by then."""
    Interposer(place, sockets=True).plan(*CHANGES, nth=nth, deed=Deed.KILL)
    history.live(place, Notes(pipe.send))


def check_after(
    place: Path,
    pipe: Connection,
    *,
    history: History,
    notes: Sequence[str],
    is_long: bool,
) -> None:
    """Go on where a process was killed, and say what was wrong."""
    pipe.send(judged(history, place, notes, is_long=is_long))


def _lived(history: History, place: Path, notes: list[str]) -> str:
    """Live through a history; return what was raised that is no error of the product."""
    try:
        history.live(place, Notes(notes.append, attempts=2))
    except metering.MeteringError:
        # It was refused, and what was acknowledged before stands.
        return ""
    except Exception:  # noqa: BLE001  # whatever it is, it is what was found
        return traceback.format_exc()
    return ""


@contextmanager
def _errors_of_this_process() -> Iterator[TextIO]:
    """Keep what this process writes to its standard error, threads and libraries too."""
    with tempfile.TemporaryFile("w+") as file:
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield file
        finally:
            os.dup2(before, 2)
            os.close(before)
