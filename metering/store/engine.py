"""The engine: one store's log with its projections, as the domain modules use it."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec
import numpy as np

from ledger.appending.drafts import Draft, Outcome
from ledger.appending.writing import Writing
from ledger.entries import Head
from ledger.log import Log
from ledger.records.idempotency import Request
from ledger.records.secret_keys import SecretKeys
from ledger.usage.rows import UsageEvents, take_events
from metering.arguments.clock import Clock, microseconds
from metering.arguments.ids import Ids
from metering.store.evaluation import Evaluator
from metering.store.expiries import ExpiriesSeen
from metering.store.sealing import BackgroundSealing
from projections.kernels.meters import MeterDefinition, apply_fact
from projections.meters.catalog import Catalog, Definitions
from projections.scans.recorded import RecordedEvents, tail_table
from projections.usage.hourly import HourlyUsage
from projections.usage.summaries import Summaries

if TYPE_CHECKING:
    from ledger.records.outbox import Outbox
    from projections.credits.queries import CreditQueries

REQUEST: ContextVar[Request | None] = ContextVar("REQUEST", default=None)
"""The request on whose behalf this thread records facts, to be written down with them.

A context variable: the code that receives a request is far from the code that records,
and nothing between them need know of it. Events come many together, of many requests:
each carries its own.
"""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection decides for itself.

    Attributes:
        livemode: the `livemode` of resources.
        cancel_window: how long after its recording an event can be cancelled; None is
            for ever.
        credit_grants_max: how many unused credit grants a customer can have.
        alerts_max: how many alerts on a meter can apply to a customer.
        allow_private_webhooks: whether webhooks may be sent to any address, without TLS.
        webhook_timeout: for connecting to an endpoint, and between parts of its answer.
        sql_timeout: how long a query in SQL may take.
        sql_memory: how many bytes of memory it may take; None is 60 % of the machine's.
        clock_skew_max: how far off the clock of appends may be; None where it is not
            judged.
        secret_keys: under which the secrets of endpoints are encrypted, if there is one.
    """

    livemode: bool
    cancel_window: timedelta | None
    credit_grants_max: int
    alerts_max: int
    allow_private_webhooks: bool
    webhook_timeout: timedelta
    sql_timeout: timedelta
    sql_memory: int | None
    clock_skew_max: timedelta | None
    secret_keys: SecretKeys = msgspec.field(default_factory=SecretKeys)


def now_of(clock: Clock) -> int:
    """Return the time of a clock, microseconds since 1970 UTC."""
    return microseconds(clock.now())


RefusalT = TypeVar("RefusalT")


class Doubts(msgspec.Struct, Generic[RefusalT], frozen=True):
    """Events that are refused unless they repeat what is recorded.

    They obey every rule but those of the clock and of the state of their meter, which an
    event obeyed when it was recorded.

    Attributes:
        rows: their indices among the checked events (int64, ascending).
        refuse: returns why some of them are refused, by number, given their indices.
    """

    rows: np.ndarray
    refuse: Callable[[np.ndarray], Mapping[int, RefusalT]]

    def rows_without_original(self, settled: Outcome) -> np.ndarray:
        """Return which of them repeat neither what is recorded nor an event before them.

        Args:
            settled: what becomes of all checked events by what is recorded.
        """
        here = np.flatnonzero(settled.are_here)
        doubted = here[np.isin(here, self.rows)]
        certain = np.setdiff1d(here, doubted, assume_unique=True)
        # Events here are new, or repeat the new one of a place among these.
        originals = np.full(len(settled.positions), len(settled.positions))
        np.minimum.at(originals, settled.positions[certain], certain)
        first: np.ndarray = originals[settled.positions[doubted]]
        unknown: np.ndarray = doubted[doubted < first]
        return unknown

    @classmethod
    def of(
        cls, refusals: Mapping[int, RefusalT], numbers: Sequence[int]
    ) -> "Doubts[RefusalT] | None":
        """Keep why events are refused; None where none are.

        Args:
            refusals: by number.
            numbers: of all checked events.
        """
        if not refusals:
            return None
        rows = [row for row, number in enumerate(numbers) if number in refusals]

        def refuse(refused: np.ndarray) -> Mapping[int, RefusalT]:
            at = [numbers[row] for row in refused.tolist()]
            return {number: refusals[number] for number in at}

        return cls(np.array(rows, np.int64), refuse)


