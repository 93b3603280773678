"""The tail knows of every commit what a walk through all events would find.

Whatever was read in between: reads fold what waits, so they are part of every history.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from ledger.adjustments import MeterEventCancelled
from ledger.columns import UsageRow, usage_batch
from ledger.entries import Commit
from ledger.facts import Fact
from ledger.few_events import FewEvents
from ledger.meters import (
    EventTimeWindow,
    Formula,
    MeterCreated,
    MeterDeactivated,
)
from projections.tail import Tail
from projections.windows import DAY, HOUR, floor_to
from tests.ledger.usage_rows import units
from tests.projections.cells import contents_of_lasts, contents_of_totals, decimal_of

METERS = {
    "sum": (Formula.SUM, None),
    "count": (Formula.COUNT, None),
    "last": (Formula.LAST, None),
    "sum hourly": (Formula.SUM, EventTimeWindow.HOUR),
    "count daily": (Formula.COUNT, EventTimeWindow.DAY),
    "last daily": (Formula.LAST, EventTimeWindow.DAY),
}
TOTALS = ["sum", "count"]
LASTS = ["last", "sum hourly", "count daily", "last daily"]
CUSTOMERS = ["cus_1", "cus_2", "größe"]
FIRST_HOUR = 500_000
LAST_HOUR = FIRST_HOUR + 49
EVERYTHING = 1 << 62


def created(name: str) -> MeterCreated:
    formula, window = METERS[name]
    return MeterCreated(
        meter_id=name,
        event_name=name,
        display_name=name,
        formula=formula,
        customer_payload_key="c",
        value_payload_key="v",
        event_time_window=window,
    )


def commit_of(position: int, content: Sequence[UsageRow] | tuple[Fact, ...]) -> Commit:
    """A commit as one of few events, of many, or of facts would come in."""
    facts = tuple(each for each in content if not isinstance(each, UsageRow))
    events = [each for each in content if isinstance(each, UsageRow)]
    columns = FewEvents(events) if position % 2 else usage_batch(events or [EVENT])
    return Commit(
        first_position=position,
        recorded_at=0,
        content=facts or columns,
        content_digest=b"",
        digest=b"",
    )


EVENT = UsageRow("sum", "a", "cus_1", FIRST_HOUR * HOUR, Decimal(1), ())
TIMES = st.builds(
    lambda hour, offset: hour * HOUR + offset,
    st.integers(FIRST_HOUR, LAST_HOUR - 1),
    st.sampled_from([0, 1, HOUR - 1]) | st.integers(0, HOUR - 1),
)
EVENTS = st.builds(
    UsageRow,
    event_name=st.sampled_from(list(METERS)),
    identifier=st.just("unused"),
    customer=st.sampled_from(CUSTOMERS),
    timestamp=TIMES,
    value=st.none() | units().map(decimal_of),
    payload=st.just(()),
)


@dataclass(kw_only=True)
class Known:
    """An event that was taken in, and the position of its cancellation."""

    position: int
    event: UsageRow
    cancelled_at: int | None = None


@dataclass
class Model:
    """Everything taken in, as a list to be walked through."""

    position: int = 0
    events: list[Known] = field(default_factory=list)
    commits: list[list[Known]] = field(default_factory=list)

    def take_in(self, commit: Commit, events: Sequence[UsageRow]) -> None:
        made = [
            Known(position=commit.first_position + at, event=event)
            for at, event in enumerate(events)
        ]
        self.events += made
        if made:
            self.commits.append(made)
        self.position = commit.last_position

    def of_series(self, name: str, customer: str, hours: range) -> list[Known]:
        """The events of a series in cells of some hours."""
        return [
            known
            for known in self.events
            if (known.event.event_name, known.event.customer) == (name, customer)
            if self.hour_of(known) in hours
        ]

    def hour_of(self, known: Known) -> int:
        _, window = METERS[known.event.event_name]
        length = DAY if window is EventTimeWindow.DAY else HOUR
        return floor_to(known.event.timestamp, length) // HOUR

    def totals(
        self, name: str, customer: str, hours: range
    ) -> dict[int, tuple[int, int]]:
        found: dict[int, tuple[int, int]] = {}
        for known in self.of_series(name, customer, hours):
            count, total = found.get(self.hour_of(known), (0, 0))
            is_counted = known.cancelled_at is None
            added = units_of(known.event.value) if is_counted else 0
            found[self.hour_of(known)] = count + is_counted, total + added
        return dict(sorted(found.items()))

    def lasts(
        self, name: str, customer: str, hours: range
    ) -> dict[int, tuple[int, int, int, int]]:
        _, window = METERS[name]
        cells: dict[int, list[Known]] = {}
        for known in self.of_series(name, customer, hours):
            cells.setdefault(self.hour_of(known), []).append(known)
        found = {}
        for hour in sorted(cells):
            last = max(
                cells[hour],
                key=lambda each: (
                    (0 if window else each.event.timestamp),
                    each.position,
                ),
            )
            found[hour] = (
                sum(each.cancelled_at is None for each in cells[hour]),
                last.event.timestamp,
                last.position,
                units_of(last.event.value),
            )
        return found


def units_of(value: Decimal | None) -> int:
    return 0 if value is None else int(value.scaleb(12))


class TailModel(RuleBasedStateMachine):
    """The tail answers as the walk through all events does, after any history."""

    def __init__(self) -> None:
        super().__init__()
        self.tail, self.model = Tail(), Model()
        self.all_commits: list[Commit] = []
        self.take_in([], tuple(created(name) for name in METERS))

    def take_in(self, events: Sequence[UsageRow], facts: tuple[Fact, ...] = ()) -> None:
        commit = commit_of(self.model.position + 1, facts or events)
        self.all_commits.append(commit)
        self.tail.take_in(commit)
        self.model.take_in(commit, events)

    @rule(events=st.lists(EVENTS, min_size=1, max_size=6))
    def record_usage(self, events: list[UsageRow]) -> None:
        self.take_in(events)

    @rule()
    def record_another_fact(self) -> None:
        self.take_in([], (MeterDeactivated(meter_id="sum"),))

    @precondition(lambda self: self.model.events)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        live = [each for each in self.model.events if each.cancelled_at is None]
        if not live:
            return
        known = data.draw(st.sampled_from(live))
        fact = MeterEventCancelled(
            event_position=known.position,
            event_name=known.event.event_name,
            identifier=known.event.identifier,
            customer=known.event.customer,
            timestamp=known.event.timestamp,
            value=known.event.value,
        )
        self.take_in([], (fact,))
        known.cancelled_at = self.model.position

    @rule(
        name=st.sampled_from(TOTALS),
        customer=st.sampled_from([*CUSTOMERS, "nobody"]),
        hours=st.tuples(st.integers(FIRST_HOUR, LAST_HOUR), st.integers(0, 50)),
    )
    def read_totals(self, name: str, customer: str, hours: tuple[int, int]) -> None:
        first, end = hours[0], hours[0] + hours[1]

        totals, position = self.tail.totals(name, customer, first, end)

        assert contents_of_totals(totals) == self.model.totals(
            name, customer, range(first, end)
        )
        assert position == self.model.position

    @rule(
        name=st.sampled_from(LASTS),
        customer=st.sampled_from([*CUSTOMERS, "nobody"]),
        hours=st.tuples(st.integers(FIRST_HOUR - 24, LAST_HOUR), st.integers(0, 90)),
    )
    def read_lasts(self, name: str, customer: str, hours: tuple[int, int]) -> None:
        first, end = hours[0], hours[0] + hours[1]

        lasts, position = self.tail.lasts(name, customer, first, end)

        assert contents_of_lasts(lasts) == self.model.lasts(
            name, customer, range(first, end)
        )
        assert position == self.model.position

    @rule(bounds=st.tuples(TIMES, TIMES), data=st.data())
    def find_commits(self, bounds: tuple[int, int], data: st.DataObject) -> None:
        up_to = data.draw(st.integers(0, self.model.position))

        found = self.tail.commits_between(*bounds, up_to)

        assert found == sorted(found)
        assert set(found) >= {
            commit[0].position
            for commit in self.model.commits
            if commit[0].position <= up_to
            if any(bounds[0] <= each.event.timestamp < bounds[1] for each in commit)
        }

    @rule(data=st.data())
    def ask_for_cancellations(self, data: st.DataObject) -> None:
        as_of = data.draw(st.integers(0, self.model.position))

        for known in self.model.events:
            at = known.cancelled_at
            was_cancelled = at is not None and at <= as_of
            assert self.tail.is_cancelled(known.position, as_of) == was_cancelled

    @rule()
    def rebuild(self) -> None:
        before = self.tail.contents()

        with self.tail.rebuilding():
            for commit in self.all_commits:
                self.tail.take_in(commit)

        assert self.tail.contents().equals(before)

    @invariant()
    def is_at_the_end(self) -> None:
        assert self.tail.position == self.model.position

    def teardown(self) -> None:
        fresh = Tail()
        for commit in self.all_commits:
            fresh.take_in(commit)

        assert fresh.contents().equals(self.tail.contents())
        assert fresh.commits_between(0, EVERYTHING, EVERYTHING) == [
            commit[0].position for commit in self.model.commits
        ]


TestTailModel = TailModel.TestCase
TestTailModel.settings = settings(stateful_step_count=25)


def tail_with(*events: UsageRow) -> Tail:
    tail = Tail()
    tail.take_in(commit_of(1, tuple(created(name) for name in METERS)))
    for position, event in enumerate(events, len(METERS) + 1):
        tail.take_in(commit_of(position, [event]))
    return tail


def test_an_empty_tail_knows_nothing() -> None:
    tail = Tail()

    totals, position = tail.totals("sum", "cus_1", 0, 1_000_000)

    assert (len(totals), position) == (0, 0)
    assert len(tail.lasts("last", "cus_1", 0, 1_000_000)[0]) == 0
    assert tail.commits_between(0, EVERYTHING, EVERYTHING) == []
    assert tail.contents().equals(Tail().contents())
    assert not tail.is_cancelled(1, EVERYTHING)


def test_commits_are_taken_in_in_their_order_only() -> None:
    tail = tail_with(EVENT)

    with pytest.raises(AssertionError):
        tail.take_in(commit_of(len(METERS) + 1, [EVENT]))


def test_tails_of_different_logs_differ() -> None:
    other_customer = EVENT._replace(customer="cus_2")
    other_meter = EVENT._replace(event_name="last")
    other_value = EVENT._replace(value=Decimal(2))
    contents = [
        tail_with(*events).contents()
        for events in (
            [],
            [EVENT],
            [other_customer],
            [other_meter],
            [other_value],
            [EVENT, EVENT],
        )
    ]

    for at, one in enumerate(contents):
        assert [one.equals(other) for other in contents] == [
            at == index for index in range(len(contents))
        ]


def test_the_hours_of_one_customer_are_no_one_else_s() -> None:
    end_of_time = (1 << 21) - 1
    late = EVENT._replace(timestamp=end_of_time * HOUR)
    early = EVENT._replace(customer="cus_2", timestamp=0)

    tail = tail_with(late, early)

    assert contents_of_totals(tail.totals("sum", "cus_1", 0, end_of_time + 1)[0]) == {
        end_of_time: (1, 10**12)
    }
    assert contents_of_totals(tail.totals("sum", "cus_2", 0, end_of_time + 1)[0]) == {
        0: (1, 10**12)
    }


def test_a_large_commit_is_folded_at_once_and_counts_all_the_same() -> None:
    tail = tail_with()
    events = [EVENT._replace(customer=f"cus_{at % 100}") for at in range(20_000)]

    tail.take_in(commit_of(len(METERS) + 1, events))
    tail.take_in(commit_of(len(METERS) + 20_001, [EVENT]))

    totals, position = tail.totals("sum", "cus_1", FIRST_HOUR, FIRST_HOUR + 1)
    assert contents_of_totals(totals) == {FIRST_HOUR: (201, 201 * 10**12)}
    assert position == len(METERS) + 20_001


def test_threads_may_read_while_others_take_in() -> None:
    tail, is_done = tail_with(), threading.Event()
    failures = list[BaseException]()

    def read() -> None:
        try:
            while not is_done.is_set():
                totals, position = tail.totals("sum", "cus_1", 0, 1_000_000)
                found = tail.commits_between(0, EVERYTHING, position)
                counted = sum(count for count, _ in contents_of_totals(totals).values())
                assert counted == len(found) == position - len(METERS)
        except BaseException as error:
            failures.append(error)
            raise

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for position in range(len(METERS) + 1, len(METERS) + 1_001):
        tail.take_in(commit_of(position, [EVENT]))
    is_done.set()
    for reader in readers:
        reader.join()

    assert failures == []
    assert len(tail.commits_between(0, EVERYTHING, EVERYTHING)) == 1_000
