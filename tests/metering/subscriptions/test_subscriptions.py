"""Subscriptions: what follows from what was said of them, and from the time."""

from datetime import UTC, datetime, timedelta

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.subscriptions.usual_subscriptions import (
    licensed_price,
    metered_price,
    periods,
    subscribe,
)
from tests.metering.usual_usage import NOW

DAY = timedelta(days=1)
APRIL = datetime(2026, 4, 1, 12, tzinfo=UTC)
MAY = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_subscription_is_active_at_once(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    tokens, seats = metered_price(m), licensed_price(m, interval="year")

    made = m.subscriptions.create(
        customer="any string",
        items=[{"price": tokens.id}, {"price": seats.id, "quantity": 3}],
        metadata={"a": "1"},
    )
    m.rebuild()

    assert m.subscriptions.retrieve(made.id) == made
    assert m.verify().ok
    assert made.id.startswith("sub_test_")
    assert (made.status, made.currency, made.customer) == (
        "active",
        "usd",
        "any string",
    )
    assert (made.start_date, made.billing_cycle_anchor) == (NOW, NOW)
    assert [each.quantity for each in made.items.data] == [None, 3]
    assert [each.price for each in made.items.data] == [tokens, seats]
    assert periods(made) == [(NOW, APRIL), (NOW, NOW.replace(year=2027))]
    assert made.items.url == f"/v1/subscription_items?subscription={made.id}"


def test_periods_go_by_without_a_process(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    clock.set(datetime(2026, 1, 31, 23, 59, 59, 999_999, tzinfo=UTC))
    made = subscribe(m)
    position = m.position
    found = []
    for month in (1, 2, 3, 4):
        clock.set(datetime(2026, month + 1, 1, tzinfo=UTC))
        [(_, end)] = periods(m.subscriptions.retrieve(made.id))
        found.append(f"{end:%m-%d %H:%M:%S}")

    assert found == [f"{day} 23:59:59" for day in ("02-28", "03-31", "04-30", "05-31")]
    assert m.position == position


def test_time_before_the_anchor_is_one_period(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    anchor = NOW + 10 * DAY

    ahead = subscribe(m, billing_cycle_anchor=anchor)
    back = subscribe(m, backdate_start_date=NOW - 100 * DAY)
    both = subscribe(
        m, backdate_start_date=NOW - 100 * DAY, billing_cycle_anchor=anchor
    )

    assert periods(ahead) == [(NOW, anchor)]
    assert (back.start_date, back.created) == (NOW - 100 * DAY, NOW)
    assert periods(back) == [(NOW, APRIL)]
    assert periods(both) == [(NOW - 100 * DAY, anchor)]
    clock.set(anchor)
    assert periods(m.subscriptions.retrieve(ahead.id)) == [
        (anchor, datetime(2026, 4, 11, 12, tzinfo=UTC))
    ]


def test_a_trial_is_one_period_and_sets_the_anchor(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    made = subscribe(m, trial_period_days=40)
    of_price = subscribe(m, metered_price(m, trial_period_days=7), trial_from_plan=True)
    end = NOW + 40 * DAY

    assert (made.status, made.trial_start, made.trial_end) == ("trialing", NOW, end)
    assert periods(made) == [(NOW, end)]
    assert of_price.trial_end == NOW + 7 * DAY
    clock.set(end)
    later = m.subscriptions.retrieve(made.id)
    assert (later.status, later.billing_cycle_anchor) == ("active", end)
    assert periods(later) == [(end, datetime(2026, 5, 10, 12, tzinfo=UTC))]
    assert list(m.subscriptions.list(status="trialing")) == []


def test_a_trial_can_be_moved_and_ended(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    made = subscribe(m, trial_end=NOW + 10 * DAY)

    clock.advance(DAY)
    longer = m.subscriptions.update(made.id, trial_end=NOW + 20 * DAY)
    clock.advance(DAY)
    over = m.subscriptions.update(made.id, trial_end="now")

    assert periods(longer) == [(NOW, NOW + 20 * DAY)]
    assert (over.status, over.trial_end) == ("active", NOW + 2 * DAY)
    assert periods(over) == [(NOW + 2 * DAY, APRIL + 2 * DAY)]
    again = m.subscriptions.update(made.id, trial_end=NOW + 30 * DAY)
    assert (again.status, again.trial_start) == ("trialing", NOW + 2 * DAY)
    assert m.verify().ok


def test_it_ends_with_its_period_of_itself(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    made = subscribe(m, metered_price(m), licensed_price(m, interval="year"))

    clock.advance(DAY)
    asked = m.subscriptions.update(made.id, cancel_at_period_end=True)
    taken_back = m.subscriptions.update(made.id, cancel_at_period_end=False)
    last = m.subscriptions.update(made.id, cancel_at="max_period_end")
    m.subscriptions.update(made.id, cancel_at="min_period_end")

    assert (asked.status, asked.cancel_at, asked.canceled_at) == (
        "active",
        APRIL,
        NOW + DAY,
    )
    assert (taken_back.cancel_at, taken_back.canceled_at) == (None, None)
    assert last.cancel_at == NOW.replace(year=2027)
    clock.set(MAY)
    ended = m.subscriptions.retrieve(made.id)
    assert (ended.status, ended.ended_at) == ("canceled", APRIL)
    assert periods(ended) == [(NOW, APRIL), (NOW, APRIL)]
    assert list(m.subscriptions.list()) == []
    assert list(m.subscriptions.list(status="ended")) == [ended]


def test_it_is_canceled_now(connect: Connect, clock: metering.FixedClock) -> None:
    m = connect(clock=clock)
    made = subscribe(m)

    clock.advance(DAY)
    ended = m.subscriptions.cancel(
        made.id, cancellation_details={"comment": "c", "feedback": "unused"}
    )

    assert (ended.status, ended.ended_at, ended.canceled_at) == (
        "canceled",
        NOW + DAY,
        NOW + DAY,
    )
    assert ended.cancellation_details == metering.CancellationDetails(
        comment="c", feedback="unused", reason="cancellation_requested"
    )
    assert periods(ended) == [(NOW, NOW + DAY)]
    with refused("resource_missing", "id"):
        m.subscriptions.cancel(made.id)
    with refused(None, "items", "A canceled subscription can only update"):
        m.subscriptions.update(made.id, items=[{"price": metered_price(m).id}])
    kept = m.subscriptions.update(made.id, metadata={"a": "1"})
    assert kept.metadata == {"a": "1"}
    assert m.verify().ok


def test_a_pause_is_not_billed(connect: Connect, clock: metering.FixedClock) -> None:
    m = connect(clock=clock)
    anew, unchanged = subscribe(m), subscribe(m)
    for each in (anew, unchanged):
        clock.set(NOW + DAY)
        paused = m.subscriptions.pause(each.id)
        with refused(None, "id", "is paused already"):
            m.subscriptions.pause(each.id)

        assert paused.status == "paused"
        assert periods(paused) == [(NOW, NOW + DAY)]

    clock.set(NOW + 3 * DAY)
    m.subscriptions.resume(anew.id)
    m.subscriptions.resume(unchanged.id, billing_cycle_anchor={"type": "unchanged"})

    assert periods(m.subscriptions.retrieve(anew.id)) == [
        (NOW + 3 * DAY, APRIL + 3 * DAY)
    ]
    assert periods(m.subscriptions.retrieve(unchanged.id)) == [(NOW + 3 * DAY, APRIL)]
    with refused(None, "id", "is not paused"):
        m.subscriptions.resume(anew.id)
    assert m.verify().ok


def test_periods_begin_anew_where_that_is_asked_for(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    made = subscribe(m, cancel_at_period_end=True)

    clock.advance(DAY)
    changed = m.subscriptions.update(made.id, billing_cycle_anchor="now")

    assert periods(changed) == [(NOW + DAY, APRIL + DAY)]
    assert changed.cancel_at == APRIL + DAY


def test_what_is_only_kept_can_be_changed(store: metering.Metering) -> None:
    made = subscribe(store, metadata={"a": "1"}, description="d")

    changed = store.subscriptions.update(
        made.id,
        collection_method="send_invoice",
        days_until_due=30,
        description=None,
        metadata={"a": "", "b": "2"},
    )
    position = store.position

    assert (changed.collection_method, changed.days_until_due) == ("send_invoice", 30)
    assert (changed.description, changed.metadata) == (None, {"b": "2"})
    assert store.subscriptions.update(made.id, metadata={"b": "2"}) == changed
    assert store.position == position
    automatic = store.subscriptions.update(
        made.id, collection_method="charge_automatically"
    )
    assert automatic.days_until_due is None


def test_subscriptions_are_listed_newest_first(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    price = metered_price(m)
    first = subscribe(m, price)
    clock.advance(DAY)
    second = subscribe(m, customer="cus_2", collection_method="send_invoice")
    third = subscribe(m, trial_period_days=1)

    page = m.subscriptions.list(limit=2)

    assert [each.id for each in page.auto_paging_iter()] == [
        third.id,
        second.id,
        first.id,
    ]
    assert [each.id for each in page] == [third.id, second.id]
    for found, wanted in [
        (m.subscriptions.list("cus_2"), [second.id]),
        (m.subscriptions.list(price=price.id), [first.id]),
        (m.subscriptions.list(status="active"), [second.id, first.id]),
        (m.subscriptions.list(status="past_due"), []),
        (m.subscriptions.list(status="all", ending_before=second.id), [third.id]),
        (m.subscriptions.list(collection_method="send_invoice"), [second.id]),
        (m.subscriptions.list(created={"lte": NOW}), [first.id]),
    ]:
        assert [each.id for each in found] == wanted
