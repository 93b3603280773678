"""``metering statements``: an invoice on the screen, runs, drift and exports."""

import csv
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import metering
from tests.metering.cli.running import assert_only_fails, document, lines, run
from tests.metering.statements.usual_statements import tiered
from tests.metering.subscriptions.usual_subscriptions import subscribe
from tests.metering.usual_credits import grant
from tests.metering.usual_usage import create_event


@pytest.fixture(autouse=True)
def stated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A store with a subscription since 40 days; its price, and options that state it."""
    path = tmp_path / "store"
    monkeypatch.setenv("METERING_STORE", str(path))
    with metering.connect(path) as m:
        now = m.now()
        price = tiered(m)
        grant(m, 1_000)
        subscribe(m, price, backdate_start_date=now - timedelta(days=40))
        payload = {"stripe_customer_id": "cus_1", "value": "1200.5"}
        create_event(m, "calls", payload, timestamp=now - timedelta(days=20))
    start, end = now - timedelta(days=21), now - timedelta(days=19)
    options = ("--customer", "cus_1", "--price", price.id)
    times = ("--start", start.isoformat(), "--end", end.isoformat())
    return {"options": (*options, *times), "price": price.id}


def test_a_statement_looks_like_an_invoice(stated: dict[str, Any]) -> None:
    preview = run("statements", "preview", *stated["options"])
    made = document("statements", "finalize", "--id", "st_1", *stated["options"])
    shown = run("statements", "retrieve", "st_1")

    assert "Preview of a statement of cus_1" in preview.output
    words = " ".join(shown.output.split())
    assert "st_1 of cus_1, finalized" in words
    assert "Tokens 1,200.5 111.03" in words
    assert "up to 1,000 1,000 100.00" in words
    assert "further 200.5 11.03" in words
    assert "Subtotal 111.03" in words
    assert "Due 111.03" in words
    assert (made["amount_due"], made["status"]) == (11_103, "finalized")
    assert document("statements", "retrieve", "st_1") == made
    listed = run("statements")
    assert "111.03" in listed.output
    assert lines("statements", "list", "--customer", "cus_1") == [made]
    assert "No statements" in run("statements", "list", "--status", "void").output


def test_a_statement_is_compared_and_voided(stated: dict[str, Any]) -> None:
    run("statements", "finalize", "--id", "st_1", *stated["options"])
    nothing = run("statements", "drift", "st_1")
    [event] = lines("events", "list")
    run("events", "cancel", "calls", event["identifier"])

    why = run("statements", "explain", "st_1").output
    said = document("statements", "explain", "st_1")
    late = lines("explain", "calls", "--customer", "cus_1", "--late", "st_1")
    drift = run("statements", "drift", "st_1")
    found = document("statements", "drift", "st_1")
    void = run("statements", "void", "st_1")

    assert "111.03 USD\n" in why
    assert "1 part, which add up to it" in why
    assert "111.03 USD line il_1: 1,200.5 of" in why
    assert "sum of 1 event" in why
    assert (said["value"], said["adds_up"]) == (11_103, True)
    assert [each["kind"] for each in late] == ["cancellation"]
    assert "would change by nothing" in nothing.output
    assert "would change by -111.03 USD" in drift.output
    assert event["identifier"] in drift.output
    assert (found["amount_change"], len(found["causes"])) == (-11_103, 1)
    assert "Voided st_1 of cus_1" in void.output
    assert_only_fails(
        run("statements", "retrieve", "st_x"), "No such statement: 'st_x'"
    )


def test_a_run_is_told_and_exported(tmp_path: Path) -> None:
    first = run("statements", "run")
    again = document("statements", "run")
    parquet, table = tmp_path / "a.parquet", tmp_path / "a.csv"
    run("statements", "export", "--output", str(parquet))
    run("statements", "export", "--output", str(table))

    assert "Statements: 1 finalized" in first.output
    assert "Due: 111.03 USD" in first.output
    assert (again["finalized"], again["repeated"]) == (0, 1)
    [row] = pq.read_table(parquet).to_pylist()
    assert (row["amount"], len(row["tiers"])) == (11_103, 2)
    with table.open() as file:
        [written] = csv.DictReader(file)
    assert written["quantity"] == "1200.5"
    assert lines("statements", "export")[0]["amount"] == 11_103


def test_a_run_with_one_that_cannot_be_made_says_so(stated: dict[str, Any]) -> None:
    run("statements", "finalize", "--id", "st_1", *stated["options"])

    rejected = run("statements", "run")

    assert rejected.exit_code == 1
    assert "1 rejected" in rejected.output
    assert "Statement st_1 counts usage" in rejected.output
