"""Statements that are refused: nothing is recorded, and the parameter is named."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import metering
from tests.metering.refusals import refused
from tests.metering.statements.usual_statements import END, START, february, priced, use
from tests.metering.usual_credits import apply, balance, grant, run
from tests.metering.usual_prices import create_price
from tests.metering.usual_usage import NOW

DAY = timedelta(days=1)

REFUSED: list[tuple[dict[str, Any], str, str, str]] = [
    ({"customer": ""}, "parameter_invalid", "customer", "1 to 500"),
    ({"prices": []}, "parameter_invalid", "prices", "1 to 1000"),
    ({"prices": "price_1"}, "parameter_invalid", "prices", "list"),
    ({"prices": ["price_x"]}, "resource_missing", "prices[0]", "price_x"),
    ({"start_time": END, "end_time": START}, "parameter_invalid", "end_time", "after"),
    ({"start_time": "soon"}, "timestamp_invalid", "start_time", "soon"),
    ({"end_time": NOW + DAY}, "period_not_ended", "at", "2026-03-02T12:00:00.000Z"),
    ({"at": NOW + DAY}, "parameter_invalid", "at", "or before"),
    ({"at": START}, "parameter_invalid", "at", "after start_time"),
]


@pytest.mark.parametrize(("given", "code", "param", "words"), REFUSED)
@pytest.mark.parametrize("name", ["preview", "finalize"])
def test_a_malformed_statement_is_refused(  # what is said of each
    store: metering.Metering,
    name: str,
    given: dict[str, Any],
    code: str,
    param: str,
    words: str,
) -> None:
    price = priced(store)
    position = store.position
    method: Callable[..., object] = getattr(store.statements, name)
    named = {"id": "st_1"} if name == "finalize" else {}

    with refused(code, param, words):
        method(**named, **february(price, **given))

    assert store.position == position


def test_prices_are_metered_different_and_of_one_currency(
    store: metering.Metering,
) -> None:
    price, euros = priced(store), priced(store, "calls", currency="eur")
    licensed = create_price(store, recurring={"interval": "month"})

    with refused("parameter_invalid", "prices[1]", "a price in usd", "not eur"):
        store.statements.preview(**february(price, euros))
    with refused("parameter_invalid", "prices[1]", "another price"):
        store.statements.preview(**february(price, price))
    with refused("parameter_invalid", "prices[0]", "a metered price"):
        store.statements.preview(**february(licensed))


def test_an_amount_of_too_many_digits_is_refused(store: metering.Metering) -> None:
    price = priced(store, unit_amount=100)
    use(store, "999999999999999999")

    with refused("amount_too_large", "prices[0]", "at most 18 digits"):
        store.statements.preview(**february(price))


def test_credits_of_a_statement_come_back_by_voiding_it_alone(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    clock.set(START)
    price = priced(store)
    grant(store, 1_000)
    clock.set(NOW)
    use(store, "3")
    made = store.statements.finalize(id="st_1", **february(price))
    assert made.credits_applied == 30
    left = balance(store)

    with refused("invoice_is_statement", "invoice", "void it"):
        store.credits.reinstate(invoice="st_1")
    with refused("invoice_is_statement", "invoice"):
        apply(store, "st_1", replace=True)
    back = store.credits.reinstate_many(["st_1"])
    again = store.credits.apply_many(run({"invoice": "st_1"}), replace=True)

    for receipt in (back, again):
        [rejection] = receipt.rejections.to_pylist()
        assert rejection["code"] == "invoice_is_statement"
    assert balance(store) == left
    store.statements.void("st_1")
    assert balance(store) == {"usd": (1_000, 1_000)}
    store.credits.reinstate(invoice="st_1")


def test_an_id_that_an_invoice_has_is_refused(store: metering.Metering) -> None:
    price = priced(store)
    apply(store, "in_1")

    with refused("invoice_conflict", "id", "under another id"):
        store.statements.finalize(id="in_1", **february(price))


def test_what_is_not_there_cannot_be_read_or_voided(store: metering.Metering) -> None:
    for method in (store.statements.retrieve, store.statements.void):
        with refused("resource_missing", "id", "No such statement: 'st_x'"):
            method("st_x")
    with refused("resource_missing", "starting_after"):
        store.statements.list(starting_after="st_x")
