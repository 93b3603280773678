"""A real store and a naive oracle of schedules live through the same calls.

Two connections plan, pause, draw, hold and give back in turn while time passes, by hours
or by months at once; after each call balances are compared, and in the end every grant,
every past balance and some to come.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import StoreTargets
from tests.empty_stores import empty_directory
from tests.oracles.schedules import SchedulesOracle
from tests.property.schedules.side_by_side import Planning, SchedulesSideBySide

Deed = tuple[str, dict[str, Any]]
"""The name of a method and its arguments but the connection."""

NUMBERS = st.integers(0, 3)
AMOUNTS = st.integers(1, 15)
HOURS = st.one_of(st.integers(0, 40), st.integers(1, 20).map(lambda each: each * 50))
RULES = st.one_of(
    st.none(),
    st.just(("none", 0)),
    st.tuples(st.just("max_amount"), st.integers(1, 6)),
    st.tuples(st.just("percent"), st.sampled_from([1, 50, 100])),
)
PLANS = st.builds(
    Planning,
    interval=st.sampled_from(["day", "week", "month", "month"]),
    count=st.integers(1, 3),
    anchor=st.sampled_from([0, 0, 30, -70, -2_000]),
    amount=AMOUNTS,
    rollover=RULES,
    lasts=st.one_of(st.none(), st.integers(1, 5)),
)


def does(method: str, **drawn: st.SearchStrategy[Any]) -> st.SearchStrategy[Deed]:
    """A call of a method with arguments that are drawn."""
    return st.fixed_dictionaries(drawn).map(lambda given: (method, given))


TIME = does("pass_time", hours=HOURS)
DEEDS = st.one_of(
    TIME,
    does("apply", amount=AMOUNTS),
    does("hold", number=NUMBERS, amount=AMOUNTS, lasts=st.integers(1, 700)),
    st.one_of(
        does("settle", number=NUMBERS, amount=AMOUNTS),
        does("release", number=NUMBERS),
        does("reinstate", number=NUMBERS),
        does("end_grant", number=st.integers(0, 30)),
    ),
    st.one_of(
        does("plan", number=NUMBERS, asked=PLANS),
        does("change", number=NUMBERS, amount=AMOUNTS, rule=RULES),
        does(
            "turn",
            number=NUMBERS,
            verb=st.sampled_from(["pause", "resume", "resume", "cancel"]),
        ),
    ),
)


@pytest.mark.slow
@given(plan=PLANS, history=st.lists(st.tuples(st.integers(0, 1), DEEDS), max_size=12))
def test_schedules_agree_with_the_oracle_after_any_history(
    store_targets: StoreTargets, plan: Planning, history: list[tuple[int, Deed]]
) -> None:
    """Each period is granted once, at its instant, whoever looks and when."""
    with store_targets() as target, SchedulesSideBySide(target) as both:
        both.plan(0, 0, plan)
        for connection, (method, given) in history:
            getattr(both, method)(connection, **given)
            if method != "pass_time":
                both.compare(1 - connection)

        both.compare_everything(0)
        both.keep_up(1, "rebuild")
        both.compare_everything(1)
        assert both.connections[0].verify().problems == ()


def a_long_history() -> list[Deed]:
    """What rolls over was drawn, held, given back; months end on their last days."""
    rolling = Planning(rollover=("percent", 50), lasts=2)
    return [
        ("plan", {"number": 0, "asked": rolling}),
        ("plan", {"number": 1, "asked": Planning(interval="day", amount=1, lasts=1)}),
        ("apply", {"amount": 3}),
        ("hold", {"number": 0, "amount": 4, "lasts": 500}),
        ("pass_time", {"hours": 30 * 24}),
        ("pass_time", {"hours": 2 * 24}),
        # It ends as the next period begins.
        ("hold", {"number": 1, "amount": 12, "lasts": 30 * 24}),
        ("reinstate", {"number": 0}),
        ("pass_time", {"hours": 24}),
        ("hold", {"number": 2, "amount": 2, "lasts": 30 * 24}),
        ("pass_time", {"hours": 29 * 24}),
        ("release", {"number": 2}),
        ("change", {"number": 0, "amount": 7, "rule": ("max_amount", 2)}),
        ("pass_time", {"hours": 65 * 24}),
        ("apply", {"amount": 2}),
        ("turn", {"number": 0, "verb": "pause"}),
        ("pass_time", {"hours": 40 * 24}),
        ("turn", {"number": 0, "verb": "resume"}),
        ("pass_time", {"hours": 40 * 24}),
        ("end_grant", {"number": 2}),
        ("settle", {"number": 0, "amount": 2}),
        ("turn", {"number": 1, "verb": "cancel"}),
        ("pass_time", {"hours": 40 * 24}),
    ]


def test_a_history_lived_in_one_step_is_that_lived_in_many(
    store_targets: StoreTargets,
) -> None:
    with (
        store_targets() as one,
        empty_directory() as many,
        SchedulesSideBySide(one) as jumping,
        SchedulesSideBySide(many) as walking,
    ):
        for method, given in a_long_history():
            getattr(jumping, method)(0, **given)
            steps = [given]
            if method == "pass_time":
                steps = [{"hours": 24}] * (given["hours"] // 24)
            for step in steps:
                getattr(walking, method)(1, **step)
                if method != "pass_time" or walking.hour % 240 == 0:
                    walking.compare(0)

        jumping.balances = walking.balances
        jumping.compare_everything(1)
        walking.compare_everything(1)


def give_a_cent(oracle: SchedulesOracle) -> None:
    pot = oracle.pots["credgr_plan_0_1"]
    pot.granted, pot.free = pot.granted + 1, pot.free + 1


def roll_a_cent_more(oracle: SchedulesOracle) -> None:
    pot = oracle.pots["credgr_plan_0_1_rollover"]
    pot.granted, pot.free = pot.granted + 1, pot.free + 1


@pytest.mark.parametrize("damage", [give_a_cent, roll_a_cent_more])
def test_the_comparison_of_schedules_sees_the_smallest_disagreement(
    damage: Callable[[SchedulesOracle], None],
) -> None:
    with empty_directory() as target, SchedulesSideBySide(target) as both:
        both.plan(0, 0, Planning(rollover=("percent", 50)))
        both.pass_time(0, 31 * 24)
        both.compare_everything(0)

        damage(both.oracle)

        with pytest.raises(AssertionError):
            both.compare_everything(0)