class CheckedEvents(msgspec.Struct, Generic[RefusalT], frozen=True, kw_only=True):
    """Which of some events may be recorded, and why the others may not.

    Attributes:
        events: those that may, in canonical form and in the order in which they came.
        numbers: the number of each among all that were checked (int64, ascending).
        has_own_timestamp: which of them carry their sender's timestamp (bool).
        refusals: the others, by number.
        doubts: which events are refused all the same, unless they repeat others.
        requests: the index of an event, and the request to write down if it is new.
        sent_at: when each was first sent (int64), see `Draft`; None is now.
        is_rounded: which of them have a rounded value (bool); None is none of them.
        left_out: names of what was left out of payloads, and the numbers of the events
            that lack it.
    """

    events: UsageEvents
    numbers: np.ndarray
    has_own_timestamp: np.ndarray
    refusals: Mapping[int, RefusalT]
    doubts: Doubts[RefusalT] | None = None
    requests: Sequence[tuple[int, Request]] = ()
    sent_at: np.ndarray | None = None
    is_rounded: np.ndarray | None = None
    left_out: Mapping[str, np.ndarray] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that the columns have one length."""
        assert len(self.events) == len(self.numbers), "each event has a number"

    def without(
        self, refused: np.ndarray, refusals: Mapping[int, RefusalT]
    ) -> "CheckedEvents[RefusalT]":
        """Refuse some events, given by their indices, and doubt none of the others."""
        rows = np.setdiff1d(np.arange(len(self.events)), refused)
        row_of = dict(zip(rows.tolist(), range(len(rows)), strict=True))
        return msgspec.structs.replace(
            self,
            events=take_events(self.events, rows),
            numbers=self.numbers[rows],
            has_own_timestamp=self.has_own_timestamp[rows],
            refusals={**self.refusals, **refusals},
            doubts=None,
            requests=[
                (row_of[row], request)
                for row, request in self.requests
                if row in row_of
            ],
            sent_at=None if self.sent_at is None else self.sent_at[rows],
            is_rounded=None if self.is_rounded is None else self.is_rounded[rows],
        )


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
    news: threading.Event = msgspec.field(default_factory=threading.Event)
    expiries_seen: ExpiriesSeen = msgspec.field(default_factory=ExpiriesSeen)

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
    def writing(self, *, needs_events: bool = False) -> Iterator[Writing]:
        """Open a database transaction to decide in and record; see `Log.writing`."""
        with self.log.writing(
            self.now, needs_events=needs_events, request=REQUEST.get()
        ) as writing:
            yield writing
        if writing.commit is not None:
            self.news.set()

    @contextmanager
    def outbox(self) -> "Iterator[tuple[Outbox, int]]":
        """Open a write transaction on the outbox, with the real time."""
        from ledger.records.outbox import Outbox

        with self.log.writing_beside() as connection:
            yield Outbox(connection), self.log.judge.real_time(connection, self.now())

    @contextmanager
    def credits(self) -> "Iterator[tuple[CreditQueries, int]]":
        """Read the credits as they are, with the present instant."""
        from projections.credits.queries import CreditQueries

        with self.log.read() as connection:
            seen = CreditQueries(connection)
            yield seen, seen.present(self.now())

    def checked(
        self,
        check: Callable[[Definitions], CheckedEvents[RefusalT]],
        definitions: Definitions,
    ) -> tuple[CheckedEvents[RefusalT], Draft]:
        """Check events against meters, and make the draft of those that obey the rules.

        A caller may do this ahead, on another thread than the one that appends.
        """
        checked = check(definitions)
        if checked.doubts is not None and checked.sent_at is None:
            # Were an identifier forgotten after it was looked up and before the append,
            # a repetition would be recorded.
            sent_at = np.full(len(checked.events), self.now())
            checked = msgspec.structs.replace(checked, sent_at=sent_at)
        return checked, self._draft(checked, definitions.facts_position)

    def _draft(self, checked: CheckedEvents[RefusalT], facts_position: int) -> Draft:
        return Draft.of(
            checked.events,
            has_own_timestamp=checked.has_own_timestamp,
            facts_position=facts_position,
            now=self.now,
            requests=checked.requests,
            sent_at=checked.sent_at,
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
            draft = self._draft(checked, draft.facts_position)
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
