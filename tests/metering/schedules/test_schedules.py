"""Schedules: a grant each period, at its instant, although nothing runs then."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

import metering
from tests.conftest import Connect
from tests.metering.holds.usual_holds import balances
from tests.metering.refusals import refused
from tests.metering.schedules.usual_schedules import granted, schedule
from tests.metering.usual_credits import DAY, apply, grant, line, money, usd
from tests.metering.usual_prices import create_price, metered
from tests.metering.usual_usage import NOW, create_meter

START = datetime(2027, 12, 31, 12, tzinfo=UTC)
JANUARY = datetime(2028, 1, 31, 12, tzinfo=UTC)
FEBRUARY = datetime(2028, 2, 29, 12, tzinfo=UTC)
HALF: Any = {"type": "percent", "percent": 50}
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def clock() -> metering.FixedClock:
    return metering.FixedClock(START)


@pytest.fixture
def m(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    return connect(clock=clock)


def test_a_schedule_is_told_as_it_was_made(m: metering.Metering) -> None:
    made = schedule(
        m,
        rollover=HALF,
        expires_after=2,
        category="promotional",
        metadata={"a": "b"},
    )

    assert made == metering.CreditSchedule(
        id="monthly",
        amount=usd(1_000),
        anchor=START,
        applicability_config=metering.ApplicabilityConfig(
            scope=metering.CreditScope(price_type="metered")
        ),
        canceled_at=None,
        category="promotional",
        created=START,
        customer="cus_1",
        expires_after=2,
        interval="month",
        interval_count=1,
        livemode=False,
        metadata={"a": "b"},
        name=None,
        next_grant_at=JANUARY,
        paused_at=None,
        priority=50,
        rollover=metering.ScheduleRollover(type="percent", percent=50),
        status="active",
        updated=START,
    )
    assert m.credit_schedules.list("cus_1") == [made]
    assert m.credit_schedules.list("cus_2") == []


def test_each_grant_names_its_schedule_and_counts_from_its_instant(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    schedule(m, rollover=HALF, metadata={"a": "b"})
    apply(m, "in_1", line(300), period_end=START)
    clock.set(FEBRUARY + DAY)

    last, rolled, january, *_ = m.credit_grants.list("cus_1")

    assert last.schedule == rolled.schedule == "monthly"
    assert (last.schedule_period, rolled.schedule_period) == (2, 2)
    assert (last.schedule_rollover, rolled.schedule_rollover) == (False, True)
    assert last.created == last.effective_at == rolled.created == FEBRUARY
    assert last.metadata == {"a": "b"}
    assert january.expires_at == FEBRUARY
    assert granted(m) == [
        ("credgr_monthly_0", 1_000),
        ("credgr_monthly_1_rollover", 350),
        ("credgr_monthly_1", 1_000),
        ("credgr_monthly_2_rollover", 500),
        ("credgr_monthly_2", 1_000),
    ]
    assert balances(m, at=JANUARY - MICROSECOND) == (700, 700, 0)
    assert balances(m, at=JANUARY) == (1_350, 1_350, 0)
    assert grant(m).schedule is None


def test_a_balance_to_come_counts_what_will_fall_due(m: metering.Metering) -> None:
    schedule(m, rollover={"type": "max_amount", "max_amount": 100})

    assert balances(m, at=FEBRUARY) == (1_200, 1_200, 0)
    assert len(granted(m)) == 1


@pytest.mark.parametrize(
    ("kept", "left"),
    [
        ({}, 26_580),
        ({"expires_after": 1_000}, 3_330),
        ({"rollover": {"type": "none"}}, 10),
    ],
)
def test_a_balance_counts_what_falls_due_until_the_calendar_ends(
    m: metering.Metering, kept: Any, left: int
) -> None:
    """What begins or expires beyond it is no matter of it."""
    schedule(m, 10, interval="year", interval_count=3, **kept)

    last = balances(m, at=datetime(9_999, 12, 31, 23, tzinfo=UTC))

    assert last == (left, left, 0)


@pytest.mark.parametrize(
    ("rollover", "rolled"),
    [
        (None, 300),
        ({"type": "none"}, 0),
        ({"type": "max_amount", "max_amount": 200}, 200),
        ({"type": "max_amount", "max_amount": 400}, 300),
        ({"type": "percent", "percent": 33}, 99),
    ],
)
def test_so_much_of_what_is_left_is_there_in_the_next_period(
    m: metering.Metering, clock: metering.FixedClock, rollover: Any, rolled: int
) -> None:
    schedule(m, rollover=rollover)
    apply(m, "in_1", line(700), period_end=START)

    clock.set(JANUARY)

    assert balances(m) == (1_000 + rolled, 1_000 + rolled, 0)


def test_what_can_be_paid_of_a_currency_rolls_over(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    schedule(m, amount=money(1_000, "isk"), rollover={"type": "percent", "percent": 15})

    clock.set(JANUARY)

    assert granted(m)[1] == ("credgr_monthly_1_rollover", 100)


def test_what_is_changed_holds_from_the_next_period_on(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    schedule(m, rollover=HALF)

    changed = m.credit_schedules.update(
        "monthly", amount=money(200), rollover={"type": "none"}, metadata={"c": "d"}
    )

    assert changed.amount == usd(200)
    assert balances(m) == (1_000, 1_000, 0)
    clock.set(JANUARY)
    assert balances(m) == (700, 700, 0)
    clock.set(FEBRUARY)
    assert balances(m) == (700, 700, 0)
    assert m.credit_schedules.update("monthly", amount=money(200)).updated == START


def test_nothing_is_granted_while_it_is_paused_nor_once_it_is_cancelled(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    schedule(m, rollover=HALF)
    for _ in range(2):
        paused = m.credit_schedules.pause("monthly")
        assert (paused.status, paused.paused_at) == ("paused", START)
        assert paused.next_grant_at is None

    clock.set(JANUARY + DAY)
    assert balances(m) == (0, 0, 0)
    for _ in range(2):
        resumed = m.credit_schedules.resume("monthly")
        assert (resumed.status, resumed.next_grant_at) == ("active", FEBRUARY)
    clock.set(FEBRUARY)
    assert granted(m)[1:] == [("credgr_monthly_2", 1_000)]

    m.credit_schedules.pause("monthly")
    assert m.credit_schedules.resume("monthly").next_grant_at == datetime(
        2028, 3, 31, 12, tzinfo=UTC
    )
    for _ in range(2):
        assert m.credit_schedules.cancel("monthly").canceled_at == FEBRUARY
    clock.advance(90 * DAY)
    assert len(granted(m)) == 2
    for change in (m.credit_schedules.pause, m.credit_schedules.resume):
        with refused("credit_schedule_canceled", "id"):
            change("monthly")
    with refused("credit_schedule_canceled", "id"):
        m.credit_schedules.update("monthly", amount=money(1))


def test_nothing_rolls_over_of_a_grant_that_somebody_kept_for_longer(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    schedule(m, rollover=HALF)
    m.credit_grants.update("credgr_monthly_0", expires_at=FEBRUARY)
    m.credit_schedules.pause("monthly")
    clock.set(JANUARY + DAY)
    m.credit_schedules.resume("monthly")

    clock.set(FEBRUARY)

    assert granted(m)[1:] == [("credgr_monthly_2", 1_000)]


def test_an_anchor_ahead_grants_then_and_one_behind_at_its_next_period(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    schedule(m, 10, "ahead", anchor=START + DAY, interval="year")
    behind = schedule(m, 5, "behind", anchor=START - DAY, interval="week")

    assert granted(m) == []
    assert behind.next_grant_at == START + 6 * DAY
    clock.advance(DAY)
    assert granted(m) == [("credgr_ahead_0", 10)]
    clock.advance(5 * DAY)
    assert granted(m)[1:] == [("credgr_behind_1", 5)]


def test_the_same_schedule_is_made_once_and_another_refused_under_its_id(
    m: metering.Metering,
) -> None:
    made = schedule(m)

    assert schedule(m) == made
    assert schedule(m, anchor=START) == made
    with refused("credit_schedule_conflict", "id", "amount"):
        schedule(m, 999)
    assert m.credit_schedules.list() == [made]


BAD: list[tuple[dict[str, Any], str | None, str]] = [
    ({"amount": money(0)}, None, "amount[monetary][value]"),
    ({"amount": money(1, "xxx")}, None, "amount[monetary][currency]"),
    ({"interval": "fortnight"}, None, "interval"),
    ({"interval": {"days": 32}}, None, "interval"),
    ({"interval_count": 0}, None, "interval_count"),
    ({"interval_count": 37}, None, "interval_count"),
    ({"anchor": START + 2_000 * DAY}, None, "anchor"),
    ({"anchor": START - 2_000 * DAY}, None, "anchor"),
    ({"anchor": datetime(2028, 1, 1)}, None, "anchor"),  # noqa: DTZ001  # naive
    ({"expires_after": 0}, None, "expires_after"),
    ({"customer": ""}, None, "customer"),
    ({"rollover": {"type": "half"}}, None, "rollover[type]"),
    ({"rollover": {"type": "percent"}}, "parameter_missing", "rollover[percent]"),
    ({"rollover": {**HALF, "percent": 0}}, None, "rollover[percent]"),
    ({"rollover": {**HALF, "percent": 101}}, None, "rollover[percent]"),
    ({"rollover": {**HALF, "max_amount": 5}}, None, "rollover[max_amount]"),
    ({"rollover": {**HALF, "type": "none"}}, None, "rollover[percent]"),
    ({"applicability_config": {"scope": {}}}, "parameter_missing", ""),
]


@pytest.mark.parametrize(("given", "code", "param"), BAD)
def test_a_schedule_that_makes_no_sense_is_refused_and_nothing_recorded(
    store: metering.Metering, given: dict[str, Any], code: str | None, param: str
) -> None:
    position = store.catch_up()

    with refused(code, param or None):
        schedule(store, **given)

    assert store.catch_up() == position


def test_what_is_unknown_or_of_another_currency_or_too_much_is_refused(
    store: metering.Metering,
) -> None:
    schedule(store)
    with refused("resource_missing", "id", kind=metering.ResourceMissingError):
        store.credit_schedules.retrieve("weekly")
    with refused("resource_missing", "id", kind=metering.ResourceMissingError):
        store.credit_schedules.cancel("weekly")
    with refused(None, "amount[monetary][currency]"):
        store.credit_schedules.update("monthly", amount=money(1, "eur"))
    with refused("too_far_ahead", "at"):
        balances(store, at=datetime(9_999, 1, 1, tzinfo=UTC))
    for number in range(99):
        schedule(store, name=f"s_{number}")
    with refused("credit_schedule_limit_reached", "customer"):
        schedule(store, name="one_more")


def change_nothing(_: metering.Metering) -> None:
    """Leave the schedule as it is."""


def grant_less(m: metering.Metering) -> None:
    m.credit_schedules.update("monthly", amount=money(300))


@pytest.mark.parametrize(("change", "times"), [(change_nothing, 0), (grant_less, 1)])
def test_a_grant_that_follows_another_at_once_is_no_fall_of_credits(
    m: metering.Metering,
    clock: metering.FixedClock,
    change: Callable[[metering.Metering], None],
    times: int,
) -> None:
    schedule(m, rollover={"type": "none"})
    m.alerts.create(
        title="Few",
        alert_type="credit_balance_threshold",
        credit_balance_threshold={
            "lte": {
                "balance_type": "monetary",
                "monetary": {"currency": "usd", "value": 500},
            }
        },
    )
    m.catch_up()
    change(m)

    clock.set(FEBRUARY)
    m.catch_up()

    fallen = [(int(each.value), each.timestamp) for each in m.alerts.triggered()]
    assert fallen == [(300, JANUARY)] * times
    assert m.verify().problems == ()


def test_what_is_asked_of_one_records_what_is_due_to_that_one_alone(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    made = grant(m)
    schedule(m, customer="cus_2")
    meter = create_meter(m).id
    price = create_price(m, recurring=metered(meter)).id
    m.credit_pools.create(id="team")
    clock.set(JANUARY)
    position = m.status().position

    m.credit_grants.retrieve(made.id)
    m.credit_grants.void(made.id)
    m.credit_balance_transactions.list(credit_grant=made.id)
    m.credit_balance_summary.retrieve(customer="cus_1", include_unbilled_usage=True)
    m.check(customer="cus_1", meter=meter, quantity=1, price=price)
    m.credit_pools.balance("team", customer="cus_2")
    assert m.status().position == position + 1

    # Its id follows from the schedule, so that anyone may know it by now.
    assert m.credit_grants.retrieve("credgr_monthly_1").customer == "cus_2"
    assert m.status().position > position + 1


def test_of_threads_that_look_together_one_records_what_is_due(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    schedule(m, rollover=HALF, interval="day")
    clock.advance(9 * DAY)
    together, seen = Barrier(4), list[tuple[int, int, int]]()

    def look() -> None:
        together.wait()
        seen.append(balances(m))

    threads = [Thread(target=look) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert seen == [(1_000 + 9 * 500,) * 2 + (0,)] * 4
    assert len(granted(m)) == 10 + 9


def test_a_store_without_schedules_is_not_asked_about_them_twice(
    store: metering.Metering,
) -> None:
    """Balances cost what they did; a fact is looked at once, and one of its own never."""
    grant(store)
    balances(store)
    asked: list[str] = []

    def on_statement(_: object, __: object, statement: str, *___: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", on_statement)
    try:
        apply(store, "in_1", line(100), period_end=NOW)
        balances(store)
        balances(store, at=FEBRUARY)
    finally:
        event.remove(Engine, "before_cursor_execute", on_statement)

    assert asked
    assert [each for each in asked if "credit_schedule" in each] == []
