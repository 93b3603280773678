"""An alert on credits triggers at each fall that a naive oracle names, and at no other.

Whenever which connection catches up, seals, rebuilds or reopens, what has triggered is
the same, on both databases.
"""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import event, example, given

from tests.conftest import StoreTargets
from tests.profiles import PROFILE
from tests.property.alerts.credit_histories import (
    Bill,
    End,
    Grant,
    History,
    LivedOnCredits,
    Undo,
    Wait,
    Watch,
    credit_alert_histories,
)
from tests.property.alerts.explained import explain_triggers
from tests.property.two_connections import Change, Upkeep


def granted(amount: int, *, begins: int = 0, lasts: int = 0) -> Grant:
    return Grant(customer=0, currency=0, amount=amount, begins=begins, lasts=lasts)


def billed(amount: int) -> Bill:
    return Bill(customer=0, currency=0, amount=amount, both=False)


EVENTFUL: History = [
    (0, granted(3)),
    (0, Watch(lte=2, currency=0, customer=None)),
    (1, granted(9, lasts=2)),
    (0, billed(5)),
    (1, Wait(minutes=2)),
    (1, Upkeep(verb="catch_up")),
    (0, granted(5, begins=1, lasts=1)),
    (0, billed(2)),
    (1, Undo(back=0)),
    (1, Upkeep(verb="rebuild")),
    (0, Wait(minutes=3)),
    (0, Change(alert=0, verb="deactivate")),
    (0, billed(2)),
    (1, Change(alert=0, verb="activate")),
    (1, granted(4, lasts=3)),
    (0, Upkeep(verb="reopen")),
    (1, End(back=0, verb="postpone", minutes=1)),
    (0, Wait(minutes=1)),
    (1, granted(7)),
    (1, Upkeep(verb="seal")),
    (0, End(back=0, verb="void", minutes=1)),
]


def test_what_has_triggered_is_what_the_oracle_names(
    store_targets: StoreTargets,
) -> None:
    reached: Counter[str] = Counter()

    @example(EVENTFUL)
    @given(credit_alert_histories())
    def agree(history: History) -> None:
        with store_targets() as target, LivedOnCredits(target) as both:
            both.live(history)

            due = both.due()
            both.assert_found(lambda: sorted(both.found(0)), due)
            explain_triggers(both.connections[0])

        for each in due:
            reached["by time" if each.moment[1] == 0 else "by a fact"] += 1
        event(f"{min(len(due), 5)} triggers")

    agree()

    assert reached["by time"] >= PROFILE.examples // 6
    assert reached["by a fact"] >= PROFILE.examples // 6


def test_falls_of_one_evaluation_are_recorded_in_their_order(
    store_targets: StoreTargets,
) -> None:
    with store_targets() as target, LivedOnCredits(target) as both:
        both.live([each for each in EVENTFUL if not isinstance(each[1], Upkeep)])

        both.connections[0].catch_up()

        assert both.found(1) == both.due()
        assert len(both.due()) == 3


def test_the_comparison_sees_another_amount(tmp_path: Path) -> None:
    with LivedOnCredits(str(tmp_path / "usage")) as both:
        both.live(EVENTFUL)
        both.connections[0].catch_up()
        assert sorted(both.found(0)) == both.due() != []

        both.oracle.grants[0].amount += 1

        with pytest.raises(AssertionError):
            assert sorted(both.found(0)) == both.due()
