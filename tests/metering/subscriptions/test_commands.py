"""``metering customers`` and ``metering subscriptions``: made, shown, changed and ended."""

from pathlib import Path

import pytest

import metering
from tests.metering.cli.running import (
    assert_malformed,
    assert_only_fails,
    document,
    run,
)
from tests.metering.subscriptions.usual_subscriptions import (
    licensed_price,
    metered_price,
)


@pytest.fixture(autouse=True)
def prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The ids of prices in a store: a metered one, one of its meter, and a licensed one."""
    path = tmp_path / "store"
    monkeypatch.setenv("METERING_STORE", str(path))
    with metering.connect(path) as m:
        tokens = metered_price(m)
        m.prices.update(tokens.id, lookup_key="tokens")
        return {
            "tokens": tokens.id,
            "more": metered_price(m).id,
            "seats": licensed_price(m).id,
        }


def test_a_customer_is_made_shown_changed_and_deleted() -> None:
    made = document("customers", "create", "--name", "Ada", "--email", "a@example.com")
    document("customers", "create", "--metadata", "a=b")

    assert "Ada" in run("customers", "retrieve", made["id"]).output
    assert made["id"] in run("customers").output
    [listed] = document("customers", "--email", "a@example.com")
    assert listed == made
    changed = document(
        *("customers", "update", made["id"], "--phone", "1", "--metadata", "a=b")
    )
    assert (changed["name"], changed["phone"]) == ("Ada", "1")
    assert f"Deleted {made['id']}" in run("customers", "delete", made["id"]).output
    assert "deleted" in run("customers", "retrieve", made["id"]).output
    gone = run("customers", "delete", made["id"])
    assert_only_fails(gone, "No such customer")


def test_a_subscription_is_made_changed_and_ended(prices: dict[str, str]) -> None:
    made = document(
        *("subscriptions", "create", "--customer", "cus_1", "--price", "tokens"),
        *("--price", f"{prices['seats']}=3", "--trial-days", "7", "--metadata", "a=b"),
    )
    tokens, seats = (each["id"] for each in made["items"]["data"])

    assert (made["status"], made["metadata"]) == ("trialing", {"a": "b"})
    listed = run("subscriptions", "--customer", "cus_1", "--price", "tokens").output
    assert "Tokens, 3 \u00d7 Tokens" in listed
    assert document("subscriptions", "--status", "active") == []
    assert seats in run("subscriptions", "retrieve", made["id"]).output
    changed = document(
        *("subscriptions", "update", made["id"], "--end-trial"),
        *(
            "--item",
            f"{tokens}={prices['more']}",
            "--item",
            f"{seats}={prices['seats']}=5",
        ),
    )
    assert [
        (each["price"]["id"], each["quantity"]) for each in changed["items"]["data"]
    ] == [(prices["more"], None), (prices["seats"], 5)]
    fewer = document(
        *("subscriptions", "update", made["id"], "--remove", tokens, "--add", "tokens")
    )
    assert fewer["items"]["data"][0]["id"] == seats
    ending = document(
        *("subscriptions", "cancel", made["id"], "--at-period-end", "--comment", "c")
    )
    assert ending["cancel_at_period_end"]
    kept = document("subscriptions", "update", made["id"], "--keep")
    assert kept["cancel_at"] is None
    assert "paused" in run("subscriptions", "pause", made["id"]).output
    assert "active" in run("subscriptions", "resume", made["id"]).output
    ended = document("subscriptions", "cancel", made["id"], "--feedback", "unused")
    assert (ended["status"], ended["cancellation_details"]["comment"]) == (
        "canceled",
        "c",
    )


def test_a_subscription_begins_when_that_is_said() -> None:
    made = document(
        *("subscriptions", "create", "--customer", "cus_1", "--price", "tokens"),
        *("--start", "2026-01-31T08:00:00Z", "--at-period-end"),
    )

    assert made["start_date"] == "2026-01-31T08:00:00Z"
    assert made["cancel_at"] == made["items"]["data"][0]["current_period_end"]


def test_what_is_malformed_is_refused(prices: dict[str, str]) -> None:
    create = ("subscriptions", "create", "--customer", "cus_1", "--price")

    assert_only_fails(run(*create, f"{prices['seats']}=x"), "Invalid --price: 'x'")
    assert_only_fails(run(*create, "none"), "No such price: 'none'")
    item = run("subscriptions", "update", "sub_x", "--item", "si_x")
    assert_malformed(item, "is not ITEM=PRICE")
