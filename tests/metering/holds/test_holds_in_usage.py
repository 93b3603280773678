"""Holds given in usage: rated as a check rates it, when they are made and settled."""

from decimal import Decimal
from typing import Any

import pytest

import metering
from tests.metering.holds.usual_holds import amounts, balances
from tests.metering.refusals import refused
from tests.metering.spending.usual_spending import JANUARY, burned, subscribed, use
from tests.metering.subscriptions.usual_subscriptions import metered_price, subscribe
from tests.metering.usual_credits import grant, money, usd
from tests.metering.usual_prices import TIERS, create_price, metered
from tests.metering.usual_usage import create_meter


@pytest.fixture
def m(store: metering.Metering, clock: metering.FixedClock) -> metering.Metering:
    """The store at the first of January."""
    clock.set(JANUARY)
    return store


def hold(
    m: metering.Metering, quantity: object, name: str = "job_1", **given: Any
) -> metering.CreditHold:
    usual: dict[str, Any] = {"customer": "cus_1", "meter": "tokens"}
    return m.credit_holds.create(id=name, **{**usual, "quantity": quantity, **given})


def test_usage_is_held_at_what_it_comes_to(m: metering.Metering) -> None:
    price = subscribed(m, tiers=TIERS)
    grant(m, 20_000)
    use(m, 999)
    # It rates nothing, as a subscription bills the meter.
    unused = metered_price(m, meter=price.recurring and price.recurring.meter).id

    made = hold(m, "2.0", price=unused)

    assert (made.amount, amounts(made)) == (usd(115), (115, 0, 0))
    assert (made.price, made.quantity) == (price.id, Decimal(2))
    assert made.meter == (price.recurring and price.recurring.meter)
    assert burned(m) == {"usd": (20_000 - 9_990 - 115, 9_990, 0)}
    use(m, 500)
    assert hold(m, 2) == hold(m, 2, price=unused) == made
    assert m.credit_holds.retrieve("job_1") == made
    with refused("hold_conflict", "id", "usage"):
        hold(m, 3)
    with refused("hold_conflict", "id", "customer"):
        hold(m, 2, customer="another")
    with refused("hold_conflict", "id", "usage"):
        m.credit_holds.create(id="job_1", customer="cus_1", amount=money(115))


def test_a_hold_takes_only_what_unbilled_usage_leaves(m: metering.Metering) -> None:
    subscribed(m)
    grant(m, 100)
    use(m, 7)

    with refused("insufficient_credits", "quantity", "30 usd"):
        hold(m, 4)
    made = hold(m, 4, partial=True)

    assert (made.amount, amounts(made)) == (usd(40), (30, 0, 0))
    assert burned(m) == {"usd": (0, 70, 0)}


def test_a_hold_is_settled_by_the_usage_that_it_came_to(m: metering.Metering) -> None:
    subscribed(m)
    grant(m, 100)
    hold(m, 8)

    first = m.credit_holds.settle("job_1", quantity="2.5", final=False, settlement="a")
    last = m.credit_holds.settle("job_1", quantity=1, settlement="b")

    assert (amounts(first), amounts(last)) == ((55, 25, 0), (0, 35, 45))
    assert balances(m) == (65, 65, 0)
    again = m.credit_holds.settle("job_1", quantity=1, settlement="b")
    assert again == last
    with refused("settlement_conflict", "quantity"):
        m.credit_holds.settle("job_1", quantity=2, settlement="b")


def test_usage_without_a_subscription_is_rated_by_a_price(m: metering.Metering) -> None:
    price = create_price(m, recurring=metered(create_meter(m).id))
    grant(m, 100)

    made = hold(m, 4, price=price.id)

    assert amounts(made) == (40, 0, 0)
    assert amounts(m.credit_holds.settle("job_1", quantity=0)) == (0, 0, 40)


def test_a_hold_is_given_in_money_or_in_usage(m: metering.Metering) -> None:
    price = subscribed(m)
    grant(m, 100)
    position = m.position

    for code, param, given in (
        ("parameter_missing", "amount", {"meter": None, "quantity": None}),
        ("parameter_missing", "meter", {"meter": None}),
        ("parameter_missing", "quantity", {"quantity": None}),
        ("parameters_exclusive", "amount", {"amount": money(1)}),
        (None, "quantity", {"quantity": 0}),
        ("resource_missing", "meter", {"meter": "x"}),
    ):
        with refused(code, param):
            hold(m, **{"quantity": 1, **given})
    assert m.position == position
    hold(m, 1, "job_3")
    m.credit_holds.release("job_3")
    subscribe(m, metered_price(m, meter=price.recurring and price.recurring.meter))
    with refused("price_ambiguous", "meter"):
        hold(m, 1)
    with refused("hold_released", "id"):
        m.credit_holds.settle("job_3", quantity=1)
    m.credit_holds.create(id="job_2", customer="cus_1", amount=money(5))
    with refused(None, "quantity", "given an amount"):
        m.credit_holds.settle("job_2", quantity=1)
    with refused("parameters_exclusive", "amount"):
        m.credit_holds.settle("job_2", quantity=1, amount=1)
