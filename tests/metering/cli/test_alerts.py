"""Alerts at the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import metering
from metering.cli.app import app
from tests.metering.usual_usage import create_event, create_meter


@pytest.fixture
def target(tmp_path: Path) -> str:
    """A store with a meter."""
    target = str(tmp_path / "usage")
    with metering.connect(target) as store:
        create_meter(store)
    return target


def alerts(target: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["alerts", *arguments, "--store", target])


def document(target: str, *arguments: str) -> Any:
    result = alerts(target, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_alert_is_created_and_shows_what_it_triggers(target: str) -> None:
    assert "No alerts" in alerts(target).stdout
    made = document(target, "create", "--meter", "tokens", "--gte", "2")
    assert "Nothing has triggered" in alerts(target, "triggered").stdout
    with metering.connect(target) as store:
        create_event(store)
        position = create_event(store).position

    [found] = document(target, "triggered")

    assert made["title"] == "tokens at 2"
    assert found["alert"] == made
    assert (found["customer"], found["value"]) == ("cus_1", 2)
    assert found["event_position"] == position
    assert "tokens at 2" in alerts(target, "triggered", "--customer", "cus_1").stdout
    assert document(target, "triggered", "--customer", "cus_2") == []


def test_an_alert_is_changed_and_listed(target: str) -> None:
    made = document(
        target,
        *("create", "--meter", "tokens", "--gte", "2", "--customer", "cus_1"),
        *("--recurrence", "calendar_day", "--timezone", "Asia/Kolkata"),
        *("--title", "Much"),
    )

    assert document(target, "deactivate", made["id"])["status"] == "inactive"
    assert document(target, "activate", made["id"])["status"] == "active"
    assert document(target, "list", "--meter", "tokens") == [made]
    assert document(target, "retrieve", made["id"]) == made
    shown = alerts(target).stdout
    assert "Much" in shown
    assert "calendar_day, Asia/Kolkata" in shown
    assert "archived" in alerts(target, "archive", made["id"]).stdout
    assert document(target, "list") == []


def test_what_is_refused_is_told_in_a_line(target: str) -> None:
    result = alerts(target, "archive", "alrt_1")

    assert result.exit_code == 1
    assert "No such billing alert" in result.output


def test_an_alert_on_credits_is_created_and_shows_what_it_triggers(
    target: str,
) -> None:
    made = document(target, "create", "--credits-lte", "5.00", "--currency", "USD")
    with metering.connect(target) as store:
        granted = store.credit_grants.create(
            customer="cus_1",
            amount={
                "type": "monetary",
                "monetary": {"currency": "usd", "value": 1_000},
            },
            applicability_config={"scope": {"price_type": "metered"}},
        )
        store.credit_grants.void(granted.id)

    [found] = document(target, "triggered")

    assert made["title"] == "Credits at 5.00 USD"
    assert found["alert"] == made
    assert (found["customer"], found["value"]) == ("cus_1", 0)
    assert "0.00" in alerts(target, "triggered").stdout
    shown = alerts(target).stdout
    assert "credits" in shown
    assert "each fall" in shown


def test_options_of_both_types_of_alerts_are_refused(target: str) -> None:
    both = alerts(target, "create", "--credits-lte", "5", "--gte", "2")
    neither = alerts(target, "create")

    assert both.exit_code == neither.exit_code == 2
    assert "--gte is of the other type" in both.output
    assert "--credits-lte" in neither.output
