"""The engine: one store's log with its projections, as the domain modules use it."""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ledger.appending.drafts import Draft, Outcome
from ledger.appending.writing import Writing
from ledger.commits import read_head
from ledger.entries import Head, recording_instant
from ledger.errors import ClockSkewError, StoreFullError
from ledger.log import Log
from ledger.records.idempotency import Request
from metering.arguments.clock import Clock, now_of
from metering.arguments.ids import Ids
from metering.store.checked_events import CheckedEvents, Doubts, RefusalT
from metering.store.customer_time import (
    follow_clocks,
    go_by_its_clock,
    present_of,
)
from metering.store.entitlement_memory import EntitlementMemory
from metering.store.entitlement_watch import EntitlementWatch
from metering.store.evaluation import Evaluator
from metering.store.expiries import ExpiriesSeen
from metering.store.scheduled_credits import ScheduledCredits
from metering.store.sealing import BackgroundSealing
from metering.store.settings import Settings
from projections.kernels.meters import MeterDefinition, apply_fact
from projections.meters.catalog import Catalog, Definitions
from projections.scans.recorded import RecordedEvents, tail_table
from projections.test_clocks.clocked import ClockedCustomers, Seeing
from projections.usage.hourly import HourlyUsage
from projections.usage.summaries import Summaries

if TYPE_CHECKING:
    from ledger.records.outbox import Outbox
    from projections.credits.queries import CreditQueries
    from projections.credits.schedule_queries import ScheduleQueries

    Whose = Callable[[CreditQueries], Collection[str] | None]

REQUEST: ContextVar[Request | None] = ContextVar("REQUEST", default=None)
"""The request on whose behalf this thread records facts, to be written down with them.

A context variable: the code that receives a request is far from the code that records,
and nothing between them need know of it. Events come many together, of many requests:
each carries its own.
"""


@contextmanager
def on_nobodys_behalf() -> Iterator[None]:
    """Record several commits of one request, which is safe to repeat by itself."""
    token = REQUEST.set(None)
    try:
        yield
    finally:
        REQUEST.reset(token)


