"""The engine: one store's log with its projections, as the domain modules use it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ledger.appends import Status, UsageDraft, UsageOutcome
from ledger.entries import Commit, Head
from ledger.facts import Fact
from ledger.log import Log
from metering.clock import Clock, microseconds
from metering.ids import Ids
from projections.catalog import Catalog, Definitions
from projections.summaries import Summaries
from projections.tail import Tail

Decide = Callable[[Definitions], Sequence[Fact]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one connection decides for itself.

    Attributes:
        livemode: what resources say of themselves.
        cancel_window: how long after its recording an event can be cancelled; None is
            for ever.
    """

    livemode: bool
    cancel_window: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A log and what follows from it."""

    log: Log
    tail: Tail
    catalog: Catalog
    summaries: Summaries
    clock: Clock
    ids: Ids
    settings: Settings

    def now(self) -> int:
        """Tell the time in microseconds since 1970 UTC."""
        return microseconds(self.clock.now())

    def definitions(self, head: Head | None = None) -> Definitions:
        """Get the meters as they are now, or as of a head that was just read."""
        known, head = self.catalog.latest, head or self.log.head()
        if known is not None and known.facts_position == head.facts_position:
            return known
        with self.log.read() as connection:
            return self.catalog.read(connection)

    def known_definitions(self) -> Definitions:
        """Get the meters as they were when they were last read."""
        return self.catalog.latest or self.definitions()

    def record(self, decide: Decide, *, needs_events: bool = False) -> Commit | None:
        """Record the facts that a decision on the current meters comes to."""
        return self.log.append_facts(
            lambda connection: decide(self.catalog.read(connection)),
            recorded_at=self.now(),
            needs_events=needs_events,
        )

    def append(
        self, check: Callable[[Definitions], UsageDraft | None]
    ) -> UsageOutcome | None:
        """Append events that are checked against the meters as they are.

        Args:
            check: checks the events; called again where the meters changed meanwhile.
                None is nothing to append.
        """
        definitions = self.known_definitions()
        while True:
            draft = check(definitions)
            if draft is None:
                return None
            outcome = self.log.append_usage(draft)
            if outcome.statuses[0] != Status.STALE:
                return outcome
            definitions = self.definitions()
