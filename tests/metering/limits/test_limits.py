"""Spend limits: what counts, what is refused, and when they warn."""

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.alerts.test_alerts_on_spend import use
from tests.metering.holds.usual_holds import hold
from tests.metering.limits.usual_limits import limit, priced, spent, warned
from tests.metering.refusals import refused
from tests.metering.usual_credits import DAY, grant, money, usd
from tests.metering.usual_prices import create_price
from tests.metering.usual_usage import NOW, create_meter

MIDNIGHT = datetime(NOW.year, NOW.month, NOW.day, tzinfo=UTC)


@pytest.fixture
def clock() -> metering.FixedClock:
    return metering.FixedClock(NOW)


@pytest.fixture
def m(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    return connect(clock=clock)


def test_a_limit_is_told_as_it_was_made(m: metering.Metering) -> None:
    price = priced(m)
    made = limit(m, prices=[price], window="day", metadata={"a": "b"})

    assert made == metering.SpendLimit(
        id="cap",
        amount=usd(1_000),
        amount_held=usd(0),
        amount_left=usd(1_000),
        amount_spent=usd(0),
        created=NOW,
        customer="cus_1",
        livemode=False,
        metadata={"a": "b"},
        prices=(price,),
        status="active",
        subscription=None,
        timezone="UTC",
        warn_at=(50, 80, 100),
        window="day",
        window_start=MIDNIGHT,
        window_end=MIDNIGHT + DAY,
    )
    assert limit(m, prices=[price], window="day", metadata={"a": "b"}) == made
    assert m.spend_limits.list() == [made]
    assert m.spend_limits.list("cus_2") == []
    m.rebuild()
    assert m.spend_limits.retrieve("cap") == made
    assert m.verify().problems == ()


def test_it_warns_once_a_window_at_each_percentage(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    limit(m, prices=[priced(m)], window="day")
    use(m, "99")
    assert warned(m) == []

    use(m, "1")
    use(m, "79.8")
    use(m, "1")
    found = [(50, 500, MIDNIGHT), (80, 899, MIDNIGHT)]
    assert warned(m) == found
    use(m, "1000")
    use(m, "1000", customer="cus_2")
    found.append((100, 5_904, MIDNIGHT))
    assert warned(m) == found
    clock.advance(DAY)
    use(m, "160", at=NOW + DAY)
    found += [(50, 800, MIDNIGHT + DAY), (80, 800, MIDNIGHT + DAY)]

    assert warned(m) == found
    m.rebuild()
    assert warned(m) == found
    assert m.verify().problems == ()
    [first, *_] = m.events.list("metering.spend_limit.warned").data[::-1]
    told: Any = first.data.object
    assert (told.spend_limit, told.customer, told.amount) == (
        "cap",
        "cus_1",
        usd(1_000),
    )
    assert (told.window, told.timestamp) == ("day", NOW)
    # The alerts that warn are none of those that anybody made.
    assert m.events.list("billing.alert.triggered") == []


def test_holds_obey_it_by_what_they_keep_and_what_they_drew(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    grant(m, 10_000)
    price = priced(m)
    limit(m, prices=[price], window="day")
    use(m, "60")
    hold(m, 500, "job_1")
    assert spent(m) == (300, 500, 200)

    with refused("spend_limit_reached", "amount", "200 usd more", "1000"):
        hold(m, 201, "job_2")
    hold(m, 200, "job_2")
    m.credit_holds.settle("job_1", amount=100)
    assert spent(m) == (400, 200, 400)
    m.credit_holds.settle("job_2", amount=50, final=False, settlement="a")
    with refused("spend_limit_reached", "amount"):
        m.credit_holds.settle("job_2", amount=551, overage="draw")
    m.credit_holds.settle("job_2", amount=550, overage="draw")
    assert spent(m) == (1_000, 0, 0)
    # Another price, currency or customer, or another day, is not limited.
    hold(m, 1, "job_3", price="price_of_others")
    grant(m, 10_000, currency="eur")
    hold(m, 1, "job_4", amount=money(1, "eur"))
    with refused("spend_limit_reached"):
        hold(m, 1, "job_5", price=price)
    clock.advance(DAY)
    hold(m, 1_000, "job_5", price=price, expires_at=NOW + DAY + timedelta(hours=1))
    assert spent(m) == (0, 1_000, 0)
    clock.advance(timedelta(hours=1))
    assert spent(m) == (0, 0, 1_000)


def test_what_another_connection_recorded_counts(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m, other = connect(clock=clock), connect(clock=clock)
    grant(m, 10_000)
    limit(m, prices=[priced(m)], window="all_time")
    use(other, "190")

    with refused("spend_limit_reached", "amount", "50 usd"):
        hold(m, 51)
    hold(m, 50)
    with refused("spend_limit_reached", "amount", "0 usd"):
        hold(other, 1, "job_2")


def test_of_threads_that_race_for_the_last_cent_one_wins(m: metering.Metering) -> None:
    grant(m, 10_000)
    limit(m, 100)
    start, kept, codes = Barrier(8), list[str](), list[str | None]()

    def race(number: int) -> None:
        start.wait()
        try:
            kept.append(hold(m, 60, f"job_{number}").id)
        except metering.InvalidRequestError as error:
            codes.append(error.code)

    threads = [Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(kept) == 1
    assert codes == ["spend_limit_reached"] * 7
    assert spent(m) == (0, 60, 40)


def test_without_prices_those_of_the_subscriptions_count(m: metering.Metering) -> None:
    price = m.prices.retrieve(priced(m))
    paid = m.subscriptions.create(customer="cus_1", items=[{"price": price.id}])
    by_month = limit(m, id="by_month")
    by_period = limit(m, id="period", window="billing_period", subscription=paid.id)
    with refused("alert_limit_reached", "warn_at"):
        limit(m, id="more", warn_at=range(1, 21))
    use(m, "110")

    assert by_month.prices == by_period.prices == (price.id,)
    assert by_month.subscription is None
    assert (by_period.subscription, by_period.window_start) == (paid.id, NOW)
    assert spent(m, "by_month") == spent(m, "period") == (550, 0, 450)
    assert [each[:2] for each in warned(m)] == [(50, 550), (50, 550)]
    assert limit(m, id="of_holds", customer="cus_2").prices == ()
    other = m.subscriptions.create(customer="cus_1", items=[{"price": price.id}])
    with refused("limit_conflict", "id", "differs in subscription"):
        limit(m, id="period", window="billing_period", subscription=other.id)
    # Asked for again, they are as they were made, whatever became of subscriptions.
    for each in (paid, other):
        m.subscriptions.cancel(each.id)
    again = limit(m, id="period", window="billing_period", subscription=paid.id)
    assert (again.prices, limit(m, id="by_month").prices) == ((price.id,), (price.id,))


def test_an_update_counts_from_this_window_on_and_warns_anew(
    m: metering.Metering,
) -> None:
    limit(m, prices=[priced(m)], window="day", warn_at=[50])
    use(m, "100")
    assert warned(m) == [(50, 500, MIDNIGHT)]

    with refused("limit_below_spent", "amount", "500"):
        m.spend_limits.update("cap", amount=money(499))
    with refused(None, "amount[monetary][currency]"):
        m.spend_limits.update("cap", amount=money(900, "eur"))
    changed = m.spend_limits.update("cap", amount=money(800), metadata={"a": "b"})
    at = m.position
    assert (changed.amount, changed.warn_at) == (usd(800), (50,))
    assert m.spend_limits.update("cap", amount=money(800)) == changed
    assert m.position == at
    m.spend_limits.update("cap", warn_at=[90, 60])
    use(m, "1")

    assert warned(m) == [(50, 500, MIDNIGHT), (60, 505, MIDNIGHT)]
    live = [each for each in m.alerts.list() if each.status == "active"]
    assert [each.usage_threshold for each in live] == [None, None]
    with refused("alert_of_limit", "id", "cap"):
        m.alerts.archive(live[0].id)
    # One that was passed is raised, and warns elsewhere, as any other.
    use(m, "100")
    m.spend_limits.update("cap", warn_at=[95])
    assert m.spend_limits.update("cap", amount=money(801)).amount_left == usd(0)
    with refused("limit_below_spent", "amount", "1005"):
        m.spend_limits.update("cap", amount=money(800))


def test_a_canceled_limit_refuses_and_warns_of_nothing(m: metering.Metering) -> None:
    grant(m, 10_000)
    limit(m, 100, prices=[priced(m)])
    canceled = m.spend_limits.cancel("cap")
    use(m, "1000")
    hold(m, 101)

    assert canceled.status == "canceled"
    assert warned(m) == []
    assert (m.spend_limits.list(), m.alerts.list()) == ([], [])
    with refused("limit_canceled", "id"):
        m.spend_limits.cancel("cap")
    with refused("limit_canceled", "id"):
        m.spend_limits.update("cap", warn_at=[])
    with refused("limit_conflict", "id", "status"):
        limit(m, 100, prices=[m.prices.list().data[0].id])
    m.rebuild()
    assert m.verify().problems == ()


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        ({"amount": money(0)}, None, "amount[monetary][value]"),
        ({"amount": money(-1)}, None, "amount[monetary][value]"),
        ({"amount": money(1, "xxx")}, None, "amount[monetary][currency]"),
        ({"amount": money(500)}, "limit_below_spent", "amount"),
        ({"warn_at": [0]}, None, "warn_at[0]"),
        ({"warn_at": [50, 101]}, None, "warn_at[1]"),
        ({"warn_at": [50, 50]}, None, "warn_at[1]"),
        ({"window": "week"}, None, "window"),
        ({"window": "billing_period"}, "parameter_missing", "subscription"),
        ({"window": "all_time", "timezone": "UTC"}, None, "timezone"),
        ({"timezone": "Mars"}, None, "timezone"),
        ({"prices": ["price_0"]}, "resource_missing", "prices[0]"),
        ({"amount": money(9_000, "eur")}, None, "prices[0]"),
        ({"subscription": "sub_0", "prices": None}, "resource_missing", "subscription"),
        ({"subscription": "sub_0"}, "parameters_exclusive", "prices"),
        ({"id": "cap"}, "limit_conflict", "id"),
    ],
)
def test_bad_limits_are_refused_and_record_nothing(
    m: metering.Metering, given: dict[str, Any], code: str | None, param: str
) -> None:
    price = priced(m)
    limit(m, prices=[price])
    use(m, "110")
    at = m.position

    with refused(code, param):
        limit(m, **{"id": "other", "amount": money(900), "prices": [price], **given})
    assert m.position == at


def test_a_price_that_is_not_metered_or_cannot_be_watched_limits_nothing(
    m: metering.Metering,
) -> None:
    flat = create_price(m, recurring={"interval": "month"})
    most = create_meter(m, "most", "max")
    watched = create_price(
        m,
        recurring={"interval": "month", "usage_type": "metered", "meter": most.id},
    )

    with refused(None, "prices[0]", "metered"):
        limit(m, prices=[flat.id])
    with refused("meter_formula_unsupported", "prices[0]"):
        limit(m, prices=[watched.id])
