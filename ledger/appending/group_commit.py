"""Group commit: appends that wait for one commit share the next one.

Whoever finds nobody committing leads: it takes all drafts that wait and commits them
together, wakes their threads, and hands the lead to one that came meanwhile. A lone
caller therefore pays for one commit and no hand-over between threads, and sixty-four
callers pay for one between them. A leader that had company in the last group gives its
members a moment to come back, as PostgreSQL's commit_delay does; a lone one never waits.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from ledger.errors import LedgerError

_ENTRIES_AT_MOST = 1 << 16
_PAUSES = 4
_PAUSE_SECONDS = 0.0001


class Sized(Protocol):
    """Something that counts its entries."""

    def __len__(self) -> int:
        """Count the entries."""


Draft = TypeVar("Draft", bound=Sized)
Outcome = TypeVar("Outcome")


class _Ticket(Generic[Draft, Outcome]):
    """A draft and what became of it; its thread sleeps on `wake` unless it leads."""

    __slots__ = ("draft", "error", "goes_alone", "outcome", "wake")

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.outcome: Outcome | None = None
        self.error: LedgerError | None = None
        self.goes_alone = False
        self.wake = threading.Lock()
        self.wake.acquire()

    @property
    def is_settled(self) -> bool:
        return self.outcome is not None or self.error is not None


class GroupCommit(Generic[Draft, Outcome]):
    """Lets threads share commits.

    Args:
        commit: commits drafts in one go, and returns an outcome for each, in order. It
            is never called by two threads at once.
    """

    def __init__(self, commit: Callable[[Sequence[Draft]], Sequence[Outcome]]) -> None:
        self._commit = commit
        self._queue = threading.Lock()
        self._waiting: deque[_Ticket[Draft, Outcome]] = deque()
        self._is_led = False
        self._last_size = 1
        self.leading = threading.Lock()
        """Held while a group is committed; others take it to commit by themselves."""

    def submit(self, draft: Draft) -> Outcome:
        """Commit a draft, alone or with others, and return its outcome.

        Raises:
            LedgerError: the group could not be committed; nothing of it is recorded.
        """
        ticket: _Ticket[Draft, Outcome] = _Ticket(draft)
        with self._queue:
            leads = not self._is_led
            self._is_led = True
            if not leads:
                self._waiting.append(ticket)
        if not leads:
            ticket.wake.acquire()
        if not ticket.is_settled:
            try:
                self._lead(ticket)
            finally:
                self._hand_over()
        if ticket.error is not None:
            raise ticket.error
        assert ticket.outcome is not None, "a settled ticket has an outcome or an error"
        return ticket.outcome

    def _lead(self, own: _Ticket[Draft, Outcome]) -> None:
        with self.leading:
            group = [own] if own.goes_alone else self._next_group(own)
            try:
                outcomes = self._commit([ticket.draft for ticket in group])
                for ticket, outcome in zip(group, outcomes, strict=True):
                    ticket.outcome = outcome
            except LedgerError as error:
                for ticket in group:
                    ticket.error = error
            finally:
                self._dismiss(own, group)

    def _next_group(
        self, own: _Ticket[Draft, Outcome]
    ) -> list[_Ticket[Draft, Outcome]]:
        """Take the drafts that wait, behind the leader's own."""
        for _ in range(_PAUSES if self._last_size > 1 else 0):
            if len(self._waiting) + 1 >= self._last_size:
                break
            time.sleep(_PAUSE_SECONDS)
        group, entries = [own], len(own.draft)
        with self._queue:
            while self._waiting and entries < _ENTRIES_AT_MOST:
                group.append(self._waiting.popleft())
                entries += len(group[-1].draft)
        self._last_size = len(group)
        return group

    def _dismiss(
        self, own: _Ticket[Draft, Outcome], group: Sequence[_Ticket[Draft, Outcome]]
    ) -> None:
        """Wake the threads of a group.

        What breaks off the leader other than an error of the log, such as an interrupt,
        is not the others' failure: each goes on by itself. What was committed all the
        same is then found to be a duplicate.
        """
        unsettled = [ticket for ticket in group if not ticket.is_settled]
        for ticket in group:
            if ticket.is_settled and ticket is not own:
                ticket.wake.release()
        with self._queue:
            for ticket in reversed(unsettled):
                if ticket is not own:
                    ticket.goes_alone = True
                    self._waiting.appendleft(ticket)

    def _hand_over(self) -> None:
        with self._queue:
            heir = self._waiting.popleft() if self._waiting else None
            self._is_led = heir is not None
        if heir is not None:
            heir.wake.release()
