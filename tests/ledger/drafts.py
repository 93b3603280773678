"""Own what the tests of the ledger append: rows, drafts, facts, and a fold of usage.

Times are microseconds since 1970 UTC; whoever does not care gets NOW.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
from sqlalchemy import Connection

from ledger.appending.drafts import Draft, Outcome, Status
from ledger.commits import read_head
from ledger.entries import Commit, Passage
from ledger.facts.meters import Formula, MeterCreated
from ledger.log import Log
from ledger.segments.sealed import Sealed
from ledger.usage.columns import UsageRow, usage_batch, usage_rows
from ledger.usage.quantities import parse_quantity
from ledger.usage.rows import FewEvents, batch_of

NOW = 1_772_409_600_000_000
SECOND = 1_000_000


def quantity(text: str) -> Decimal:
    value = parse_quantity(text)
    assert value is not None
    return value


def row(
    identifier: str,
    *,
    event_name: str = "tokens",
    customer: str = "cus_1",
    timestamp: int = NOW,
    value: str | None = "1",
    payload: tuple[tuple[str, str], ...] = (("model", "large"),),
) -> UsageRow:
    return UsageRow(
        event_name=event_name,
        identifier=identifier,
        customer=customer,
        timestamp=timestamp,
        value=None if value is None else quantity(value),
        payload=payload,
    )


def rows(count: int, prefix: str = "event") -> list[UsageRow]:
    """Different events of three customers and two names."""
    return [
        row(
            f"{prefix}-{number}",
            event_name=("tokens", "requests")[number % 2],
            customer=f"cus_{number % 3}",
            timestamp=NOW + number,
            value=f"{number}.5",
            payload=(("model", f"m{number % 5}"),) if number % 4 else (),
        )
        for number in range(count)
    ]


def draft(
    events: Sequence[UsageRow],
    *,
    facts_position: int = 0,
    recorded_at: int = NOW,
    has_own_timestamp: bool = True,
    is_batch: bool = False,
) -> Draft:
    return Draft.of(
        events=usage_batch(events) if is_batch else FewEvents(tuple(events)),
        has_own_timestamp=np.full(len(events), has_own_timestamp),
        facts_position=facts_position,
        now=lambda: recorded_at,
    )


def append(
    log: Log, *events: UsageRow, recorded_at: int = NOW, has_own_timestamp: bool = True
) -> Outcome:
    """Append events that were checked against the facts as they are."""
    return log.append_usage(
        draft(
            events,
            facts_position=log.head().facts_position,
            recorded_at=recorded_at,
            has_own_timestamp=has_own_timestamp,
        )
    )


def meter_created(name: str) -> MeterCreated:
    return MeterCreated(
        meter_id=f"mtr_{name}",
        event_name=name,
        display_name=name.title(),
        formula=Formula.SUM,
        customer_payload_key="stripe_customer_id",
        value_payload_key="value",
        event_time_window=None,
    )


def record(log: Log, *facts: MeterCreated, recorded_at: int = NOW) -> Commit | None:
    with log.writing(lambda: recorded_at) as writing:
        writing.record(facts)
    return writing.commit


def statuses(outcome: Outcome) -> list[Status]:
    return [Status(status) for status in outcome.statuses]


def positions(outcome: Outcome) -> list[int]:
    return [int(position) for position in outcome.positions]


def stored_rows(log: Log) -> list[tuple[int, UsageRow]]:
    """Every meter event of the log with its position, from its commits."""
    return rows_of(commit for commit, _ in log.commits())


def rows_of(commits: Iterable[Commit]) -> list[tuple[int, UsageRow]]:
    return [
        (commit.first_position + number, event)
        for commit in commits
        if not isinstance(commit.content, tuple)
        for number, event in enumerate(usage_rows(batch_of(commit.content)))
    ]


def commits_of(passage: Passage) -> list[Commit]:
    """The commits of a passage, without the digests that it does not have."""
    found = [
        (at, recorded_at, passage.events.slice(start, count))
        for at, recorded_at, start, count in zip(
            passage.first_positions.tolist(),
            passage.recorded_at.tolist(),
            passage.starts.tolist(),
            passage.entry_counts.tolist(),
            strict=True,
        )
    ]
    found += [(at, recorded_at, (fact,)) for at, recorded_at, fact in passage.facts]
    return [
        Commit(
            first_position=at,
            recorded_at=recorded_at,
            content=content,
            content_digest=b"",
            digest=b"",
        )
        for at, recorded_at, content in sorted(found, key=lambda each: each[0])
    ]


@dataclass
class Recorder:
    """A fold of usage that keeps the commits it took in."""

    commits: list[Commit] = field(default_factory=list)
    sealed: Sealed | None = None
    is_torn: bool = False

    def make_runs(self, connection: Connection, sealed: Sealed) -> None:
        """There are none."""

    def restart(self, connection: Connection, sealed: Sealed) -> None:
        assert read_head(connection).sealed_position == sealed.position
        self.sealed = sealed
        self.commits.clear()
        self.is_torn = False

    def take_in(self, commit: Commit) -> None:
        self.commits.append(commit)

    def take_in_passage(self, passage: Passage) -> None:
        self.commits += commits_of(passage)

    def clear_runs(self) -> None:
        """There are none."""

    def stored_rows(self) -> list[tuple[int, UsageRow]]:
        return rows_of(self.commits)

    @property
    def first_positions(self) -> list[int]:
        return [commit.first_position for commit in self.commits]
