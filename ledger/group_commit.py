"""Group commit: appends that wait for one commit share the next one.

Whoever finds nobody committing leads: it takes all drafts that wait and commits them
together. A lone caller therefore pays for one commit and no hand-over between threads,
and sixty-four callers pay for one between them.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ledger.errors import LedgerError

_ENTRIES_AT_MOST = 1 << 16


class Sized(Protocol):
    """Something that counts its entries."""

    def __len__(self) -> int:
        """Count the entries."""


Draft = TypeVar("Draft", bound=Sized)
Outcome = TypeVar("Outcome")


@dataclass(slots=True, eq=False)
class _Ticket(Generic[Draft, Outcome]):
    draft: Draft
    outcome: Outcome | None = None
    error: LedgerError | None = None
    goes_alone: bool = False

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
        self._waiting: deque[_Ticket[Draft, Outcome]] = deque()
        self.leading = threading.Lock()
        """Held while a group is committed; others take it to commit by themselves."""

    def submit(self, draft: Draft) -> Outcome:
        """Commit a draft, alone or with others, and return its outcome.

        Raises:
            LedgerError: the group could not be committed; nothing of it is recorded.
        """
        ticket: _Ticket[Draft, Outcome] = _Ticket(draft)
        self._waiting.append(ticket)
        with self.leading:
            if not ticket.is_settled:
                self._lead(ticket)
        if ticket.error is not None:
            raise ticket.error
        assert ticket.outcome is not None, "a settled ticket has an outcome or an error"
        return ticket.outcome

    def _lead(self, own: _Ticket[Draft, Outcome]) -> None:
        group = [own] if own.goes_alone else self._next_group(own)
        try:
            outcomes = self._commit([ticket.draft for ticket in group])
            for ticket, outcome in zip(group, outcomes, strict=True):
                ticket.outcome = outcome
        except LedgerError as error:
            for ticket in group:
                ticket.error = error
        finally:
            # What else breaks off this thread, such as an interrupt, is not the others'
            # failure: each goes on by itself. What was committed all the same is then
            # found to be a duplicate.
            for ticket in group:
                ticket.goes_alone = not ticket.is_settled

    def _next_group(
        self, own: _Ticket[Draft, Outcome]
    ) -> list[_Ticket[Draft, Outcome]]:
        """Take the drafts that wait, the thread's own first."""
        group, entries = [own], len(own.draft)
        while self._waiting and entries < _ENTRIES_AT_MOST:
            ticket = self._waiting.popleft()
            if ticket is own or ticket.is_settled or ticket.goes_alone:
                continue
            group.append(ticket)
            entries += len(ticket.draft)
        return group
