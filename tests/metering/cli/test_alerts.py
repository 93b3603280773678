"""Alerts at the command line."""

from decimal import Decimal
from pathlib import Path

import pytest

import metering
from tests.metering.cli.running import document, run
from tests.metering.usual_credits import grant
from tests.metering.usual_usage import create_event, create_meter


@pytest.fixture
def target(place: Path) -> Path:
    """A store with a meter."""
    with metering.connect(place) as store:
        create_meter(store)
    return place


def test_an_alert_is_created_and_shows_what_it_triggers(target: Path) -> None:
    assert "No alerts" in run("alerts").stdout
    made = document("alerts", "create", "--meter", "tokens", "--gte", "2")
    assert "Nothing has triggered" in run("alerts", "triggered").stdout
    with metering.connect(target) as store:
        create_event(store)
        position = create_event(store).position

    [found] = document("alerts", "triggered")

    assert made["title"] == "tokens at 2"
    assert found["alert"] == made
    assert (found["customer"], found["value"]) == ("cus_1", 2)
    assert found["event_position"] == position
    assert "tokens at 2" in run("alerts", "triggered", "--customer", "cus_1").stdout
    assert document("alerts", "triggered", "--customer", "cus_2") == []


def test_an_alert_is_changed_and_listed(target: Path) -> None:
    made = document(
        "alerts",
        *("create", "--meter", "tokens", "--gte", "2", "--customer", "cus_1"),
        *("--recurrence", "calendar_day", "--timezone", "Asia/Kolkata"),
        *("--title", "Much"),
    )

    assert document("alerts", "deactivate", made["id"])["status"] == "inactive"
    assert document("alerts", "activate", made["id"])["status"] == "active"
    assert document("alerts", "list", "--meter", "tokens") == [made]
    assert document("alerts", "retrieve", made["id"]) == made
    shown = run("alerts").stdout
    assert "Much" in shown
    assert "calendar_day, Asia/Kolkata" in shown
    assert "archived" in run("alerts", "archive", made["id"]).stdout
    assert document("alerts", "list") == []


def test_an_alert_is_at_a_percentage_of_what_customers_may_use(target: Path) -> None:
    made = document(
        *("alerts", "create", "--meter", "tokens", "--gte", "80"),
        *("--percent-of", "100", "--percent-of", "cus_1=1000.5"),
    )

    allowed = {"quantity": Decimal(100), "customers": {"cus_1": Decimal("1000.5")}}
    assert made["usage_threshold"]["percent_of"] == allowed
    assert made["title"] == "tokens at 80 %"
    assert "80 %" in run("alerts").stdout
    twice = run(
        *("alerts", "create", "--meter", "tokens", "--gte", "80"),
        *("--percent-of", "1", "--percent-of", "2"),
    )
    assert "there twice" in twice.output


def test_an_alert_on_credits_is_created_and_shows_what_it_triggers(
    target: Path,
) -> None:
    made = document("alerts", "create", "--credits-lte", "5.00", "--currency", "USD")
    with metering.connect(target) as store:
        store.credit_grants.void(grant(store, 1_000).id)

    [found] = document("alerts", "triggered")

    assert made["title"] == "Credits at 5.00 USD"
    assert found["alert"] == made
    assert (found["customer"], found["value"]) == ("cus_1", 0)
    assert "0.00" in run("alerts", "triggered").stdout
    shown = run("alerts").stdout
    assert "credits" in shown
    assert "each fall" in shown


def test_an_alert_on_what_unbilled_usage_leaves_is_created_and_shown(
    target: Path,
) -> None:
    made = document(
        *("alerts", "create", "--credits-lte", "5.00", "--currency", "USD"),
        "--unbilled",
    )

    assert made["credit_balance_threshold"]["include_unbilled_usage"] is True
    assert "unbilled" in run("alerts").stdout
    refusal = run(
        *("alerts", "create", "--meter", "tokens", "--gte", "1", "--unbilled")
    )
    assert "--unbilled is of another type" in refusal.output


def test_an_alert_on_spend_is_created_and_shows_what_it_triggers(target: Path) -> None:
    document(
        *("prices", "create", "--product-name", "Tokens", "--currency", "usd"),
        *("--unit-amount", "0.10", "--meter", "tokens", "--lookup-key", "tokens"),
    )
    made = document(
        *("alerts", "create", "--spend-gte", "0.25", "--currency", "USD"),
        *("--price", "tokens"),
    )
    with metering.connect(target) as store:
        create_event(store, payload={"stripe_customer_id": "cus_1", "value": "3"})

    [found] = document("alerts", "triggered")

    assert made["title"] == "Spend at 0.25 USD"
    assert found["alert"] == made
    assert found["value"] == 30
    assert "0.30 USD" in run("alerts", "triggered").stdout
    assert "spend" in run("alerts").stdout
    refusal = run("alerts", "create", "--spend-gte", "1", "--meter", "tokens")
    assert "--meter is of another type" in refusal.output
