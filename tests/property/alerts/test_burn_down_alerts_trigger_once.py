"""An alert on what unbilled usage leaves triggers at each fall that a naive oracle names.

Whenever which connection catches up, seals, rebuilds or reopens, what has triggered is
the same, on both databases.
"""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import event, example, given

from tests.conftest import StoreTargets
from tests.profiles import PROFILE
from tests.property.alerts.burn_down_histories import (
    Deed,
    LivedOnUsage,
    burn_down_histories,
)
from tests.property.two_connections import Upkeep


def deed(verb: str, amount: int, customer: int = 0) -> tuple[int, Deed]:
    return amount % 2, Deed(verb=verb, customer=customer, amount=amount)


EVENTFUL: list[tuple[int, Deed | Upkeep]] = [
    deed("grant", 9),
    deed("watch", 3),
    deed("use", 7),
    deed("grant", 6),
    deed("use", 5),
    deed("hold", 1),
    (0, Upkeep(verb="catch_up")),
    deed("bill", 1),
    deed("unbill", 1),
    deed("wait", 4),
    (1, Upkeep(verb="rebuild")),
    deed("grant", 9),
    deed("toggle", 3),
    deed("use", 8),
    deed("toggle", 3),
    deed("cancel", 1),
    (1, Upkeep(verb="reopen")),
    deed("use", 9),
]


def test_what_has_triggered_is_what_the_oracle_names(
    store_targets: StoreTargets,
) -> None:
    reached: Counter[str] = Counter()

    @example(EVENTFUL)
    @given(burn_down_histories())
    def agree(history: list[tuple[int, Deed | Upkeep]]) -> None:
        with store_targets() as target, LivedOnUsage(target) as both:
            both.live(history)

            both.assert_found(lambda: sorted(both.found(0)), sorted(both.due))

        reached.update(both.reached)
        reached["triggered"] += len(both.due)
        event(f"{min(len(both.due), 5)} triggers")

    agree()

    assert reached["triggered"] >= PROFILE.examples // 2
    assert reached["bill"] >= 1


def test_the_comparison_sees_another_fall(tmp_path: Path) -> None:
    with LivedOnUsage(str(tmp_path / "usage")) as both:
        both.live(EVENTFUL)
        both.connections[0].catch_up()
        assert sorted(both.found(0)) == sorted(both.due) != []

        both.due.pop()

        with pytest.raises(AssertionError):
            assert sorted(both.found(0)) == sorted(both.due)
