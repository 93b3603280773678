"""Usage records at the command line: a price, a record, what a period comes to."""

from pathlib import Path

import pytest

from tests.metering.cli.running import assert_only_fails, document, run


@pytest.fixture(autouse=True)
def item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("METERING_STORE", str(tmp_path / "store"))
    price = document(
        *("prices", "create", "--product-name", "Calls", "--currency", "usd"),
        *("--unit-amount", "0.10", "--aggregate-usage", "max"),
    )
    made = document(
        *("subscriptions", "create", "--customer", "cus_1", "--price", price["id"])
    )
    return str(made["items"]["data"][0]["id"])


def test_usage_is_recorded_and_listed_by_period(item: str) -> None:
    record = ("subscriptions", "record-usage", item, "--quantity")

    added = run(*record, "1200", "--identifier", "job-1").output
    again = document(*record, "1200", "--identifier", "job-1")
    document(*record, "7", "--action", "set", "--timestamp", again["timestamp"])
    [listed] = document("subscriptions", "recorded-usage", item)

    assert added.startswith("Added 1,200 at ")
    assert (again["id"], again["duplicate"]) == ("job-1", True)
    assert (listed["total_usage"], listed["invoice"]) == (7, None)
    assert "usage" in run("subscriptions", "recorded-usage", item).output
    assert "max of usage records" in run("prices").output


def test_what_cannot_be_recorded_is_one_clear_line(item: str) -> None:
    record = ("subscriptions", "record-usage")

    old = run(*record, item, "--quantity", "1", "--timestamp", "2020-01-01T00:00:00Z")
    assert_only_fails(old, "timestamps must be after")
    none = run(*record, "si_none", "--quantity", "1")
    assert_only_fails(none, "No such subscription_item: 'si_none'")
