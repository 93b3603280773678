"""What usage costs is exact, whatever the price, the quantity and the currency.

The oracle works with fractions and shares no code with the kernel. The laws are those of
https://docs.stripe.com/products-prices/pricing-models.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import metering
from tests.empty_stores import empty_store
from tests.oracles.rating import cost, rounded, tiers_reached

QUANTITY = pa.decimal128(38, 12)
UNIT = Decimal("1E-12")
AMOUNTS = st.one_of(
    st.integers(0, 10**9).map(lambda units: Decimal(units).scaleb(-12)),
    st.integers(0, 1_999).map(lambda halves: Decimal(halves) / 2),
    st.decimals(0, 999, places=12),
)
ENDS = [1, 2, 10, 1_000, 10**6, 10**12]
SMALL = st.integers(-(10**13), 10**16).map(lambda units: Decimal(units).scaleb(-12))
LARGE = st.integers(0, 10**14).map(Decimal)
# At the borders, and one unit beside them.
BORDERS = st.tuples(
    st.sampled_from([0, *ENDS]), st.sampled_from([-UNIT, Decimal(0), UNIT])
).map(lambda both: Decimal(both[0]) + both[1])
QUANTITIES = st.one_of(SMALL, LARGE, BORDERS)
LONGEST = Decimal("999999999999999999.999999999999")


@st.composite
def tiers(draw: st.DrawFn) -> list[dict[str, Any]]:
    ends = sorted(draw(st.sets(st.sampled_from(ENDS), max_size=4)))
    drawn = []
    for end in [*ends, "inf"]:
        tier: dict[str, Any] = {"up_to": end}
        if draw(st.booleans()):
            tier["flat_amount"] = draw(st.integers(0, 10**6))
        if "flat_amount" not in tier or draw(st.booleans()):
            tier["unit_amount_decimal"] = draw(AMOUNTS)
        drawn.append(tier)
    return drawn


@st.composite
def prices(draw: st.DrawFn) -> dict[str, Any]:
    price: dict[str, Any] = {"currency": draw(st.sampled_from(["usd", "jpy", "kwd"]))}
    kind = draw(st.sampled_from(["per_unit", "package", "graduated", "volume"]))
    if kind in {"graduated", "volume"}:
        return price | {
            "billing_scheme": "tiered",
            "tiers_mode": kind,
            "tiers": draw(tiers()),
            "recurring": {"interval": "month"},
        }
    if kind == "package":
        price["transform_quantity"] = {
            "divide_by": draw(st.sampled_from([1, 7, 60, 10**9])),
            "round": draw(st.sampled_from(["up", "down"])),
        }
    return price | {"unit_amount_decimal": draw(AMOUNTS)}


@pytest.fixture(scope="module")
def store() -> Iterator[metering.Metering]:
    with empty_store() as opened:
        yield opened


def rate(
    m: metering.Metering, lines: Sequence[tuple[Mapping[str, Any], Decimal]]
) -> list[dict[str, Any]]:
    """Create the prices, and rate all lines at once."""
    ids = [
        m.prices.create(product_data={"name": "a"}, **price).id for price, _ in lines
    ]
    quantities = pa.array([quantity for _, quantity in lines], QUANTITY)
    rated = m.rate(usage=pa.table({"price": ids, "quantity": quantities}))
    found: list[dict[str, Any]] = rated.to_pylist()
    return found


@given(st.lists(st.tuples(prices(), QUANTITIES), min_size=1, max_size=6))
@example([({"currency": "usd", "unit_amount_decimal": UNIT}, LONGEST)])
@example([({"currency": "usd", "unit_amount_decimal": Decimal("0.5")}, Decimal(1))])
def test_every_amount_agrees_with_the_oracle(
    store: metering.Metering, lines: list[tuple[dict[str, Any], Decimal]]
) -> None:
    rated = rate(store, lines)

    for (price, quantity), line in zip(lines, rated, strict=True):
        exact = Fraction(quantity)
        assert line["amount"] == rounded(cost(price, exact))
        assert line["is_negative"] is (quantity < 0)
        assert line["currency"] == price["currency"]
        wanted = (
            tiers_reached(price, max(exact, Fraction(0))) if "tiers" in price else []
        )
        assert [
            (each["up_to"], Fraction(each["quantity"])) for each in line["tiers"]
        ] == [(each.up_to, each.quantity) for each in wanted]
        reached = Fraction(0)
        before = 0
        for each, exactly in zip(line["tiers"], wanted, strict=True):
            reached += exactly.cost
            assert each["amount"] == rounded(reached) - before
            before += each["amount"]


@given(tiers(), QUANTITIES, QUANTITIES)
def test_a_graduated_sum_splits_over_its_tiers(
    store: metering.Metering,
    drawn: list[dict[str, Any]],
    one: Decimal,
    other: Decimal,
) -> None:
    price = {
        "currency": "usd",
        "billing_scheme": "tiered",
        "tiers_mode": "graduated",
        "tiers": drawn,
        "recurring": {"interval": "month"},
    }
    [line] = rate(store, [(price, abs(one) + abs(other))])

    parts = line["tiers"]
    assert sum(each["quantity"] for each in parts) == abs(one) + abs(other)
    assert sum(each["amount"] for each in parts) == line["amount"]
    start = 0
    for each in parts[:-1]:
        assert each["quantity"] == each["up_to"] - start
        start = each["up_to"]


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [("10", 100), ("10.000000000001", 50), ("20", 100), ("20.000000000001", 27)],
)
def test_a_volume_price_jumps_exactly_behind_a_border(
    store: metering.Metering, quantity: str, amount: int
) -> None:
    price = {
        "currency": "usd",
        "billing_scheme": "tiered",
        "tiers_mode": "volume",
        "tiers": [
            {"up_to": 10, "unit_amount_decimal": "10"},
            {"up_to": 20, "unit_amount_decimal": "5"},
            {"up_to": "inf", "unit_amount_decimal": "1", "flat_amount": 7},
        ],
        "recurring": {"interval": "month"},
    }

    [line] = rate(store, [(price, Decimal(quantity))])

    assert line["amount"] == amount
    assert [each["amount"] for each in line["tiers"]] == [amount]


@pytest.mark.parametrize(
    ("quantity", "up", "down"),
    [
        ("0", 0, 0),
        ("0.000000000001", 5, 0),
        ("60", 5, 5),
        ("60.5", 10, 5),
        ("150", 15, 10),
    ],
)
def test_packages_that_are_begun_count_or_not(
    store: metering.Metering, quantity: str, up: int, down: int
) -> None:
    prices = [
        {
            "currency": "usd",
            "unit_amount_decimal": "5",
            "transform_quantity": {"divide_by": 60, "round": each},
        }
        for each in ("up", "down")
    ]

    lines = rate(store, [(price, Decimal(quantity)) for price in prices])

    assert [each["amount"] for each in lines] == [up, down]
