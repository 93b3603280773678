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
from tests.property.alerts.explained import explain_triggers
from tests.property.alerts.usage_histories import (
    CancelOne,
    CreateAlert,
    CreateSpendAlert,
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


def spend(
    *prices: int, gte: int, recurrence: str = "calendar_month"
) -> CreateSpendAlert:
    return CreateSpendAlert(
        prices=prices, gte=gte, customer=None, recurrence=recurrence, zone="UTC"
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

COSTLY: History = [
    (0, used("4", "5")),
    (0, spend(0, 1, 3, gte=9)),
    (1, spend(2, gte=12)),
    (1, spend(0, 4, 6, gte=8, recurrence="one_time")),
    (0, used("1", "-4", "0.5")),
    (0, used("1", meter=1)),
    (1, Upkeep(verb="catch_up")),
    (1, CancelOne(back=3)),
    (0, used("7", "1", meter=2)),
    (1, used("2", "2", meter=1)),
    (0, Upkeep(verb="seal")),
    (0, Change(alert=1, verb="deactivate")),
    (1, used("3", "1e17", minutes=800)),
    (1, Change(alert=1, verb="activate")),
    (0, used("0")),
    (1, Upkeep(verb="rebuild")),
    (0, used("1", "2", meter=4)),
    (0, used("9", meter=3)),
]


def test_what_has_triggered_is_what_the_oracle_names(
    store_targets: StoreTargets,
) -> None:
    reached: Counter[str] = Counter()

    @example(EVENTFUL)
    @example(COSTLY)
    @given(alert_histories())
    def agree(history: History) -> None:
        with store_targets() as target, Lived(target) as both:
            both.live(history)

            due = both.oracle.due()
            both.assert_found(lambda: both.found(0), due)
            explain_triggers(both.connections[0])

        for each in due:
            kind = both.oracle.alerts[each.alert]
            names = " and ".join(meter.event_name for meter in kind.meters)
            what = "spend" if kind.prices else "usage"
            reached[f"{what} of {names}, {kind.recurrence}"] += 1
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
