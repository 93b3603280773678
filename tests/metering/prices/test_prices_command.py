"""``metering products`` and ``metering prices``: made, shown, listed and tried."""

from decimal import Decimal
from pathlib import Path

import pytest

import metering
from tests.metering.cli.running import (
    assert_malformed,
    assert_only_fails,
    document,
    run,
)
from tests.metering.usual_usage import create_meter


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a store with a meter of tokens."""
    path = tmp_path / "store"
    monkeypatch.setenv("METERING_STORE", str(path))
    with metering.connect(path) as m:
        create_meter(m)
    return path


def test_a_graduated_price_is_made_listed_and_tried() -> None:
    product = document(
        *("products", "create", "--name", "Tokens", "--unit-label", "token")
    )
    price = document(
        *("prices", "create", "--product", product["id"], "--currency", "usd"),
        *("--tier", "1000=0+5.00", "--tier", "inf=0.0025", "--meter", "tokens"),
        *("--lookup-key", "tokens"),
    )

    assert price["tiers"][1]["unit_amount_decimal"] == Decimal("0.25")
    assert price["recurring"]["interval"] == "month"
    shown = run("prices", "retrieve", "tokens")
    assert "0.00 USD each and 5.00 USD once" in shown.output
    assert "0.0025 USD each" in shown.output
    listed = run("prices")
    assert "2 tiers, graduated, USD" in listed.output
    assert "every month, tokens" in listed.output
    assert document("prices", "list")[0]["id"] == price["id"]
    tried = run("prices", "rate", "tokens", "1010.5")
    assert "1,010.5 cost 5.03 USD" in tried.output
    line = document("prices", "rate", "tokens", "1010.5")
    assert (line["amount"], len(line["tiers"])) == (503, 2)


def test_a_price_of_packages_is_switched_off_and_on() -> None:
    price = document(
        *("prices", "create", "--product-name", "Seats", "--currency", "jpy"),
        *("--unit-amount", "0.5", "--package", "10", "--every", "week"),
        *("--interval-count", "2", "--nickname", "n", "--metadata", "a=b"),
    )

    assert price["unit_amount_decimal"] == Decimal("0.5")
    assert price["transform_quantity"] == {"divide_by": 10, "round": "up"}
    assert "0.5 JPY / 10" in run("prices").output
    assert "every 2 weeks" in run("prices").output
    assert "is not active" in run("prices", "deactivate", price["id"]).output
    assert "No active prices" in run("prices").output
    assert price["id"] in run("prices", "--inactive").output
    assert "is active" in run("prices", "activate", price["id"]).output
    assert "Seats" in run("products").output
    product = price["product"]
    assert "is not active" in run("products", "deactivate", product).output
    assert "is active" in run("products", "activate", product).output
    assert "Seats" in run("products", "retrieve", product).output


CREATE = ("prices", "create", "--product-name", "a", "--currency", "usd")


def test_bad_prices_are_one_line() -> None:
    assert_malformed(run(*CREATE, "--tier", "1000"), "UP_TO=AMOUNT")
    assert_malformed(run(*CREATE, "--tier", "x=1"), "neither a whole number nor inf")
    assert_only_fails(run(*CREATE, "--unit-amount", "a"), "--unit-amount")
    fine = run(*CREATE, "--unit-amount", "0." + "0" * 14 + "1")
    assert_only_fails(fine, "--unit-amount", "too fine")
    assert_only_fails(run(*CREATE), "Prices require")
    assert_only_fails(run("prices", "retrieve", "x"), "No such price")
    assert_only_fails(run("prices", "rate", "x", "a lot"), "QUANTITY")


def test_products_and_prices_are_searched_and_a_product_deleted() -> None:
    product = document("products", "create", "--name", "Gone", "--metadata", "a=b")
    price = document(
        *("prices", "create", "--product-name", "Kept", "--currency", "usd"),
        *("--unit-amount", "1", "--metadata", "a=b"),
    )

    assert document("products", "search", "metadata['a']:'b'")[0]["id"] == product["id"]
    assert document("prices", "search", "metadata['a']:'b'")[0]["id"] == price["id"]
    assert "Deleted" in run("products", "delete", product["id"]).output
    assert "No such products." in run("products", "search", "name:gone").output
    refusal = run("products", "delete", price["product"])
    assert refusal.exit_code == 1
    assert "user-created prices" in refusal.output
