"""Everything about an append that can be done before the write lock is taken."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ledger.appending.deduplication import Candidates, Draft, Settled, Stored, settle
from ledger.appending.drafts import UsageDraft, UsageOutcome, outcomes
from ledger.entries import Head
from ledger.records.requests import Request
from ledger.usage.rows import Events, encode_events, events_digest, take_events


@dataclass(frozen=True, slots=True)
class Survivors:
    """The new events of a draft, encoded."""

    events: Events
    hashes: np.ndarray
    body: bytes
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """Drafts, settled against the log up to a head, and encoded.

    Attributes:
        drafts: what is to be appended, in order.
        combined: all their events.
        known: the head up to which duplicates were looked for.
        settled: what became of each event.
        survivors: the new events; None where all were recorded before.
    """

    drafts: Sequence[UsageDraft]
    combined: Draft
    known: Head
    settled: Settled
    survivors: Survivors | None

    @classmethod
    def of(
        cls,
        drafts: Sequence[UsageDraft],
        combined: Draft,
        known: Head,
        candidates: Candidates,
        stored: Stored,
        live_since: int | None,
    ) -> "Preparation":
        """Settle and encode drafts; see `ledger.appending.deduplication.settle`."""
        settled = settle(combined, candidates, stored, live_since=live_since)
        return cls(
            drafts=drafts,
            combined=combined,
            known=known,
            settled=settled,
            survivors=_survivors(combined, settled),
        )

    def now(self) -> int:
        """Tell the latest time of those that the drafts' clocks tell."""
        return max(draft.now() for draft in self.drafts)

    @property
    def has_survivors(self) -> bool:
        """Whether any event is new."""
        return self.survivors is not None

    @property
    def body_bytes(self) -> int:
        """How much is to be stored."""
        return 0 if self.survivors is None else len(self.survivors.body)

    def outcomes(self, first_position: int, recorded_at: int) -> list[UsageOutcome]:
        """Tell each draft what became of it; see `ledger.appending.drafts.outcomes`."""
        return outcomes(self.drafts, self.settled, first_position, recorded_at)

    def outcomes_without_commit(self) -> list[UsageOutcome]:
        """Tell each draft what became of it where nothing was new."""
        assert self.survivors is None, "what is new is committed"
        return self.outcomes(0, 0)

    def new_requests(self) -> list[Request]:
        """List the requests whose event is new."""
        requests, start = [], 0
        for draft in self.drafts:
            requests += [
                request
                for row, request in draft.requests
                if self.settled.is_new[start + row]
            ]
            start += len(draft)
        return requests

    def known_up_to(self, head: Head) -> "Preparation":
        """Say that it holds up to a later head."""
        return replace(self, known=head)


@dataclass(frozen=True, slots=True)
class UsageAppend:
    """A draft on its way through the group commit, combined ahead or not."""

    draft: UsageDraft
    combined: Draft | None

    def __len__(self) -> int:
        """Count the events."""
        return len(self.draft)


def _survivors(draft: Draft, settled: Settled) -> Survivors | None:
    if settled.new_count == 0:
        return None
    events, hashes = draft.events, draft.hashes
    if settled.new_count < len(draft):
        rows = np.flatnonzero(settled.is_new)
        events, hashes = take_events(events, rows), hashes[rows]
    return Survivors(events, hashes, encode_events(events), events_digest(events))
