"""Summaries are what going through all events comes to: any formula, bounds and cut."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.usage.quantities import UNITS_PER_ONE
from projections.kernels.usage.series import Series
from projections.windows import DAY, HOUR
from tests.projections.histories import (
    BOUNDS,
    CUSTOMERS,
    FIRST_DAY,
    GROUPINGS,
    METERS,
    History,
    event,
    events_on,
)
from tests.projections.usage_logs import log_directory, open_usage, refolded


@pytest.fixture
def history() -> Iterator[History]:
    with log_directory() as directory, open_usage(directory) as opened:
        yield History(opened)


@given(data=st.data())
def test_every_formula_is_exact_for_all_bounds_and_cuts(data: st.DataObject) -> None:
    names = data.draw(
        st.lists(st.sampled_from(list(METERS)), min_size=1, max_size=3, unique=True)
    )
    with log_directory() as directory, open_usage(directory) as opened:
        history = History(opened)
        for _ in range(data.draw(st.integers(1, 4))):
            history.record(
                *data.draw(st.lists(events_on(names), min_size=1, max_size=12))
            )
            for known in data.draw(st.lists(st.sampled_from(history.events))):
                if known.counts:
                    history.cancel(known)
            if data.draw(st.booleans()):
                opened.log.seal()

        for name, customer, grouping in product(names, CUSTOMERS, GROUPINGS):
            bounds = data.draw(BOUNDS)

            found = history.summarised(name, customer, bounds, grouping)

            assert found == history.expected(name, customer, bounds, grouping)
            # What was remembered of the first answer says the same.
            assert history.summarised(name, customer, bounds, grouping) == found


@given(data=st.data())
def test_small_commits_that_are_read_together_answer_as_those_taken_in_one_by_one(
    data: st.DataObject,
) -> None:
    names = data.draw(
        st.lists(st.sampled_from(list(METERS)), min_size=1, max_size=3, unique=True)
    )
    with log_directory() as directory, open_usage(directory) as opened:
        history = History(opened)
        for one in data.draw(st.lists(events_on(names), min_size=17, max_size=40)):
            history.record(one)
            if history.events[-1].counts and data.draw(st.integers(0, 5)) == 0:
                history.cancel(history.events[-1])
        with open_usage(directory) as other:
            there = history.seen_by(other)

            assert other.usage.contents().equals(refolded(opened).contents())
            for name, customer, grouping in product(names, CUSTOMERS, GROUPINGS):
                bounds = data.draw(BOUNDS)
                expected = history.expected(name, customer, bounds, grouping)

                assert there.summarised(name, customer, bounds, grouping) == expected


WHOLE_DAY = [FIRST_DAY * DAY, (FIRST_DAY + 1) * DAY]


def value_of(history: History, name: str, bounds: Sequence[int] = WHOLE_DAY) -> Decimal:
    [(_, _, found)] = history.summarised(name, "cus_1", bounds, None)
    return Decimal(found).scaleb(-12)


@pytest.mark.parametrize("is_sealed", [False, True], ids=["in the tail", "sealed"])
def test_formulas_without_hourly_cells_are_computed_from_the_events(
    history: History, *, is_sealed: bool
) -> None:
    numbers = [("7", "a"), ("-2", "b"), ("0", "a")]
    for name in ("min plain", "max plain", "avg plain", "unique_count plain"):
        history.record(*(event(name, number, text=text) for number, text in numbers))
    if is_sealed:
        history.opened.log.seal()

    assert value_of(history, "min plain") == -2
    assert value_of(history, "max plain") == 7
    assert value_of(history, "avg plain") == Decimal("1.666666666667")
    assert value_of(history, "unique_count plain") == 2


def test_without_usage_every_formula_is_0_and_no_window_is_there(
    history: History,
) -> None:
    for name in METERS:
        assert history.summarised(name, "cus_1", WHOLE_DAY, "hour") == []
        assert value_of(history, name) == 0


def test_whole_hours_are_answered_without_reading_events(history: History) -> None:
    history.record(event("sum plain", "1"), event("last plain", "2", hour=3))

    assert value_of(history, "sum plain") == 1
    assert value_of(history, "last plain") == 2
    assert history.read.positions == []


@pytest.mark.parametrize("is_sealed", [False, True], ids=["in the tail", "sealed"])
def test_an_hour_of_which_no_event_is_cut_off_counts_as_whole(
    history: History, *, is_sealed: bool
) -> None:
    for name in ("sum plain", "last plain"):
        history.record(event(name, "1", offset=5), event(name, "2", offset=7))
    if is_sealed:
        history.opened.log.seal()
        history.record(event("sum plain", "4", offset=6))
    start = WHOLE_DAY[0]

    # So far: nothing was recorded from the end of the bounds on.
    assert value_of(history, "sum plain", [start, start + 8]) == (7 if is_sealed else 3)
    assert value_of(history, "last plain", [start, start + 8]) == 2
    assert history.read.positions == []
    assert value_of(history, "sum plain", [start + 5, start + 7]) == (
        5 if is_sealed else 1
    )
    assert value_of(history, "last plain", [start + 5, start + 7]) == 1
    assert history.read.positions != []


def test_events_after_a_view_are_not_part_of_its_partial_hours(
    history: History,
) -> None:
    series = Series(meter=history.definitions["sum plain"], customer="cus_1")
    distinct = Series(meter=history.definitions["unique_count plain"], customer="cus_1")
    history.record(event("sum plain", "1", offset=3), event("sum plain", "2", offset=9))
    history.record(event("unique_count plain", "1", offset=3))
    view = history.opened.usage.view()

    for number in range(20):
        history.record(event("sum plain", "4", offset=number))
        history.record(event("unique_count plain", "1", offset=3, text=f"{number}"))
    history.cancel(history.events[0])

    start = WHOLE_DAY[0]
    units = [
        history.summaries.units(view, each, start, start + 5)
        for each in (series, distinct)
    ]
    assert units == [UNITS_PER_ONE, UNITS_PER_ONE]


def test_what_was_last_before_a_cancelled_event_is_looked_for_once(
    history: History,
) -> None:
    history.record(event("last plain", "1"), event("last plain", "2", offset=1))
    history.cancel(history.events[1])

    assert value_of(history, "last plain") == 1
    read = list(history.read.positions)
    assert value_of(history, "last plain") == 1

    assert read != []
    assert history.read.positions == read


def test_what_was_last_is_looked_for_again_whatever_happens_to_its_hour(
    history: History,
) -> None:
    history.record(*(event("last plain", f"{at}", offset=at) for at in range(5)))
    history.cancel(history.events[4])
    assert value_of(history, "last plain") == 3

    history.cancel(history.events[3])
    assert value_of(history, "last plain") == 2

    # As many events as before, and the same last one.
    history.cancel(history.events[2])
    history.record(event("last plain", "9", offset=1))
    assert value_of(history, "last plain") == 9

    history.opened.log.seal()
    assert value_of(history, "last plain") == 9
    history.record(event("last plain", "10", offset=9))
    assert value_of(history, "last plain") == 10


def test_many_cancelled_hours_are_read_together(history: History) -> None:
    for hour in range(24):
        history.record(
            event("last plain", f"{hour}", hour=hour),
            event("last plain", "99", hour=hour, offset=1),
        )
        history.cancel(history.events[-1])

    found = history.summarised("last plain", "cus_1", WHOLE_DAY, "hour")

    assert [units // UNITS_PER_ONE for _, _, units in found] == list(range(24))
    positions = history.read.positions
    assert len(positions) == len(set(positions)) == 24


def test_a_cancelled_event_outside_the_bounds_restores_the_one_before_inside(
    history: History,
) -> None:
    history.record(event("sum day", "1", hour=1), event("sum day", "2", hour=20))
    morning = [WHOLE_DAY[0], WHOLE_DAY[0] + 12 * HOUR]

    before = value_of(history, "sum day", morning)
    history.cancel(history.events[1])

    assert before == 0
    assert value_of(history, "sum day", morning) == 1
