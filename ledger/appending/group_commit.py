"""Group commit: appends that wait for one commit share the next one.

A thread that finds no commit under way leads: it takes all drafts that wait, commits them
with its own, wakes their threads, and hands the lead to one that came meanwhile. A lone
caller therefore pays for one commit and no hand-over between threads, and sixty-four
callers pay for one between them. A leader that had company in the last group gives its
members a moment to come back, as PostgreSQL's commit_delay does; a lone one never waits.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence, Sized
from typing import Generic, TypeVar

from ledger.errors import LedgerError

_ENTRIES_AT_MOST = 1 << 16
_PAUSES = 4
_PAUSE_SECONDS = 0.0001


DraftT = TypeVar("DraftT", bound=Sized)
OutcomeT = TypeVar("OutcomeT")


class _Waiter(Generic[DraftT, OutcomeT]):
    """A draft whose thread sleeps on `wake` until another thread has committed it."""

    __slots__ = (
        "draft",
        "error",
        "goes_alone",
        "is_abandoned",
        "is_heir",
        "outcome",
        "wake",
    )

    def __init__(self, draft: DraftT) -> None:
        self.draft = draft
        self.outcome: OutcomeT | None = None
        self.error: LedgerError | None = None
        self.goes_alone = False
        self.is_heir = False
        self.is_abandoned = False
        self.wake = threading.Lock()
        self.wake.acquire()

    @property
    def is_settled(self) -> bool:
        return self.outcome is not None or self.error is not None


class GroupCommit(Generic[DraftT, OutcomeT]):
    """Lets threads share commits.

    Args:
        commit: commits drafts in one go, and returns an outcome for each, in order. It
            is never called by two threads at once.
    """

    def __init__(
        self, commit: Callable[[Sequence[DraftT]], Sequence[OutcomeT]]
    ) -> None:
        self._commit = commit
        self._queue = threading.Lock()
        self._waiting: deque[_Waiter[DraftT, OutcomeT]] = deque()
        self._is_led = False
        self._last_size = 1
        self.leading = threading.Lock()
        """Held while a group is committed; others take it to commit by themselves."""

    def submit(self, draft: DraftT) -> OutcomeT:
        """Commit a draft, alone or with others, and return its outcome.

        Raises:
            LedgerError: the group could not be committed; nothing of it is recorded.
        """
        waiter: _Waiter[DraftT, OutcomeT] | None = None
        leads = False
        try:
            with self._queue:
                if self._is_led:
                    waiter = _Waiter(draft)
                    self._waiting.append(waiter)
                else:
                    self._is_led = leads = True
            if waiter is not None:
                waiter.wake.acquire()
                if waiter.error is not None:
                    raise waiter.error
                if waiter.outcome is not None:
                    return waiter.outcome
                leads = True
            return self._lead(
                draft, goes_alone=waiter is not None and waiter.goes_alone
            )
        finally:
            if leads:
                self._hand_over()
            elif waiter is not None and not waiter.is_settled:
                self._abandon(waiter)

    def _abandon(self, waiter: _Waiter[DraftT, OutcomeT]) -> None:
        """Make sure that nothing waits for a thread that was interrupted in its sleep."""
        with self._queue:
            waiter.is_abandoned = True
            if waiter in self._waiting:
                self._waiting.remove(waiter)
        if waiter.is_heir:
            self._hand_over()

    def _lead(self, own: DraftT, *, goes_alone: bool) -> OutcomeT:
        with self.leading:
            others = [] if goes_alone else self._next_group(len(own))
            try:
                outcomes = self._commit([own, *(each.draft for each in others)])
                assert len(outcomes) == 1 + len(others), "each draft has an outcome"
                for waiter, outcome in zip(others, outcomes[1:], strict=True):
                    waiter.outcome = outcome
            except LedgerError as error:
                for waiter in others:
                    waiter.error = error
                raise
            finally:
                if others:
                    self._dismiss(others)
            return outcomes[0]

    def _next_group(self, entries: int) -> list[_Waiter[DraftT, OutcomeT]]:
        """Take the drafts that wait, to go behind the leader's own."""
        for _ in range(_PAUSES if self._last_size > 1 else 0):
            if len(self._waiting) + 1 >= self._last_size:
                break
            time.sleep(_PAUSE_SECONDS)
        group: list[_Waiter[DraftT, OutcomeT]] = []
        with self._queue:
            while self._waiting and entries < _ENTRIES_AT_MOST:
                group.append(self._waiting.popleft())
                entries += len(group[-1].draft)
        self._last_size = 1 + len(group)
        return group

    def _dismiss(self, group: Sequence[_Waiter[DraftT, OutcomeT]]) -> None:
        """Wake the threads of a group.

        What breaks off the leader other than an error of the log, such as an interrupt,
        is not the others' failure: each goes on by itself. What was committed all the
        same is then found to be a duplicate.
        """
        unsettled = [waiter for waiter in group if not waiter.is_settled]
        for waiter in group:
            if waiter.is_settled:
                waiter.wake.release()
        with self._queue:
            for waiter in reversed(unsettled):
                if not waiter.is_abandoned:
                    waiter.goes_alone = True
                    self._waiting.appendleft(waiter)

    def _hand_over(self) -> None:
        with self._queue:
            heir = self._waiting.popleft() if self._waiting else None
            self._is_led = heir is not None
            if heir is not None:
                heir.is_heir = True
        if heir is not None:
            heir.wake.release()
