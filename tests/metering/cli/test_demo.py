import json
import re
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

import metering
from metering.cli.app import app
from metering.cli.demo.traffic import HOURS, Traffic, floor_hour
from tests.programs import Program

END = datetime(2025, 3, 2, 12, tzinfo=UTC)


def demo(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["demo", *(str(each) for each in arguments)])


def demo_document(*arguments: str | Path) -> Mapping[str, Any]:
    result = demo(*arguments, "--json")
    assert result.exit_code == 0
    stages = json.loads(result.stdout, parse_float=Decimal)["stages"]
    return {stage["stage"]: stage for stage in stages}


def input_tokens(traffic: Traffic) -> Counter[str]:
    """Add up input tokens by customer in plain Python, the first of equal events."""
    disputed = traffic.disputed_event()
    assert disputed is not None
    left_out = {disputed.identifier}
    totals: Counter[str] = Counter()
    for batch in traffic.batches(1000):
        for row in batch.to_pylist():
            if row["event_name"] == "input_tokens":
                if row["identifier"] not in left_out:
                    totals[row["stripe_customer_id"]] += int(row["value"])
                left_out.add(row["identifier"])
    return totals


def traffic_of(store: Path, rows: int) -> Traffic:
    with metering.connect(store) as m:
        created = {meter.event_name: meter.created for meter in m.meters.list()}
    return Traffic(rows=rows, end=floor_hour(created["requests"]), seed=1)


def test_demo_meters_its_traffic_exactly(tmp_path: Path) -> None:
    stages = demo_document("--events", "5000", "--store", tmp_path / "demo")

    assert stages["sent"]["accepted"] == 4950
    assert stages["sent"]["duplicates"] == 49
    assert stages["sent"]["rejected"] == 1
    assert "differs in value" in stages["sent"]["first_rejection"]
    assert stages["corrected"]["cancelled"] == 24
    dispute = stages["dispute"]
    assert dispute["before"] - dispute["after"] == dispute["value"] > 0
    expected = input_tokens(traffic_of(tmp_path / "demo", 5000))
    expected[dispute["customer"]] += int(dispute["value"])
    for usage in stages["top_customers"]["customers"]:
        assert usage["input_tokens"] == expected[usage["customer"]]
        assert sum(usage["input_tokens_by_hour"]) == usage["input_tokens"]
        assert len(usage["input_tokens_by_hour"]) == HOURS
    assert stages["verified"]["ok"] is True
    watched = stages["watched"]
    assert watched["alert"]["usage_threshold"]["gte"] == 25
    # It triggers at the very request, on a meter that counts.
    assert {each["value"] for each in watched["triggered"]} == {25}
    # Five meters, an alert, 4950 events, 25 cancellations, four grants, one invoice.
    facts = 5 + 1 + len(watched["triggered"]) + 25 + 5
    assert stages["verified"]["entries"] == 4950 + facts


def test_demo_run_again_finds_only_duplicates(tmp_path: Path) -> None:
    first = demo_document("--events", "5000", "--store", tmp_path / "demo")
    again = demo_document("--events", "5000", "--store", tmp_path / "demo")

    assert again["sent"]["accepted"] == 0
    assert again["sent"]["duplicates"] == 4999
    assert again["dispute"]["was_cancelled"] is True
    assert again["dispute"]["before"] == first["dispute"]["after"]
    assert again["verified"] == first["verified"]


def test_demo_pays_an_invoice_with_credits_once(tmp_path: Path) -> None:
    first = demo_document("--events", "5000", "--store", tmp_path / "demo")["prepaid"]
    again = demo_document("--events", "5000", "--store", tmp_path / "demo")["prepaid"]

    drawn = [
        each["debit"]["amount"]["monetary"]["value"] for each in first["transactions"]
    ]
    assert first["was_applied"] is False
    assert sum(drawn) == sum(line["amount"] for line in first["lines"]) > 0
    (balance,) = first["balance"]["balances"]
    assert balance["available_balance"]["monetary"]["value"] == 350_00 - sum(drawn)
    assert balance["ledger_balance"]["monetary"]["value"] == 500_00 - sum(drawn)
    # The trial's end, Welcome's end as Next month begins, Next month's end.
    assert len(first["history"]) >= 4
    assert first["history"][-1]["available_balance"] == 200_00
    assert again == {**first, "was_applied": True}


def test_demo_of_other_usage_leaves_an_applied_invoice_as_it_is(tmp_path: Path) -> None:
    store = tmp_path / "demo"
    first = demo_document("--events", "5000", "--store", store)["prepaid"]
    demo("--events", "4000", "--store", store)

    again = demo_document("--events", "5000", "--store", store)["prepaid"]

    assert again["was_applied"] is True
    assert again["lines"] != first["lines"]
    assert again["transactions"] == first["transactions"]


def test_demo_lives_with_other_credits_of_its_customer(tmp_path: Path) -> None:
    store = str(tmp_path / "demo")
    customer = demo_document("--events", "500", "--store", store)["prepaid"]["customer"]
    with metering.connect(store) as m:
        m.credit_grants.create(
            customer=customer,
            amount={"type": "monetary", "monetary": {"currency": "eur", "value": 5}},
            applicability_config={"scope": {"price_type": "metered"}},
        )

    result = demo("--events", "500", "--store", store)

    assert result.exit_code == 0
    assert "It was applied by an earlier run" in result.stdout


