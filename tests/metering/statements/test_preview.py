"""Previews of statements: what usage comes to, exactly, and nothing is recorded."""

from datetime import timedelta
from decimal import Decimal

import pytest

import metering
from tests.metering.statements.usual_statements import (
    END,
    INSIDE,
    START,
    february,
    priced,
    tiered,
    use,
)
from tests.metering.usual_credits import for_prices, grant
from tests.metering.usual_usage import NOW, cancel_event

MICROSECOND = timedelta(microseconds=1)


def test_a_price_has_a_line_with_the_tiers_that_it_reaches(
    store: metering.Metering,
) -> None:
    per_unit, graduated = priced(store), tiered(store)
    use(store, "2.5")
    use(store, "1200.5", "calls")
    position = store.position

    made = store.statements.preview(**february(graduated, per_unit))

    calls, tokens = made.lines
    assert (made.id, made.status, made.currency) == (None, "preview", "usd")
    assert (made.period_start, made.period_end, made.at) == (START, END, None)
    assert graduated.recurring
    assert (calls.price, calls.meter) == (graduated.id, graduated.recurring.meter)
    assert (calls.quantity, calls.amount) == (Decimal("1200.5"), 11_103)
    assert [(each.up_to, each.quantity, each.amount) for each in calls.tiers] == [
        (1_000, Decimal(1_000), 10_000),
        (None, Decimal("200.5"), 1_103),
    ]
    assert (tokens.quantity, tokens.amount, tokens.tiers) == (Decimal("2.5"), 25, ())
    assert made.subtotal == made.amount_due == 11_128
    assert made.position == store.position == position


@pytest.mark.parametrize(
    ("formula", "quantity"),
    [("sum", 9), ("count", 3), ("last", 4), ("max", 4), ("min", 2), ("avg", 3)],
)
def test_the_quantity_is_what_the_meter_measures(
    store: metering.Metering, formula: str, quantity: int
) -> None:
    price = priced(store, formula=formula)
    for value in ("2", "3", "4"):
        use(store, value)

    [line] = store.statements.preview(**february(price)).lines

    assert [line.quantity, line.amount] == [quantity, quantity * 10]


def test_a_period_is_exact_to_the_microsecond(store: metering.Metering) -> None:
    price = priced(store)
    for at in (INSIDE - MICROSECOND, INSIDE, INSIDE + MICROSECOND):
        use(store, timestamp=at)

    made = store.statements.preview(
        **february(price, start_time=INSIDE, end_time=INSIDE + MICROSECOND)
    )

    assert [line.quantity for line in made.lines] == [1]


def test_usage_before_the_instant_counts_where_the_period_goes_on(
    store: metering.Metering,
) -> None:
    price = priced(store)
    use(store, timestamp=NOW - MICROSECOND)
    use(store, timestamp=NOW)
    on = february(price, end_time=NOW + timedelta(days=1), at=NOW)

    made = store.statements.preview(**on)

    assert made.at == NOW
    assert [line.quantity for line in made.lines] == [1]


def test_a_negative_quantity_is_rated_as_nothing_and_named(
    store: metering.Metering,
) -> None:
    price = priced(store)
    use(store, "-3")

    [line] = store.statements.preview(**february(price)).lines

    assert [line.quantity, line.amount, line.is_negative] == [-3, 0, True]


def test_a_customer_without_usage_owes_what_nothing_costs(
    store: metering.Metering,
) -> None:
    made = store.statements.preview(**february(priced(store), customer="nobody"))

    assert [[line.quantity, line.amount] for line in made.lines] == [[0, 0]]
    assert made.amount_due == 0


def test_credits_are_drawn_grant_by_grant_in_the_order_of_the_lines(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    clock.set(START)
    first, second = priced(store), tiered(store)
    own = grant(store, 15, applicability_config=for_prices(second.id), priority=1)
    any_price = grant(store, 30, priority=2)
    clock.set(NOW)
    use(store, "2")
    use(store, "3", "calls")

    made = store.statements.preview(**february(first, second))

    assert [(each.line, each.credit_grant, each.amount) for each in made.credits] == [
        ("il_1", any_price.id, 20),
        ("il_2", own.id, 15),
        ("il_2", any_price.id, 10),
    ]
    assert (made.subtotal, made.credits_applied, made.amount_due) == (50, 45, 5)
    assert store.statements.preview(**february(first, second)) == made


def test_equal_contents_have_equal_digests(store: metering.Metering) -> None:
    price = priced(store)
    event = use(store)

    before = store.statements.preview(**february(price))
    again = store.statements.preview(**february(price))
    cancel_event(store, event.identifier)
    after = store.statements.preview(**february(price))

    assert before.digest == again.digest != after.digest
