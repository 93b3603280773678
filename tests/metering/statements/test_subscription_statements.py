"""Statements of subscriptions: their items' periods, each part by its own price."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import metering
from tests.metering.refusals import refused
from tests.metering.statements.usual_statements import END, START, priced, use
from tests.metering.subscriptions.usual_subscriptions import licensed_price, subscribe
from tests.metering.usual_prices import create_price, metered

DAY = timedelta(days=1)
MIDDLE = datetime(2026, 2, 15, tzinfo=UTC)


@pytest.fixture
def begun(store: metering.Metering, clock: metering.FixedClock) -> metering.Metering:
    """The store at the first of February."""
    clock.set(START)
    return store


def lines(made: metering.Statement) -> list[tuple[str, int, int, datetime, datetime]]:
    """Price, quantity, amount and period of each."""
    return [
        (
            each.price,
            int(each.quantity),
            each.amount,
            each.period_start,
            each.period_end,
        )
        for each in made.lines
    ]


def test_a_current_period_counts_up_to_now(
    begun: metering.Metering, clock: metering.FixedClock
) -> None:
    price = priced(begun)
    subscription = subscribe(begun, price)
    clock.set(MIDDLE)
    use(begun, "3")

    made = begun.statements.preview(subscription=subscription.id)

    assert lines(made) == [(price.id, 3, 30, START, END)]
    assert (made.customer, made.subscription) == ("cus_1", subscription.id)
    assert (made.period_start, made.period_end, made.at) == (START, END, MIDDLE)
    assert made.lines[0].subscription_item == subscription.items.data[0].id


def test_usage_is_rated_by_the_price_of_its_time(
    begun: metering.Metering, clock: metering.FixedClock
) -> None:
    old = priced(begun)
    assert old.recurring
    new = create_price(
        begun, unit_amount=7, recurring=metered(str(old.recurring.meter))
    )
    subscription = subscribe(begun, old)
    [item] = subscription.items.data
    clock.set(MIDDLE)
    use(begun, "2", timestamp=MIDDLE - DAY)
    begun.subscription_items.update(item.id, price=new.id)
    clock.set(END + DAY)
    use(begun, "5", timestamp=MIDDLE)
    use(begun, "9", timestamp=END)

    made = begun.statements.finalize(
        id="st_1", subscription=subscription.id, start_time=START, end_time=END
    )

    assert lines(made) == [
        (old.id, 2, 20, START, MIDDLE),
        (new.id, 5, 35, MIDDLE, END),
    ]
    assert {each.subscription_item for each in made.lines} == {item.id}
    assert begun.statements.drift("st_1").causes.num_rows == 0


def test_the_newest_item_comes_first_and_licences_have_their_quantity(
    begun: metering.Metering, clock: metering.FixedClock
) -> None:
    seats, tokens = licensed_price(begun), priced(begun)
    subscription = begun.subscriptions.create(
        customer="cus_1",
        items=[{"price": seats.id, "quantity": 2}, {"price": tokens.id}],
    )
    [item, _] = subscription.items.data
    clock.set(MIDDLE)
    begun.subscription_items.update(item.id, quantity=3)

    made = begun.statements.preview(subscription=subscription.id)

    assert lines(made) == [
        (tokens.id, 0, 0, START, END),
        (seats.id, 3, 30, START, END),
    ]
    assert [each.meter is None for each in made.lines] == [False, True]


def test_a_trial_is_free(begun: metering.Metering, clock: metering.FixedClock) -> None:
    price = priced(begun)
    subscription = subscribe(begun, price, trial_end=MIDDLE)
    use(begun, "4", timestamp=START)
    clock.set(MIDDLE)

    made = begun.statements.preview(
        subscription=subscription.id, start_time=START, end_time=MIDDLE
    )

    assert lines(made) == [(price.id, 4, 0, START, MIDDLE)]
    assert made.lines[0].is_trial


def test_a_pause_is_no_part_of_a_statement(
    begun: metering.Metering, clock: metering.FixedClock
) -> None:
    price = priced(begun)
    subscription = subscribe(begun, price)
    clock.set(MIDDLE)
    begun.subscriptions.pause(subscription.id)
    clock.set(MIDDLE + DAY)
    begun.subscriptions.resume(subscription.id)
    use(begun, "4", timestamp=MIDDLE + DAY / 2)
    clock.set(END)

    made = begun.statements.preview(
        subscription=subscription.id, start_time=START, end_time=END
    )

    assert [(each.period_start, each.period_end) for each in made.lines] == [
        (START, MIDDLE),
        (MIDDLE + DAY, END),
    ]
    assert made.subtotal == 0


def test_a_finalised_statement_is_found_again_as_it_was_asked_for(
    begun: metering.Metering, clock: metering.FixedClock
) -> None:
    subscription = subscribe(begun, priced(begun))
    other = subscribe(begun, priced(begun, "calls"))
    clock.set(MIDDLE)
    asked: dict[str, Any] = {"subscription": subscription.id, "at": MIDDLE}
    with refused("period_not_ended", "at"):
        begun.statements.finalize(id="st_1", subscription=subscription.id)
    made = begun.statements.finalize(id="st_1", **asked)
    begun.subscriptions.cancel(subscription.id)
    clock.set(END)

    assert begun.statements.finalize(id="st_1", **asked) == made
    assert begun.statements.list(subscription=subscription.id) == [made]
    assert begun.statements.list(subscription=other.id) == []
    with refused("statement_conflict", "id", "differs in subscription"):
        begun.statements.finalize(id="st_1", subscription=other.id, at=MIDDLE)
    with refused("period_already_finalized"):
        begun.statements.finalize(id="st_2", **asked)


def test_what_does_not_fit_a_subscription_is_refused(
    begun: metering.Metering, clock: metering.FixedClock
) -> None:
    price = priced(begun)
    subscription = subscribe(begun, price)
    preview = begun.statements.preview

    with refused("resource_missing", "subscription", "No such subscription"):
        preview(subscription="sub_x")
    with refused("parameters_exclusive", "prices"):
        preview(subscription=subscription.id, prices=[price.id])
    with refused("parameter_missing", "customer"):
        preview(prices=[price.id])
    with refused("parameter_missing", "prices"):
        preview(customer="cus_1")
    with refused("parameter_missing", "end_time"):
        preview(subscription=subscription.id, start_time=START)
    with refused("parameter_invalid", "customer", "cus_1, whose subscription"):
        preview(subscription=subscription.id, customer="cus_2")
    with refused("nothing_to_state", "subscription", "no item that is billed"):
        preview(
            subscription=subscription.id, start_time=START - 2 * DAY, end_time=START
        )
    with refused("period_not_ended", "at"):
        preview(subscription=subscription.id, start_time=START, end_time=END)
