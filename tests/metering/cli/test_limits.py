"""``metering limits``: made, changed, ended."""

from pathlib import Path

import pytest

import metering
from tests.metering.cli.running import assert_only_fails, document, run
from tests.metering.limits.usual_limits import priced

CREATE = ["limits", "create", "--customer", "cus_1", "--currency", "usd"]


@pytest.fixture
def price(place: Path) -> str:
    with metering.connect(place) as m:
        return priced(m)


def test_a_limit_is_made_changed_and_ended(price: str) -> None:
    more = ["--window", "day", "--warn-at", "90", "--warn-at", "50", "--id", "cap"]
    run(*CREATE, "--amount", "8.00", "--price", price, *more)

    shown = run("limits", "retrieve", "cap").stdout
    assert "8.00 USD a day" in shown
    assert "50 %, 90 %" in shown
    run("limits", "update", "cap", "--amount", "9", "--metadata", "a=b")
    [listed] = document("limits")
    assert (listed["amount"]["monetary"]["value"], listed["warn_at"]) == (900, [50, 90])
    assert listed["metadata"] == {"a": "b"}
    assert run("limits", "list").stdout.split()[-1] == "cap"
    assert run("limits", "cancel", "cap").stdout == (
        "Canceled cap: 9.00 USD a day of cus_1\n"
    )
    assert run("limits").stdout == "No limits; make one with limits create.\n"
    assert_only_fails(run("limits", "cancel", "cap"), "canceled already")
