"""Usage is rated by meter or by price, and refused by row and column."""

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_prices import TIERS, create_price, metered
from tests.metering.usual_usage import NOW, create_event, create_meter


def usage(**columns: Any) -> pa.Table:
    return pa.table(columns)


def test_usage_of_a_meter_has_a_line_for_each_price_of_it(connect: Connect) -> None:
    m = connect(clock=metering.FixedClock(NOW))
    tokens = create_meter(m)
    calls = create_meter(m, event_name="calls")
    for customer, value in (("cus_1", "1000.5"), ("cus_2", "-3")):
        payload = {"stripe_customer_id": customer, "value": value}
        create_event(m, payload=payload)
        create_event(m, event_name="calls", payload=payload)
    each = create_price(m, unit_amount=2, recurring=metered(tokens.id))
    tiered = create_price(m, tiers=TIERS, recurring=metered(tokens.id))
    other = create_price(m, recurring=metered(create_meter(m, event_name="x").id))
    used = m.usage(window="month")

    rated = m.rate(usage=used, prices=[tiered.id, other.id, each.id])

    assert rated.schema.metadata == used.schema.metadata
    assert rated.column_names == [
        *used.column_names, "price", "currency", "amount", "is_negative", "tiers",
    ]  # fmt: skip
    assert calls.id not in rated["meter"].to_pylist()
    lines = rated.select(["customer", "price", "amount", "is_negative"]).to_pylist()
    assert [tuple(line.values()) for line in lines] == [
        ("cus_1", tiered.id, 10_103, False),
        ("cus_1", each.id, 2_001, False),
        ("cus_2", tiered.id, 0, True),
        ("cus_2", each.id, 0, True),
    ]
    assert rated["tiers"][0].as_py() == [
        {"up_to": 1_000, "quantity": Decimal(1_000), "amount": 10_000},
        {"up_to": None, "quantity": Decimal("0.5"), "amount": 103},
    ]
    assert rated["tiers"][1].as_py() == []


def test_each_row_is_rated_in_its_currency(store: metering.Metering) -> None:
    price = create_price(
        store, currency_options={"jpy": {"unit_amount_decimal": "1500.5"}}
    )
    ids = pa.array([price.id] * 2).dictionary_encode()

    lines = store.rate(usage=usage(price=ids, quantity=[3, 3], currency=["USD", "jpy"]))
    yen = store.rate(usage=usage(price=[price.id], value=[3]), currency="jpy")

    assert lines["amount"].to_pylist() == [30, 4_502]
    assert yen["amount"].to_pylist() == [4_502]
    assert yen["currency"].to_pylist() == ["jpy"]


def test_an_inactive_price_rates_what_it_is_asked(store: metering.Metering) -> None:
    price = create_price(store, active=False)

    rated = store.rate(usage=usage(price=[price.id], quantity=[7]), prices=[price.id])

    assert rated["amount"].to_pylist() == [70]


def test_nothing_costs_nothing(store: metering.Metering) -> None:
    empty = usage(price=pa.array([], pa.string()), quantity=pa.array([], pa.int64()))

    assert store.rate(usage=empty).num_rows == 0


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"quantity": [1]}, "usage", "neither a column 'price' nor a column 'meter'"),
    ({"price": ["p"]}, "usage", "neither a column 'quantity' nor a column 'value'"),
    ({"price": [None], "quantity": [1]}, "usage[price]", "has no price in row 0"),
    ({"price": ["p", "p"], "quantity": [1, None]}, "usage[quantity]", "in row 1"),
    ({"price": ["p"], "quantity": [0.5]}, "quantity", "give integers or decimals"),
    (
        {"price": ["p"], "quantity": [Decimal("1E-13")]},
        "usage[quantity]",
        "at most 12 are fractions",
    ),
    ({"price": ["p"], "quantity": [1], "tiers": [1]}, "usage[tiers]", "another name"),
    (
        {"price": ["p"], "quantity": [1], "currency": ["kwd"]},
        "usage[currency]",
        "one that price p has: usd",
    ),
    (
        {"price": ["p"], "quantity": [10**18]},
        "usage[quantity]",
        "The quantity of line 0 is too large",
    ),
    (
        {"price": ["p", "p"], "quantity": [1, 10**18 - 1]},
        "usage[amount]",
        "The amount of line 1 is too large",
    ),
]


@pytest.mark.parametrize(("columns", "param", "message"), REFUSED, ids=str)
def test_bad_usage_is_refused_by_row_and_column(
    store: metering.Metering, columns: dict[str, Any], param: str, message: str
) -> None:
    price = create_price(store).id
    if "price" in columns:
        named = [price if each else None for each in columns["price"]]
        columns = {**columns, "price": pa.array(named, pa.string())}

    with pytest.raises(metering.MeteringError) as refusal:
        store.rate(usage=usage(**columns))

    assert refusal.value.param == param
    assert message.replace("price p ", f"price {price} ") in refusal.value.message


def test_bad_prices_are_refused(store: metering.Metering) -> None:
    once, monthly = create_price(store), create_meter(store)
    rows = usage(price=[once.id], quantity=[1])
    of_meter = usage(meter=[monthly.id], value=[1])

    with refused("resource_missing", "usage[price]"):
        store.rate(usage=usage(price=["price_x"], quantity=[1]))
    with refused("resource_missing", "prices[0]"):
        store.rate(usage=rows, prices=["price_x"])
    with refused(None, "prices[1]"):
        store.rate(usage=rows, prices=[once.id, once.id])
    with refused("parameter_missing", "prices"):
        store.rate(usage=of_meter)
    with refused(None, "prices[0]", "a metered price"):
        store.rate(usage=of_meter, prices=[once.id])
    with refused(None, "usage[price]", "one of prices"):
        store.rate(usage=rows, prices=[create_price(store).id])
    with refused(None, "currency", "one that price"):
        store.rate(usage=rows, currency="eur")
    with pytest.raises(metering.SourceError, match="give an Arrow table or stream"):
        store.rate(usage=[{"price": once.id, "quantity": 1}])
