"""Usage knows what a walk through all events finds, wherever they lie.

However the log was cut into segments, runs and tail, whatever was sealed, merged, lost
or made anew in between.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from ledger.entries import Commit
from ledger.facts.meters import MeterDeactivated
from ledger.facts.union import Fact
from ledger.usage.columns import UsageRow, usage_batch
from ledger.usage.rows import FewEvents
from projections.usage.hourly import HourlyUsage
from projections.windows import HOUR
from tests.projections.cells import contents_of_lasts, contents_of_totals
from tests.projections.usage.usage_model import (
    CUSTOMERS,
    EVENT,
    EVENTS,
    FIRST_HOUR,
    LAST_HOUR,
    LASTS,
    METERS,
    TIMES,
    TOTALS,
    Known,
    Model,
    series_of,
)
from tests.projections.usage_logs import (
    OpenUsage,
    created,
    log_directory,
    open_usage,
    refolded,
    usage_runs,
)

EVERYTHING = 1 << 62
MADE = tuple(created(name, *kind) for name, kind in METERS.items())
HOURS = st.tuples(st.integers(FIRST_HOUR - 24, LAST_HOUR), st.integers(0, 90))


class UsageModel(RuleBasedStateMachine):
    """Usage answers as the walk through all events does, after any history."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.stack = ExitStack()
        self.directory = self.stack.enter_context(log_directory())
        self.opened = self.stack.enter_context(open_usage(self.directory))

    @initialize()
    def create_meters(self) -> None:
        self.opened.record(*MADE)

    @property
    def usage(self) -> HourlyUsage:
        return self.opened.usage

    @rule(events=st.lists(EVENTS, min_size=1, max_size=6))
    def record_usage(self, events: list[UsageRow]) -> None:
        first_position = self.opened.append(events)

        self.model.record(first_position, events)

    @rule()
    def record_another_fact(self) -> None:
        self.opened.record(MeterDeactivated(meter_id="sum"))

    @precondition(lambda self: self.model.live)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        known = data.draw(st.sampled_from(self.model.live))

        known.cancelled_at = self.opened.record(known.cancellation())

    @rule()
    def seal(self) -> None:
        self.opened.log.seal()

    @rule()
    def fold(self) -> None:
        self.usage.fold()

    @rule()
    def open_again(self) -> None:
        self.opened = self.stack.enter_context(open_usage(self.directory))

    @rule()
    def rebuild(self) -> None:
        before = self.usage.contents()

        self.opened.log.rebuild()

        assert self.usage.contents().equals(before)

    @precondition(lambda self: bool(usage_runs(self.directory)))
    @rule(data=st.data())
    def damage_a_run(self, data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(usage_runs(self.directory)))
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1
        # Put in its place, as the file itself is mapped by those who have opened it.
        path.unlink()
        path.write_bytes(content)

        self.open_again()

    @rule(
        name=st.sampled_from(TOTALS),
        customer=st.sampled_from([*CUSTOMERS, "nobody"]),
        hours=HOURS,
    )
    def read_totals(self, name: str, customer: str, hours: tuple[int, int]) -> None:
        first, end = hours[0], hours[0] + hours[1]

        totals = self.usage.view().totals_of(series_of(name, customer), first, end)

        assert contents_of_totals(totals) == self.model.totals(
            name, customer, range(first, end)
        )

    @rule(
        name=st.sampled_from(LASTS),
        customer=st.sampled_from([*CUSTOMERS, "nobody"]),
        hours=HOURS,
    )
    def read_lasts(self, name: str, customer: str, hours: tuple[int, int]) -> None:
        first, end = hours[0], hours[0] + hours[1]

        lasts = self.usage.view().lasts_of(series_of(name, customer), first, end)

        assert contents_of_lasts(lasts) == self.model.lasts(
            name, customer, range(first, end)
        )

    @rule(bounds=st.tuples(TIMES, TIMES))
    def find_commits(self, bounds: tuple[int, int]) -> None:
        sealed = self.opened.log.sealed.position

        found = self.usage.view().tail.commits.between(*bounds).tolist()

        assert found == sorted(found)
        held = {
            commit.first_position + at
            for commit in self.opened.log.commits_at(found)
            for at in range(commit.entry_count)
        }
        assert held >= {
            known.position
            for known in self.model.events
            if known.position > sealed
            if bounds[0] <= known.event.timestamp < bounds[1]
        }

    @rule(data=st.data())
    def ask_for_cancellations(self, data: st.DataObject) -> None:
        as_of = data.draw(st.integers(0, self.usage.position))
        positions = [known.position for known in self.model.events]
        view = self.usage.view()

        cancelled = self.model.cancelled(EVERYTHING)

        assert self.usage.cancelled(as_of).tolist() == self.model.cancelled(as_of)
        assert view.cancellations == len(cancelled)
        assert view.are_cancelled(np.array(positions, np.int64)).tolist() == [
            position in cancelled for position in positions
        ]

    @invariant()
    def is_at_the_end(self) -> None:
        head = self.opened.log.catch_up()

        assert self.usage.position == head.position
        assert self.usage.view().position == head.position

    def teardown(self) -> None:
        try:
            fresh = refolded(self.opened)

            assert fresh.contents().equals(self.usage.contents())
        finally:
            self.stack.close()