def test_demo_interrupted_and_run_again_comes_to_the_same(tmp_path: Path) -> None:
    store, rows = tmp_path / "demo", 100_000
    arguments = ["demo", "--events", str(rows), "--store", str(store)]
    with Program(*arguments) as program:
        assert "language-model API" in program.stdout.readline()
        program.send_signal(signal.SIGINT)
        complaint = program.stderr.read()
        assert program.wait() == 130

    assert complaint.startswith("metering: Interrupted; ")
    assert complaint.endswith("nothing counts twice\n")
    assert complaint.count("\n") == 1

    stages = demo_document("--events", str(rows), "--store", store)

    assert stages["verified"]["ok"] is True
    facts = 5 + 1 + len(stages["watched"]["triggered"]) + 25 + 5
    assert stages["verified"]["entries"] == 99_000 + facts
    expected = input_tokens(traffic_of(store, rows))
    dispute = stages["dispute"]
    assert dispute["after"] == expected[dispute["customer"]]


def test_demo_shows_commands_that_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["metering/cli/__main__.py"])
    shown = demo("--events", "5000", "--store", tmp_path / "demo").stdout

    _, _, commands = shown.partition("Try next\n")
    for command in commands.splitlines():
        _, _, arguments = command.partition(" -m metering.cli ")
        result = CliRunner().invoke(app, arguments.split())
        assert result.exit_code == 0, command
    assert commands.count(str(tmp_path / "demo")) == len(commands.splitlines()) == 10


def test_demo_shows_every_stage_in_eighty_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    shown = demo("--events", "5000").stdout
    told, _, _ = shown.partition("Try next\n")

    assert (tmp_path / "demo").is_dir()
    for words in (
        "Ingested 5,000 rows",
        "accepted     4,950",
        "duplicates      49",
        "Top customers",
        "before",
        "Paid with credits",
        "available",
    ):
        assert words in told
    # Whose requests reach the threshold depends on the time of day.
    found = re.search(r"has triggered, once for each of (\d+) customers", told)
    assert found is not None
    assert f"Verified {4_986 + int(found[1]):,} entries" in told
    tables = [line for line in told.splitlines() if not line.startswith("Such as")]
    assert max(len(line) for line in tables) <= 80
    assert any("█" in line for line in tables)


def test_demo_leaves_the_store_of_the_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("METERING_STORE", "precious")

    demo("--events", "10")

    assert not (tmp_path / "precious").exists()


def test_demo_leaves_a_store_alone_that_it_did_not_make(tmp_path: Path) -> None:
    store = tmp_path / "usage"
    with metering.connect(store) as m:
        m.meters.create(
            display_name="Seats",
            event_name="seats",
            default_aggregation={"formula": "last"},
        )
        position = m.position

        result = demo("--events", "10", "--store", store)

        assert result.exit_code == 1
        assert "'seats'" in result.stderr
        assert m.position == position


@pytest.mark.parametrize("events", [1, 2, 7, 50, 101])
def test_demo_of_a_few_events_works(events: int, tmp_path: Path) -> None:
    stages = demo_document("--events", str(events), "--store", tmp_path / "demo")

    assert stages["sent"]["accepted"] == events - events // 100
    assert stages["verified"]["ok"] is True


def test_demo_of_no_events_is_refused(tmp_path: Path) -> None:
    assert demo("--events", "0", "--store", tmp_path / "demo").exit_code == 2


def test_traffic_is_the_same_in_pieces_of_any_size() -> None:
    traffic = Traffic(rows=2500, end=END, seed=1)

    whole = pa.Table.from_batches(traffic.batches(2500))
    pieces = pa.Table.from_batches(traffic.batches(7))

    assert whole.to_pylist() == pieces.to_pylist()


def test_traffic_of_another_seed_or_size_is_other_traffic() -> None:
    def identifiers(rows: int, seed: int) -> set[str]:
        traffic = Traffic(rows=rows, end=END, seed=seed)
        table = pa.Table.from_batches(traffic.batches(1000))
        return set(table.column("identifier").to_pylist())

    usual = identifiers(400, 1)

    assert not usual & identifiers(400, 2)
    assert not usual & identifiers(401, 1)


def test_traffic_stays_within_its_hours_and_some_of_it_is_late() -> None:
    traffic = Traffic(rows=20_000, end=END, seed=1)

    (batch,) = traffic.batches(20_000)
    times = batch.column("timestamp").to_pylist()

    assert traffic.start <= min(times) <= max(times) < traffic.end
    late = sum(
        (earlier - later).total_seconds() > 3600 for earlier, later in pairwise(times)
    )
    assert 50 < late < 200


def test_events_to_be_cancelled_were_sent_by_whom_it_says() -> None:
    traffic = Traffic(rows=5000, end=END, seed=1)
    table = pa.Table.from_batches(traffic.batches(5000))
    sent = {(row["event_name"], row["identifier"]): row for row in table.to_pylist()}

    disputed = traffic.disputed_event()
    assert disputed is not None
    for event in [disputed, *traffic.failed_events(24)]:
        row = sent[event.event_name, event.identifier]
        assert row["stripe_customer_id"] == event.customer
        assert row["timestamp"] == event.timestamp


@pytest.mark.dialect
@pytest.mark.postgresql
def test_demo_works_on_postgresql(postgresql_url: str) -> None:
    stages = demo_document("--events", "5000", "--store", postgresql_url)
    verified = CliRunner().invoke(app, ["verify", "--json", "--store", postgresql_url])

    assert stages["sent"]["accepted"] == 4950
    assert stages["verified"]["ok"] is True
    assert json.loads(verified.stdout)["sqlite_version"] is None
    assert json.loads(verified.stdout)["digest"] == stages["verified"]["digest"]