@cache
def _queries() -> "tuple[type[CreditQueries], type[ScheduleQueries]]":
    """Load the queries of credits, which most processes do without."""
    from projections.credits.queries import CreditQueries
    from projections.credits.schedule_queries import ScheduleQueries

    return CreditQueries, ScheduleQueries


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """A log and what follows from it.

    Attributes:
        news: is set when this process has recorded something; a worker waits for it.
    """

    log: Log
    usage: HourlyUsage
    catalog: Catalog
    summaries: Summaries
    clock: Clock
    ids: Ids
    settings: Settings
    evaluator: Evaluator
    sealing: BackgroundSealing
    scheduled: ScheduledCredits
    news: threading.Event = msgspec.field(default_factory=threading.Event)
    expiries_seen: ExpiriesSeen = msgspec.field(default_factory=ExpiriesSeen)
    entitlements: EntitlementMemory = msgspec.field(default_factory=EntitlementMemory)
    entitlement_watch: EntitlementWatch = msgspec.field(
        default_factory=EntitlementWatch
    )

    def now(self) -> int:
        """Return the time, microseconds since 1970 UTC."""
        return now_of(self.clock)

    def new_id(self, prefix: str) -> str:
        """Make the id of a resource, which says whether it is in test mode."""
        return self.ids.resource(prefix if self.settings.livemode else f"{prefix}_test")

    def definitions(self, head: Head | None = None) -> Definitions:
        """Return the meters as they are now, or as of a head that was just read."""
        known, head = self.catalog.latest, head or self.log.head()
        if known is not None and known.facts_position == head.facts_position:
            return known
        with self.log.read() as connection:
            return self.catalog.read(connection)

    def known_definitions(self) -> Definitions:
        """Return the meters as they were when they were last read."""
        return self.catalog.latest or self.definitions()

    @contextmanager
    def writing(
        self, *, needs_events: bool = False, only_lowers: bool = False
    ) -> Iterator[Writing]:
        """Open a database transaction to record facts in; see `Evaluator.writing`."""
        with self.evaluator.writing(
            REQUEST.get(), needs_events=needs_events, only_lowers=only_lowers
        ) as writing:
            before = writing.head.facts_position
            yield writing
        if writing.commit is not None:
            self.scheduled.follow(before, writing)
            follow_clocks(self.catalog.clocks, before, writing)
            self.news.set()

    def clocked(self, seen: Seeing, head: Head | None = None) -> ClockedCustomers:
        """Return who lives by a test clock, as a database transaction sees them.

        Args:
            seen: any queries of it.
            head: of the log, as it sees it; None reads it.
        """
        head = head or read_head(seen.connection)
        return self.catalog.clocks.read(seen.connection, head.facts_position)

    @contextmanager
    def writing_of(
        self, *customers: str, needs_events: bool = False
    ) -> Iterator[Writing]:
        """Open what `writing` does, which goes by the clock of customers; see `follow`."""
        with self.writing(needs_events=needs_events) as writing:
            self.follow(writing, *customers)
            yield writing

    def follow(self, writing: Writing, *customers: str) -> None:
        """Let a write transaction go by the clock of customers; see `go_by_its_clock`."""
        clocked = self.clocked(writing, writing.head)
        go_by_its_clock(writing, clocked, customers)

    def present(self, seen: Seeing, *customers: str, head: Head | None = None) -> int:
        """Return the present instant, by the clock customers share if any; see `clocked`.

        Raises:
            ResourceMissingError: it is deleted, and the customers with it.
        """
        head = head or read_head(seen.connection)
        now = recording_instant(head, self.now())
        return present_of(self.clocked(seen, head), customers, now)

    @contextmanager
    def writing_credits(
        self,
        whose: "Whose",
        *,
        needs_events: bool = False,
        only_lowers: bool = False,
    ) -> "Iterator[tuple[Writing, CreditQueries]]":
        """Open a database transaction to decide about credits in, as `writing` does.

        What has fallen due by schedules of the customers is recorded before. It goes by
        their test clock, if they have one.

        Args:
            whose: returns the customers, where that must be known; None is everybody
                that has no test clock.
            needs_events: as of `writing`.
            only_lowers: as of `writing`.
        """
        credit_queries, schedule_queries = _queries()
        while True:
            with self.writing(
                needs_events=needs_events, only_lowers=only_lowers
            ) as writing:
                clocked = self.clocked(writing, writing.head)
                seen = credit_queries(writing.connection, clocked=clocked)
                due, at = schedule_queries(seen.connection), writing.head.facts_position
                customers: Collection[str] | None = None
                if clocked and (customers := whose(seen)):
                    go_by_its_clock(writing, clocked, customers)
                if writing.is_clocked:
                    is_due = due.are_due(customers or (), writing.now)
                else:
                    # `now` refuses a wrong clock: it is not asked where nothing is due.
                    due_at = self.scheduled.due_at(due, at)
                    is_due = due_at is not None and due_at <= writing.now
                    if is_due:
                        customers = whose(seen)
                        is_due = self.scheduled.are_due(due, at, customers, writing.now)
                if not is_due:
                    yield writing, seen
                    return
            self.record_due(customers)

    def record_due(self, customers: Collection[str] | None = None) -> int:
        """Record the grants of customers that fell due by schedules, and count them.

        Args:
            customers: whose; None is everybody's.

        Raises:
            StoreError: what was recorded before stays.
        """
        made = self.scheduled.record_due(customers)
        if made:
            self.news.set()
        return made

    @contextmanager
    def outbox(self) -> "Iterator[tuple[Outbox, int]]":
        """Open a write transaction on the outbox, with the real time."""
        from ledger.records.outbox import Outbox

        with self.log.writing_beside() as connection:
            yield Outbox(connection), self.log.judge.real_time(connection, self.now())

    @contextmanager
    def credits(
        self, customers: "Collection[str] | Whose | None" = None
    ) -> "Iterator[tuple[CreditQueries, int]]":
        """Read the credits as they are, with the present instant.

        What has fallen due by schedules is recorded before, where that can be done. The
        instant is that of the customers' test clock, where they share one.

        Args:
            customers: whose are read, or what returns them where that must be known;
                None is everybody's.
        """
        credit_queries, schedule_queries = _queries()
        named = None if callable(customers) else customers
        for is_recorded in (False, True):
            with self.log.read() as connection:
                head = read_head(connection)
                now, at = recording_instant(head, self.now()), head.facts_position
                clocked = self.clocked(due := schedule_queries(connection), head)
                next_due = self.scheduled.due_at(due, at)
                seen = credit_queries(connection, next_due=next_due, clocked=clocked)
                is_due = next_due is not None and next_due <= now
                if callable(customers) and (clocked or is_due):
                    named = customers(seen)
                if is_recorded or not self.scheduled.are_due_of(
                    due, at, clocked, named, now
                ):
                    yield seen, present_of(clocked, named or (), now)
                    return
            # What cannot be recorded can be read: balances project what is due.
            with suppress(ClockSkewError, StoreFullError):
                self.record_due(named)

    def checked(
        self,
        check: Callable[[Definitions], CheckedEvents[RefusalT]],
        definitions: Definitions,
    ) -> tuple[CheckedEvents[RefusalT], Draft]:
        """Check events against meters, and make the draft of those that obey the rules.

        A caller may do this ahead, on another thread than the one that appends.
        """
        checked_at = self.now()
        checked = check(definitions)
        if checked.doubts is not None and checked.sent_at is None:
            # Were an identifier forgotten after it was looked up and before the append,
            # a repetition would be recorded.
            sent_at = np.full(len(checked.events), self.now())
            checked = msgspec.structs.replace(checked, sent_at=sent_at)
        return checked, Draft.of(
            checked.events,
            has_own_timestamp=checked.has_own_timestamp,
            facts_position=definitions.facts_position,
            now=self.now,
            requests=checked.requests,
            sent_at=checked.sent_at,
            checked_at=checked_at,
        )

    def append(
        self,
        check: Callable[[Definitions], CheckedEvents[RefusalT]],
        ahead: tuple[CheckedEvents[RefusalT], Draft] | None = None,
    ) -> tuple[CheckedEvents[RefusalT], Outcome | None]:
        """Append the events that obey the rules of the meters as they are.

        Args:
            check: checks the events. It is called again if the meters have changed since.
            ahead: what `checked` returned, where the caller has called it.

        Returns:
            The events as they were checked in the end, and the outcome of their draft;
            None where all were refused.

        Raises:
            StoreError: nothing was recorded; append them again.
        """
        checked, draft = ahead or self.checked(check, self.known_definitions())
        if checked.refusals or checked.doubts is not None:
            # Another process may have created or reactivated a meter since.
            latest = self.definitions()
            if latest.facts_position != draft.facts_position:
                checked, draft = self.checked(check, latest)
        while len(draft):
            if checked.doubts is not None:
                checked, draft, settled = self._without_doubts(
                    checked, checked.doubts, draft
                )
                if not len(draft):
                    break
                if not settled.are_new.any():
                    return checked, settled
            outcome = self._append(draft)
            if not outcome.is_stale:
                return checked, outcome
            checked, draft = self.checked(check, self.definitions())
        return checked, None

    def _without_doubts(
        self,
        checked: CheckedEvents[RefusalT],
        doubts: Doubts[RefusalT],
        draft: Draft,
    ) -> tuple[CheckedEvents[RefusalT], Draft, Outcome]:
        """Refuse those events in doubt that repeat nothing.

        What is recorded stays so: no lock is needed to know that an event repeats it.

        Returns:
            The events and the draft without them, and the outcome of the whole draft by
            what is recorded.
        """
        settled = self.log.settle(draft)
        unknown = doubts.rows_without_original(settled)
        if len(unknown):
            # A wrong clock must not refuse for good what is right.
            self.log.judge.check_now(self.now)
            checked = checked.without(unknown, doubts.refuse(unknown))
            draft = draft.take(~np.isin(np.arange(len(draft)), unknown))
        return checked, draft, settled

    def _append(self, draft: Draft) -> Outcome:
        outcome = self.log.append_usage(draft)
        self.sealing.appended()
        if not self.news.is_set():
            self.news.set()
        return outcome

    def is_cancelled(self, position: int) -> bool:
        """Whether an event that was taken in has been cancelled."""
        return bool(self.usage.view().are_cancelled(np.array([position]))[0])

    def recorded(self, as_of: int | None = None) -> RecordedEvents:
        """Return everything recorded up to a position, or up to now.

        Args:
            as_of: a position of the log; None is the last.
        """
        last = self.log.catch_up().position
        position = last if as_of is None else as_of
        assert 0 <= position <= last, "the position was recorded"
        segments, tail = self.log.segments_and_tail(position)
        return RecordedEvents(
            position=position,
            segments=segments,
            reader=self.log.sealed.reader,
            tail=tail_table(tail),
            time=self.log.time,
            cancelled=self.usage.cancelled(position),
            definitions=self.definitions_at(position),
        )

    def definitions_at(self, position: int) -> dict[str, MeterDefinition]:
        """Return the meters at a position, by id, in the order of creation."""
        definitions = self.definitions()
        if definitions.facts_position <= position:
            return definitions.by_id
        then: dict[str, MeterDefinition] = {}
        for at, recorded_at, fact in self.log.history.facts(position):
            changed = apply_fact(then, fact, position=at, recorded_at=recorded_at)
            if changed is not None:
                then[changed.meter_id] = changed
        return then