TestUsageModel = UsageModel.TestCase
TestUsageModel.settings = settings(stateful_step_count=25)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[OpenUsage]:
    with open_usage(tmp_path) as opened:
        opened.record(*MADE)
        yield opened


def totals_shown(
    usage: HourlyUsage, customer: str = "cus_1"
) -> dict[int, tuple[int, int]]:
    series = series_of("sum", customer)
    return contents_of_totals(usage.view().totals_of(series, 0, 1 << 21))


def test_empty_usage_knows_nothing() -> None:
    usage = HourlyUsage()

    assert totals_shown(usage) == {}
    assert usage.position == 0
    assert usage.cancelled(EVERYTHING).tolist() == []
    assert usage.contents().equals(HourlyUsage().contents())


def test_the_hours_of_one_customer_are_no_one_else_s(opened: OpenUsage) -> None:
    end_of_time = (1 << 21) - 1
    late = EVENT._replace(timestamp=end_of_time * HOUR)
    early = EVENT._replace(customer="cus_2", timestamp=0)

    opened.append([late])
    opened.log.seal()
    opened.append([early])
    opened.log.seal()

    assert totals_shown(opened.usage) == {end_of_time: (1, 10**12)}
    assert totals_shown(opened.usage, "cus_2") == {0: (1, 10**12)}


def test_usage_of_different_logs_differs() -> None:
    others = [
        [],
        [EVENT],
        [EVENT._replace(customer="cus_2")],
        [EVENT._replace(event_name="last")],
        [EVENT._replace(value=Decimal(2))],
        [EVENT, EVENT],
    ]

    contents = [usage_with(*events).contents() for events in others]

    for at, one in enumerate(contents):
        assert [one.equals(other) for other in contents] == [
            at == index for index in range(len(contents))
        ]


def test_a_cancellation_is_part_of_the_contents() -> None:
    kept, cancelled, cancelled_later = (usage_with(EVENT) for _ in range(3))
    position = kept.position
    fact = Known(position=position, event=EVENT).cancellation()
    other = MeterDeactivated(meter_id="sum")
    kept.take_in(commit_of(position + 1, (other, other)))
    cancelled.take_in(commit_of(position + 1, (fact, other)))
    cancelled_later.take_in(commit_of(position + 1, (other, fact)))

    assert not cancelled.contents().equals(kept.contents())
    assert not cancelled.contents().equals(cancelled_later.contents())


def test_commits_are_taken_in_one_after_the_other_only() -> None:
    usage = usage_with(EVENT)

    for position in (usage.position, usage.position + 2):
        with pytest.raises(AssertionError):
            usage.take_in(commit_of(position, [EVENT]))


def test_many_segments_are_known_from_few_runs(
    opened: OpenUsage, tmp_path: Path
) -> None:
    model = Model()
    for number in range(17):
        events = [
            EVENT._replace(customer=f"cus_{number % 3}", timestamp=number * HOUR),
            EVENT._replace(event_name="last", timestamp=(number % 5) * HOUR),
            EVENT._replace(event_name="last daily", timestamp=number * HOUR),
        ]
        model.record(opened.append(events), events)
        if number % 4 == 3:
            known = model.events[-4]
            known.cancelled_at = opened.record(known.cancellation())
        opened.log.seal()

    # Of sixteen segments, and of one.
    assert len(usage_runs(tmp_path)) == 2
    assert opened.usage.contents().equals(refolded(opened).contents())
    lasts = opened.usage.view().lasts_of(series_of("last daily", "cus_1"), 0, 100)
    assert contents_of_lasts(lasts) == model.lasts("last daily", "cus_1", range(100))


