"""Alerts on what usage costs: what they say, when they trigger, what is refused."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_prices import TIERS, create_price, metered
from tests.metering.usual_usage import NOW, create_event, create_meter


def on_spend(m: metering.Metering, *prices: str, **given: Any) -> metering.Alert:
    threshold: Any = {"gte": 100, "currency": "usd", "prices": prices, **given}
    return m.alerts.create(
        title="Dear", alert_type="spend_threshold", spend_threshold=threshold
    )


def use(m: metering.Metering, value: str, at: datetime = NOW, **given: str) -> None:
    used = {"customer": "cus_1", "event_name": "tokens", **given}
    create_event(
        m,
        used["event_name"],
        {"stripe_customer_id": used["customer"], "value": value},
        timestamp=at,
    )


def triggered(m: metering.Metering) -> list[tuple[str, Decimal, datetime | None]]:
    m.catch_up()
    return [
        (each.customer, each.value, each.window_start) for each in m.alerts.triggered()
    ]


def test_an_alert_on_spend_says_what_it_was_created_with(connect: Connect) -> None:
    m = connect()
    price = create_price(m, recurring=metered(create_meter(m).id), unit_amount=5)
    alert = on_spend(m, price.id, filters=[{"type": "customer", "customer": "c"}])
    m.rebuild()

    assert alert == m.alerts.retrieve(alert.id)
    assert alert.usage_threshold is None
    assert alert.spend_threshold == metering.SpendThreshold(
        gte=100,
        currency="usd",
        prices=(price.id,),
        recurrence="calendar_month",
        filters=(metering.AlertFilter(customer="c"),),
        timezone="UTC",
    )
    assert m.alerts.list(alert_type="spend_threshold") == [alert]
    assert m.alerts.list(alert_type="usage_threshold") == []


def test_it_triggers_once_a_month_for_what_all_prices_come_to(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    tokens, calls = create_meter(m), create_meter(m, "calls")
    prices = [
        create_price(m, tiers=TIERS, recurring=metered(tokens.id)).id,
        create_price(m, recurring=metered(calls.id), unit_amount_decimal="0.5").id,
    ]
    start = datetime(NOW.year, NOW.month, 1, tzinfo=UTC)
    alert = on_spend(m, *prices)

    use(m, "9")
    use(m, "18", event_name="calls")
    use(m, "1.9", event_name="calls")
    found = triggered(m)
    use(m, "0.1", event_name="calls")
    use(m, "9", event_name="calls", customer="cus_2")
    use(m, "100", at=start - timedelta(hours=1))
    use(m, "100")

    # 9 tokens for 10 cents each, and 19.9 calls that round up to 10 cents.
    assert found == [("cus_1", Decimal(100), start)]
    before = (start - timedelta(hours=1)).replace(day=1, hour=0)
    assert triggered(m) == [*found, ("cus_1", Decimal(1_000), before)]
    m.rebuild()
    assert len(triggered(m)) == 2
    told = [each.data.object for each in m.events.list("billing.alert.triggered")]
    assert [
        (each.alert, each.value)
        for each in told[::-1]
        if isinstance(each, metering.AlertTriggered)
    ] == [(alert, Decimal(100)), (alert, Decimal(1_000))]
    assert m.verify().ok


def test_what_is_due_without_usage_counts(store: metering.Metering) -> None:
    tokens, calls = create_meter(store), create_meter(store, "calls")
    flat: Any = [{"up_to": "inf", "unit_amount": 1, "flat_amount": 99}]
    prices = [
        create_price(store, tiers=flat, recurring=metered(calls.id)).id,
        create_price(store, recurring=metered(tokens.id), unit_amount=1).id,
    ]
    on_spend(store, *prices)

    use(store, "0.4")
    assert triggered(store) == []
    use(store, "0.1")

    assert [value for _, value, _ in triggered(store)] == [100]


def test_what_a_price_was_counts_when_it_has_lost_a_currency(
    store: metering.Metering,
) -> None:
    tokens = create_meter(store)
    price = create_price(
        store,
        recurring=metered(tokens.id),
        currency_options={"eur": {"unit_amount": 50}},
    )
    on_spend(store, price.id, currency="eur")
    store.prices.update(price.id, currency_options=None, active=False)

    use(store, "2")

    assert [value for _, value, _ in triggered(store)] == [100]


def test_spend_of_more_digits_than_are_rated_triggers(store: metering.Metering) -> None:
    price = create_price(store, recurring=metered(create_meter(store).id))
    on_spend(store, price.id, gte=10**18 - 1)

    for _ in range(2):
        use(store, "99900000000000000")

    assert [value for _, value, _ in triggered(store)] == [10**18]


@pytest.mark.slow
def test_an_amount_is_reached_exactly_among_very_many_events(
    store: metering.Metering,
) -> None:
    names = ("tokens", "calls")
    prices = [
        create_price(
            store, recurring=metered(create_meter(store, each).id), unit_amount=1
        ).id
        for each in names
    ]
    # More than are looked at together, so that usage goes on from portion to portion.
    commits, rows = 4, 100_000
    alerts = [on_spend(store, *prices, gte=gte) for gte in (1, 250_001, 399_999)]
    start = store.position
    for commit in range(commits):
        numbers = range(commit * rows, (commit + 1) * rows)
        store.meter_events.ingest(
            pa.table(
                {
                    "event_name": [names[number % 2] for number in numbers],
                    "identifier": [str(number) for number in numbers],
                    "timestamp": [store.now()] * rows,
                    "stripe_customer_id": ["cus_1"] * rows,
                    "value": [1] * rows,
                }
            )
        )

    store.catch_up()

    found = store.alerts.triggered()
    assert [(each.alert.id, each.event_position) for each in found] == [
        (alert.id, start + gte)
        for alert, gte in zip(alerts, (1, 250_001, 399_999), strict=True)
    ]
    assert [each.value for each in found] == [1, 250_001, 399_999]


def subscribe(m: metering.Metering, *prices: str, **given: Any) -> str:
    items: Any = [{"price": each} for each in prices]
    return m.subscriptions.create(customer="cus_1", items=items, **given).id


def test_it_triggers_once_in_each_billing_period_of_a_subscription(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    tokens = create_meter(m)
    weekly = {**metered(tokens.id), "interval": "week"}
    price = create_price(m, recurring=weekly, unit_amount=10)
    subscription = subscribe(m, price.id)
    alert = m.alerts.create(
        title="Dear",
        alert_type="spend_threshold",
        spend_threshold={"gte": 100, "currency": "usd", "subscription": subscription},
    )
    start, week = m.now(), timedelta(days=7)

    use(m, "50", at=start - timedelta(minutes=1))
    use(m, "9", at=start)
    use(m, "50", at=start, customer="cus_2")
    clock.advance(week - timedelta(minutes=2))
    use(m, "1", at=m.now())
    clock.advance(timedelta(minutes=3))
    use(m, "9.9", at=m.now())
    found = triggered(m)
    use(m, "0.1", at=m.now())
    m.subscriptions.cancel(subscription)
    clock.advance(week)
    use(m, "10", at=m.now())

    assert alert.spend_threshold == metering.SpendThreshold(
        gte=100,
        currency="usd",
        prices=(price.id,),
        recurrence="billing_period",
        filters=(metering.AlertFilter(customer="cus_1"),),
        timezone=None,
        subscription=subscription,
    )
    assert found == [("cus_1", Decimal(100), start)]
    # What the periods were holds on when the subscription is over.
    assert triggered(m)[1:] == [
        ("cus_1", Decimal(100), start + week),
        ("cus_1", Decimal(100), start + 2 * week),
    ]
    m.seal()
    m.rebuild()
    assert len(triggered(m)) == 3
    assert m.verify().ok


@pytest.mark.parametrize("when", ["paused", "ended", "licensed", "of two intervals"])
def test_a_subscription_that_cannot_be_watched_is_refused(
    store: metering.Metering, when: str
) -> None:
    tokens = create_meter(store)
    prices = [create_price(store, recurring=metered(tokens.id)).id]
    if when == "licensed":
        prices = [create_price(store, recurring={"interval": "month"}).id]
    if when == "of two intervals":
        yearly = {**metered(create_meter(store, "b").id), "interval": "year"}
        prices.append(create_price(store, recurring=yearly).id)
    subscription = subscribe(store, *prices)
    if when == "paused":
        store.subscriptions.pause(subscription)
    if when == "ended":
        store.subscriptions.cancel(subscription)
    threshold: Any = {"gte": 1, "currency": "usd", "subscription": subscription}

    with refused(param="spend_threshold[subscription]"):
        store.alerts.create(
            title="a", alert_type="spend_threshold", spend_threshold=threshold
        )
    threshold["prices"] = prices
    with refused("parameters_exclusive", "spend_threshold[prices]"):
        store.alerts.create(
            title="a", alert_type="spend_threshold", spend_threshold=threshold
        )


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"gte": 0}, "spend_threshold[gte]"),
        ({"gte": 10**18}, "spend_threshold[gte]"),
        ({"currency": "xyz"}, "spend_threshold[currency]"),
        ({"currency": "eur"}, "spend_threshold[prices][0]"),
        ({"prices": []}, "spend_threshold[prices]"),
        ({"prices": ["price_1"]}, "spend_threshold[prices][0]"),
        ({"prices": ["metered", "metered"]}, "spend_threshold[prices][1]"),
        ({"prices": ["metered", "licensed"]}, "spend_threshold[prices][1]"),
        ({"prices": ["of_peak"]}, "spend_threshold[prices][0]"),
        ({"recurrence": "weekly"}, "spend_threshold[recurrence]"),
        (
            {"recurrence": "one_time", "timezone": "UTC"},
            "spend_threshold[timezone]",
        ),
        ({"meter": "mtr_1"}, "spend_threshold[meter]"),
    ],
    ids=str,
)
def test_a_bad_alert_on_spend_is_refused(
    store: metering.Metering, given: dict[str, Any], param: str
) -> None:
    peak = create_meter(store, "peak", "max")
    named = {
        "metered": create_price(store, recurring=metered(create_meter(store).id)).id,
        "licensed": create_price(store, recurring={"interval": "month"}).id,
        "of_peak": create_price(store, recurring=metered(peak.id)).id,
    }
    prices = [named.get(each, each) for each in given.get("prices", ["metered"])]
    position = store.position

    with refused(param=param):
        on_spend(store, **{**given, "prices": prices})
    assert store.position == position


def test_thresholds_exclude_each_other(store: metering.Metering) -> None:
    tokens = create_meter(store)
    price = create_price(store, recurring=metered(tokens.id))
    usage: Any = {"gte": 1, "meter": tokens.id, "recurrence": "one_time"}
    spend: Any = {"gte": 1, "currency": "usd", "prices": [price.id]}

    with refused(param="usage_threshold"):
        store.alerts.create(
            title="a",
            alert_type="spend_threshold",
            spend_threshold=spend,
            usage_threshold=usage,
        )
    with refused("parameter_missing", "spend_threshold"):
        store.alerts.create(title="a", alert_type="spend_threshold")


def test_so_many_alerts_on_spend_apply_to_a_customer() -> None:
    with metering.connect(":memory:", alerts_max=1) as m:
        price = create_price(m, recurring=metered(create_meter(m).id))
        on_spend(m, price.id)

        with refused("alert_limit_reached", "spend_threshold[filters]"):
            on_spend(m, price.id)
