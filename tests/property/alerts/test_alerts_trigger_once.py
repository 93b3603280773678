"""An alert triggers at the event that a naive oracle names, and never again.

Whenever which connection catches up, seals, rebuilds or reopens, what has triggered is
the same, on both databases.
"""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import event, example, given

from tests.conftest import StoreTargets
from tests.profiles import PROFILE
from tests.property.alerts.usage_histories import (
    CancelOne,
    CreateAlert,
    History,
    Lived,
    Use,
    alert_histories,
)
from tests.property.two_connections import Change, Upkeep


def used(*values: str, meter: int = 0, minutes: int = 0) -> Use:
    events = tuple((meter, 0, minutes, Decimal(value)) for value in values)
    return Use(events=events, at_once=True)


def alert(
    meter: int = 0,
    gte: int = 10,
    recurrence: str = "one_time",
    allowance: tuple[str | None, str | None, str | None] | None = None,
) -> CreateAlert:
    return CreateAlert(
        meter=meter,
        gte=gte,
        customer=None,
        recurrence=recurrence,
        zone="Asia/Kolkata",
        allowance=allowance,
    )


EVENTFUL: History = [
    (0, used("4", "5")),
    (0, alert()),
    (1, alert(gte=12)),
    (1, alert(gte=80, allowance=("11.250001", None, None))),
    (0, used("-2", "5", "1e17", "-1e17")),
    (1, Upkeep(verb="seal")),
    (1, Upkeep(verb="catch_up")),
    (0, used("4", "1")),
    (0, Change(alert=0, verb="deactivate")),
    (0, CancelOne(back=0)),
    (1, used("7")),
    (1, Change(alert=0, verb="activate")),
    (0, Upkeep(verb="reopen")),
    (1, used("0.5")),
    (1, Upkeep(verb="rebuild")),
    (1, alert(gte=1, recurrence="calendar_day")),
    (1, used("1", minutes=800)),
    (0, Upkeep(verb="catch_up")),
    (0, used("1", minutes=800)),
    (0, Change(alert=1, verb="archive")),
]


def test_what_has_triggered_is_what_the_oracle_names(
    store_targets: StoreTargets,
) -> None:
    reached: Counter[str] = Counter()

    @example(EVENTFUL)
    @given(alert_histories())
    def agree(history: History) -> None:
        with store_targets() as target, Lived(target) as both:
            both.live(history)

            due = both.oracle.due()
            both.assert_found(lambda: both.found(0), due)

        for each in due:
            kind = both.oracle.alerts[each.alert]
            reached[f"{kind.meter.event_name}, {kind.recurrence}"] += 1
        event(f"{min(len(due), 5)} triggers")

    agree()

    assert len(reached) >= min(6, PROFILE.examples // 2)


def test_the_comparison_sees_another_value(tmp_path: Path) -> None:
    with Lived(str(tmp_path / "usage")) as both:
        both.live(EVENTFUL)
        both.connections[0].catch_up()
        assert both.found(0) == both.oracle.due() != []

        at = both.oracle.events[0]
        both.oracle.events[0] = type(at)(
            position=at.position,
            meter=at.meter,
            customer=at.customer,
            timestamp=at.timestamp,
            value=at.value + Decimal("0.000001"),
        )

        with pytest.raises(AssertionError):
            assert both.found(0) == both.oracle.due()
