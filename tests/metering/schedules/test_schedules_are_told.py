"""What becomes of a schedule, and what it grants, is told once, in order."""

from datetime import UTC, datetime
from typing import Any

import metering
from tests.conftest import Connect
from tests.metering.schedules.usual_schedules import schedule
from tests.metering.usual_credits import DAY, money

START = datetime(2028, 1, 1, tzinfo=UTC)


def test_each_change_of_a_schedule_is_an_event_told_once(connect: Connect) -> None:
    clock = metering.FixedClock(START)
    m = connect(clock=clock)
    schedule(m, 7, interval="week", rollover={"type": "percent", "percent": 50})
    clock.advance(8 * DAY)
    m.credit_schedules.update("monthly", amount=money(9))
    clock.advance(14 * DAY)
    m.deliver()
    m.credit_schedules.pause("monthly")
    clock.advance(14 * DAY)
    m.credit_schedules.resume("monthly")
    m.credit_schedules.cancel("monthly")
    m.deliver()
    m.deliver()

    told: list[Any] = [
        (each.type.rpartition("credit_")[2], told_of(each), each.created)
        for each in list(m.events.list(limit=100))[::-1]
        if "credit_schedule" in each.type or "credit_grant" in each.type
    ]

    def due(days: int) -> datetime:
        return START + days * DAY

    assert told == [
        ("schedule.created", ("active", 7, due(0)), due(0)),
        ("grant.created", ("credgr_monthly_0", 7, due(0)), due(0)),
        ("grant.created", ("credgr_monthly_1_rollover", 3, due(7)), due(8)),
        ("grant.created", ("credgr_monthly_1", 7, due(7)), due(8)),
        ("schedule.updated", ("active", 9, due(14)), due(8)),
        ("grant.created", ("credgr_monthly_2_rollover", 3, due(14)), due(22)),
        ("grant.created", ("credgr_monthly_2", 9, due(14)), due(22)),
        ("grant.created", ("credgr_monthly_3_rollover", 4, due(21)), due(22)),
        ("grant.created", ("credgr_monthly_3", 9, due(21)), due(22)),
        ("schedule.paused", ("paused", 9, None), due(22)),
        ("schedule.resumed", ("active", 9, due(42)), due(36)),
        ("schedule.canceled", ("canceled", 9, None), due(36)),
    ]
    [canceled, resumed, paused, updated, _] = [
        each.data.previous_attributes
        for each in m.events.list(limit=100)
        if "credit_schedule" in each.type
    ]
    assert updated == {"amount": money_of(7), "updated": due(0)}
    assert paused == {
        "next_grant_at": due(28),
        "paused_at": None,
        "status": "active",
        "updated": due(8),
    }
    assert resumed == {
        "next_grant_at": None,
        "paused_at": due(22),
        "status": "paused",
        "updated": due(22),
    }
    assert canceled == {
        "canceled_at": None,
        "next_grant_at": due(42),
        "status": "active",
    }


def money_of(value: int) -> metering.CreditAmount:
    return metering.CreditAmount(
        monetary=metering.Monetary(currency="usd", value=value)
    )


def told_of(event: metering.Event) -> tuple[str, int, datetime | None]:
    """The state and next grant of a schedule, or a grant and when it was made."""
    told = event.data.object
    if isinstance(told, metering.CreditGrant):
        return told.id, told.amount.monetary.value, told.created
    assert isinstance(told, metering.CreditSchedule)
    return told.status, told.amount.monetary.value, told.next_grant_at
