"""A write transaction of the log: what is decided in it is recorded with it, or nothing is."""

from collections.abc import Sequence

from sqlalchemy import Connection

from ledger.appending.attempts import Attempt
from ledger.entries import Commit, CommitKind, Head, next_commit, recording_instant
from ledger.errors import RequestRepeatedError
from ledger.facts.alerts import CreditAlertCreated, UsageAlertCreated
from ledger.facts.credits import CreditGrantCreated
from ledger.facts.meters import MeterCreated
from ledger.facts.union import Fact, encode_facts
from ledger.facts.webhooks import WebhookEndpointCreated
from ledger.folds import FactFold
from ledger.records.idempotency import Request
from ledger.records.requests import Requests
from ledger.usage.digest import facts_digest


class Writing:
    """A database transaction that holds the write lock, at one instant.

    Attributes:
        connection: sees everything that is recorded, and writes beside the log.
        now: microseconds since 1970 UTC, never before what is recorded already; its
            facts are recorded at this instant.
        commit: what it records; None so far, or where there is nothing to record.
    """

    def __init__(
        self,
        attempt: Attempt,
        known: Head,
        now: int,
        *,
        fold: FactFold,
        request: Request | None,
    ) -> None:
        self.connection: Connection = attempt.connection
        self.now = recording_instant(known, now)
        self.commit: Commit | None = None
        self.head = known
        self._attempt = attempt
        self._fold = fold
        self._request = request

    def record(self, facts: Sequence[Fact]) -> None:
        """Record facts, once in this transaction; none is nothing to record.

        Raises:
            RequestRepeatedError: the request on whose behalf this thread records has
                had its effect already.
        """
        assert self.commit is None, "a database transaction makes one commit"
        if not facts:
            return
        if request := self._request:
            made = _made_by(facts[0])
            if not Requests(self.connection).claim([request], self.now, made=made):
                raise RequestRepeatedError(request.idempotency_key)
        body, known = encode_facts(facts), self.head
        self.commit, self.head = next_commit(
            known, tuple(facts), CommitKind.FACTS, facts_digest(body), self.now
        )
        is_appended = self._attempt.append(known, self.head, self.commit, body)
        assert is_appended, "the head was read under the write lock"
        self._fold.fold(self.connection, self.commit)


def _made_by(fact: Fact) -> str | None:
    """Return the id of the resource that a fact creates, None where it creates none."""
    match fact:
        case MeterCreated():
            return fact.meter_id
        case UsageAlertCreated() | CreditAlertCreated():
            return fact.alert_id
        case CreditGrantCreated():
            return fact.grant_id
        case WebhookEndpointCreated():
            return fact.endpoint_id
        case _:
            return None
