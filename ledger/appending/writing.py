"""A write transaction of the log: what is decided in it is recorded with it, or nothing is."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from ledger.appending.attempts import Attempt
from ledger.appending.drafts import ANY_TIME, Draft, Outcome
from ledger.appending.judging import Moment
from ledger.entries import Commit, CommitKind, Head, next_commit
from ledger.errors import RequestRepeatedError
from ledger.facts.alerts import CreditAlertCreated, SpendAlertCreated, UsageAlertCreated
from ledger.facts.credits.grants import CreditGrantCreated
from ledger.facts.credits.holds import CreditHoldCreated
from ledger.facts.credits.limits import SpendLimitCreated
from ledger.facts.credits.pools import CreditPoolCreated
from ledger.facts.credits.schedules import CreditScheduleCreated
from ledger.facts.credits.settlements import SettledInvoices
from ledger.facts.customers import CustomerCreated
from ledger.facts.entitlements import FeatureAttached, FeatureCreated
from ledger.facts.meters import MeterCreated
from ledger.facts.prices import PriceCreated, ProductCreated
from ledger.facts.statements import StatementFinalized
from ledger.facts.subscriptions import SubscriptionCreated, SubscriptionItemCreated
from ledger.facts.test_clocks import TestClockCreated, TestClockTime
from ledger.facts.union import Fact, Facts, encode_facts
from ledger.facts.webhooks import WebhookEndpointCreated
from ledger.folds import FactFold
from ledger.records.idempotency import Request
from ledger.records.requests import Requests
from ledger.usage.digest import facts_digest
from ledger.usage.rows import FewEvents, UsageEvents, encode_events, events_digest


class Writing:
    """A database transaction that holds the write lock, at one instant.

    Attributes:
        connection: sees everything that is recorded, and writes beside the log.
        real_now: by which state beside the log is judged, microseconds since 1970 UTC:
            as `now`, but never beyond the real time.
        commit: what it records; None so far, or where there is nothing to record. The
            last one where there are several.
        hashes: of the identifiers of the events that it records.
        has_several: whether it records several commits.

    Args:
        calls: what the log does for it: settling a draft, taking in commits up to a head.
    """

    def __init__(
        self,
        attempt: Attempt,
        known: Head,
        moment: Moment,
        fold: FactFold,
        calls: tuple[Callable[[Draft], Outcome], Callable[[Connection, Head], None]],
        request: Request | None,
    ) -> None:
        self.connection: Connection = attempt.connection
        self.real_now = moment.real
        self._moment = moment
        self._clocked: TestClockTime | None = None
        self.commit: Commit | None = None
        self.hashes: np.ndarray | None = None
        self.has_several = False
        self.head = known
        self.settle, self._take_in = calls
        self._attempt = attempt
        self._fold = fold
        self._request = request

    @property
    def now(self) -> int:
        """Microseconds since 1970 UTC, never before what is recorded already.

        Its facts are recorded at this instant, and what is decided is as of it. Where it
        goes by a test clock, it is that clock's.

        Raises:
            ClockSkewError: the clock is wrong, so nothing can be decided by it.
        """
        log_now = self.log_now
        return log_now if self._clocked is None else self._clocked.instant

    @property
    def log_now(self) -> int:
        """The same, whatever clock it goes by.

        Raises:
            ClockSkewError: as for `now`.
        """
        if self._moment.fault is not None:
            raise self._moment.fault
        return self._moment.instant

    @property
    def next_position(self) -> int:
        """The position of the first fact that is given to `record`."""
        return self.head.position + (1 if self._clocked is None else 2)

    @property
    def is_clocked(self) -> bool:
        """Whether it goes by a test clock."""
        return self._clocked is not None

    def go_by(self, time: TestClockTime | None) -> None:
        """Go by a test clock, as the facts of its customers do; None is by the log."""
        assert self.commit is None, "what is recorded goes by one clock"
        self._clocked = time

    def take_in_events(self) -> None:
        """Take in everything committed so far, so that its usage counts in memory."""
        assert self.commit is None, "what is decided by events is recorded after"
        self._take_in(self.connection, self.head)

    def record(self, facts: Sequence[Fact] | SettledInvoices) -> None:
        """Record facts, once in this transaction; none is nothing to record.

        Args:
            facts: of which the last is what the request asked for.

        Raises:
            RequestRepeatedError: the request on whose behalf this thread records has
                had its effect already.
            ClockSkewError: the clock is wrong.
        """
        assert self.commit is None, "a database transaction makes one commit"
        if not facts:
            return
        content = facts if isinstance(facts, SettledInvoices) else tuple(facts)
        self._claim(_made_by(content[-1]) if isinstance(content, tuple) else None)
        if self._clocked is not None:
            content = (self._clocked, *content)
        body = encode_facts(content)
        self._append(content, CommitKind.FACTS, body, facts_digest(body))

    def record_events(self, new: Draft) -> None:
        """Record the events of a draft, all of which are new by `settle`.

        Everything committed before must be taken in, see `Log.writing`.

        Raises:
            RequestRepeatedError: as for `record`.
            ClockSkewError: the clock is wrong.
        """
        assert self.commit is None, "a database transaction makes one commit"
        self._claim(None)
        self._append(new.events, CommitKind.USAGE, *new.encoded)
        self.hashes = new.hashes

    def record_several(
        self, made: str, contents: Iterable[Sequence[Fact] | UsageEvents]
    ) -> None:
        """Record commits of facts or of new events, at consecutive positions.

        They are there together or not at all. Everything committed before must be taken
        in, and no event may have an identifier that is known.

        Args:
            made: id of what they make.
            contents: of each commit, made one after the other.

        Raises:
            RequestRepeatedError: as for `record`.
            ClockSkewError: the clock is wrong.
        """
        assert self.commit is None, "a database transaction is recorded once"
        self._claim(made)
        for content in contents:
            if isinstance(content, pa.RecordBatch | FewEvents):
                body, digest = encode_events(content), events_digest(content)
                self._append(content, CommitKind.USAGE, body, digest)
            else:
                body = encode_facts(content)
                facts = tuple(content)
                self._append(facts, CommitKind.FACTS, body, facts_digest(body))
        self.has_several = True

    def _claim(self, made: str | None) -> None:
        """Write down that the request has its effect, and the id of what it made."""
        request = self._request
        if request is None:
            return
        if not Requests(self.connection).claim([request], self.real_now, made=made):
            raise RequestRepeatedError(request.idempotency_key)

    def _append(
        self, content: UsageEvents | Facts, kind: CommitKind, body: bytes, digest: bytes
    ) -> None:
        """Append a commit, with what it folds into."""
        known = self.head
        commit, self.head = next_commit(known, content, kind, digest, self.log_now)
        self.commit = commit
        # The server's clock was read with the head, so it is not compared again.
        answer = self._attempt.send(known, self.head, commit, body, ANY_TIME)
        if kind is CommitKind.FACTS:
            # Sent before the answer is waited for, where the database can.
            self._fold.fold(self.connection, commit)
        is_appended = answer()
        assert is_appended, "the head was read under the write lock"


_MADE: Mapping[type[Fact], Callable[[Any], str]] = {
    MeterCreated: attrgetter("meter_id"),
    SpendAlertCreated: attrgetter("alert_id"),
    UsageAlertCreated: attrgetter("alert_id"),
    CreditAlertCreated: attrgetter("alert_id"),
    CreditGrantCreated: attrgetter("grant_id"),
    WebhookEndpointCreated: attrgetter("endpoint_id"),
    ProductCreated: attrgetter("product_id"),
    PriceCreated: attrgetter("price_id"),
    StatementFinalized: attrgetter("statement_id"),
    CustomerCreated: attrgetter("customer_id"),
    SubscriptionCreated: attrgetter("subscription_id"),
    SubscriptionItemCreated: attrgetter("item.item_id"),
    CreditHoldCreated: attrgetter("hold_id"),
    CreditPoolCreated: attrgetter("pool_id"),
    SpendLimitCreated: attrgetter("limit_id"),
    CreditScheduleCreated: attrgetter("schedule_id"),
    FeatureCreated: attrgetter("feature_id"),
    FeatureAttached: attrgetter("product_feature_id"),
    TestClockCreated: attrgetter("test_clock_id"),
}


def _made_by(fact: Fact) -> str | None:
    """Return the id of the resource that a fact creates, None where it creates none."""
    id_of = _MADE.get(type(fact))
    return None if id_of is None else id_of(fact)