def test_lost_runs_are_made_again(opened: OpenUsage, tmp_path: Path) -> None:
    for number in range(3):
        opened.append([EVENT._replace(timestamp=number * HOUR)])
        opened.log.seal()
    before = opened.usage.contents()
    for path in usage_runs(tmp_path)[1:]:
        path.unlink()

    with open_usage(tmp_path) as again:
        assert again.usage.contents().equals(before)
        assert len(usage_runs(tmp_path)) == 2


def test_a_view_stays_as_it_is_whatever_happens(opened: OpenUsage) -> None:
    position = opened.append([EVENT])
    opened.append([EVENT._replace(event_name="last")])
    view = opened.usage.view()

    opened.append([EVENT, EVENT._replace(customer="new")])
    opened.record(Known(position=position, event=EVENT).cancellation())
    opened.usage.view()
    opened.log.seal()
    opened.append([EVENT])

    assert view.position == len(METERS) + 2
    totals = view.totals_of(series_of("sum", "cus_1"), 0, 1 << 21)
    assert contents_of_totals(totals) == {FIRST_HOUR: (1, 10**12)}
    assert len(view.totals_of(series_of("sum", "new"), 0, 1 << 21)) == 0
    assert not view.are_cancelled(np.array([position])).any()
    first_positions = view.tail.commits.between(0, EVERYTHING).tolist()
    assert first_positions == [position, position + 1]
    # They have been sealed since, and are found where they are now.
    commits = list(opened.log.commits_at(first_positions))
    assert [commit.first_position for commit in commits] == first_positions


def test_what_was_known_is_shown_until_a_new_tail_has_caught_up(
    opened: OpenUsage, tmp_path: Path
) -> None:
    opened.append([EVENT])
    with open_usage(tmp_path) as other:
        other.log.seal()
        other.append([EVENT])
        sealed = other.log.sealed
    [commit] = opened.log.commits_at([opened.log.head().position])
    opened.usage.take_in(commit)

    with opened.log.read() as connection:
        opened.usage.restart(connection, sealed)

    assert sealed.position < opened.usage.position == commit.last_position
    assert totals_shown(opened.usage) == {FIRST_HOUR: (2, 2 * 10**12)}
    assert not opened.usage.view().runs
    opened.usage.take_in(commit)
    assert opened.usage.position == commit.last_position
    assert totals_shown(opened.usage) == {FIRST_HOUR: (2, 2 * 10**12)}
    assert opened.usage.view().runs


def test_large_commits_are_folded_by_themselves_and_count_all_the_same() -> None:
    usage = usage_with()
    position = usage.position + 1
    events = [EVENT._replace(customer=f"cus_{at % 100}") for at in range(20_000)]

    usage.take_in(commit_of(position, events))
    usage.take_in(commit_of(position + 20_000, [EVENT]))
    for at in range(1, 6):
        usage.take_in(commit_of(position + 20_000 * at + 1, events))

    assert totals_shown(usage) == {FIRST_HOUR: (1_201, 1_201 * 10**12)}
    assert usage.position == position + 120_000
    found = usage.view().tail.commits.between(0, EVERYTHING).tolist()
    assert found == sorted(found)
    assert len(found) == 7


def test_threads_may_fold_and_read_while_others_take_in() -> None:
    usage, is_done = usage_with(), threading.Event()
    failures = list[BaseException]()

    def read() -> None:
        try:
            while not is_done.is_set():
                usage.fold()
                view = usage.view()
                totals = view.totals_of(series_of("sum", "cus_1"), 0, 1 << 21)
                found = view.tail.commits.between(0, EVERYTHING)
                counted = sum(count for count, _ in contents_of_totals(totals).values())
                assert counted == len(found) == view.position - len(METERS)
        except BaseException as error:
            failures.append(error)
            raise

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for position in range(len(METERS) + 1, len(METERS) + 1_001):
        usage.take_in(commit_of(position, [EVENT]))
    is_done.set()
    for reader in readers:
        reader.join()

    assert failures == []
    assert totals_shown(usage) == {FIRST_HOUR: (1_000, 1_000 * 10**12)}


def test_usage_that_cannot_be_folded_is_to_be_forgotten() -> None:
    usage = usage_with(EVENT)
    unknown = EVENT._replace(event_name="of no meter")

    usage.take_in(commit_of(usage.position + 1, [unknown]))
    with pytest.raises(KeyError):
        usage.fold()

    assert usage.is_torn


def usage_with(*events: UsageRow) -> HourlyUsage:
    """Usage of a log of its own, one commit an event."""
    usage = HourlyUsage()
    usage.take_in(commit_of(1, MADE))
    for position, event in enumerate(events, len(METERS) + 1):
        usage.take_in(commit_of(position, [event]))
    return usage


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
