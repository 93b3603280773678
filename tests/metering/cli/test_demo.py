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

import metering
from metering.cli.demo.command import HOURS, demo_traffic
from metering.cli.demo.traffic import Traffic
from tests.metering.cli.running import assert_only_fails, document, run
from tests.metering.usual_credits import grant
from tests.metering.usual_usage import create_meter
from tests.programs import Program

pytestmark = pytest.mark.slow

END = datetime(2025, 3, 2, 12, tzinfo=UTC)


def demo_document(store: str | Path, events: int = 5000) -> Any:
    return document("demo", "--events", str(events), "--store", store)


def input_tokens(traffic: Traffic) -> Counter[str]:
    """Add up input tokens by customer in plain Python, the first of equal events."""
    seen: set[str] = set()
    totals: Counter[str] = Counter()
    for batch in traffic.batches():
        for row in batch.to_pylist():
            if row["event_name"] == "input_tokens" and row["identifier"] not in seen:
                totals[row["stripe_customer_id"]] += int(row["value"])
                seen.add(row["identifier"])
    return totals


def traffic_of(store: Path, rows: int) -> Traffic:
    with metering.connect(store) as m:
        created = {meter.event_name: meter.created for meter in m.meters.list()}
    end = created["input_tokens"].replace(minute=0, second=0, microsecond=0)
    return demo_traffic(end, rows, seed=1)


def facts_of(document: Mapping[str, Any]) -> int:
    """Count what is no usage of the traffic: readings of storage, facts, cancellations."""
    readings, meters, alert, grants = 8 * HOURS, 4, 1, 4
    # A statement is followed by the credits that it draws.
    products_and_prices, statement = 2 * 3, 2
    cancelled: int = document["corrected"]["cancelled"] + 1
    triggered = len(document["watched"]["triggered"])
    made = readings + meters + alert + grants + products_and_prices + statement
    # The last dollar is granted, and one hold of it settled.
    raced = 1 + 2
    return made + cancelled + triggered + raced


def test_demo_meters_its_traffic_exactly(tmp_path: Path) -> None:
    document = demo_document(tmp_path / "demo")

    sent, dispute = document["sent"], document["dispute"]
    assert (sent["accepted"], sent["duplicates"], sent["rejected"]) == (4946, 49, 5)
    assert "differs in value" in sent["first_rejection"]
    assert document["corrected"]["cancelled"] == 24
    assert dispute["before"] - dispute["after"] == dispute["value"] > 0
    expected = input_tokens(traffic_of(tmp_path / "demo", 5000))
    top_customers = document["usage"]["top_customers"]
    assert [(each["customer"], each["input_tokens"]) for each in top_customers] == (
        sorted(expected.items(), key=lambda pair: (-pair[1], pair[0]))[:8]
    )
    for usage in top_customers:
        assert sum(usage["input_tokens_by_hour"]) == usage["input_tokens"]
        assert len(usage["input_tokens_by_hour"]) == HOURS
    assert document["usage"]["meters"]["storage_gb"] == Decimal("130.5")
    watched, verified = document["watched"], document["verified"]
    assert watched["alert"]["usage_threshold"]["gte"] == 50_000
    assert {each["customer"] for each in watched["triggered"]} == {
        customer for customer, total in expected.items() if total >= 50_000
    }
    assert verified["ok"] is True
    assert verified["entries"] == 4946 + facts_of(document)
    with metering.connect(tmp_path / "demo") as m:
        cancelled = [each for each in m.meter_events.list() if each.cancelled]
    names = Counter(each.event_name for each in cancelled)
    assert names == {"output_tokens": 24, "input_tokens": 1}


def test_demo_interrupted_and_run_again_comes_to_the_same(tmp_path: Path) -> None:
    store, rows = tmp_path / "demo", 100_000
    arguments = ["demo", "--events", str(rows), "--store", str(store)]
    with Program(*arguments) as program:
        assert "language-model API" in program.stdout.readline()
        program.send_signal(signal.SIGINT)
        complaint = program.stderr.read()
        assert program.wait() == 130, complaint

    assert complaint.startswith("metering: Interrupted; ")
    assert complaint.endswith("nothing counts twice\n")
    assert complaint.count("\n") == 1

    document = demo_document(store, rows)

    traffic = traffic_of(store, rows)
    assert document["verified"]["ok"] is True
    assert document["verified"]["entries"] == traffic.distinct + facts_of(document)
    expected = input_tokens(traffic)
    dispute = document["dispute"]
    assert dispute["before"] == expected[dispute["customer"]]


def test_demo_shows_commands_that_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["metering/__main__.py"])
    shown = run("demo", "--events", "5000", "--store", tmp_path / "demo").stdout

    _, _, commands = shown.partition("Try next\n")
    for command in commands.splitlines():
        _, _, arguments = command.partition(" -m metering ")
        result = run(*arguments.split())
        assert result.exit_code == 0, command
    assert commands.count(str(tmp_path / "demo")) == len(commands.splitlines()) == 12


def test_demo_shows_every_stage_in_eighty_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    shown = run("demo", "--events", "5000").stdout
    told, _, _ = shown.partition("Try next\n")

    assert (tmp_path / "demo").is_dir()
    for words in (
        "Ingested 5,000 rows",
        "accepted     4,946",
        "duplicates      49",
        "Top customers",
        "before",
        "Credits of cus_amber",
        "up to 100,000",
        "Credits, Welcome",
        "Due",
        "available",
    ):
        assert words in told
    assert re.search(r"has triggered once for \d+ customers", told)
    assert re.search(r"Verified 5,\d+ entries in \d+ commits: nothing is wrong", told)
    tables = [line for line in told.splitlines() if not line.startswith("Such as")]
    assert max(len(line) for line in tables) <= 80
    assert any("█" in line for line in tables)


@pytest.mark.parametrize("events", [1, 2, 7, 50, 101])
def test_demo_of_a_few_events_works(events: int, tmp_path: Path) -> None:
    document = demo_document(tmp_path / "demo", events)

    assert document["sent"]["accepted"] == events - events // 100
    assert document["verified"]["ok"] is True


def test_traffic_of_another_seed_or_size_is_other_traffic() -> None:
    def identifiers(rows: int, seed: int) -> set[str]:
        table = pa.Table.from_batches(demo_traffic(END, rows, seed).batches())
        return set(table.column("identifier").to_pylist())

    usual = identifiers(400, 1)

    assert usual == identifiers(400, 1)
    assert not usual & identifiers(400, 2)
    assert not usual & identifiers(401, 1)


def test_traffic_stays_within_its_hours_follows_the_day_and_some_of_it_is_late() -> (
    None
):
    traffic = demo_traffic(END, 20_000, seed=1)

    (batch,) = traffic.batches()
    times = batch.column("timestamp").to_pylist()

    assert traffic.start <= min(times) <= max(times) < traffic.end
    late = sum(
        (earlier - later).total_seconds() > 3600 for earlier, later in pairwise(times)
    )
    assert 200 < late < 800
    by_hour = Counter(each.hour for each in times if each.day == 1)
    assert by_hour[15] > 3 * by_hour[3] > 0


@pytest.mark.dialect
@pytest.mark.postgresql
def test_demo_works_on_postgresql(postgresql_url: str) -> None:
    shown = demo_document(postgresql_url)
    verified = document("verify", "--store", postgresql_url)

    assert shown["sent"]["accepted"] == 4946
    assert shown["verified"]["ok"] is True
    assert verified["sqlite_version"] is None
    assert verified["digest"] == shown["verified"]["digest"]


def test_demo_run_again_counts_and_pays_nothing_twice(tmp_path: Path) -> None:
    first, again = (demo_document(tmp_path / "demo") for _ in range(2))

    assert again["sent"]["accepted"] == 0
    assert again["sent"]["duplicates"] == 4995
    assert again["dispute"]["was_cancelled"] is True
    assert again["dispute"]["before"] == first["dispute"]["after"]
    assert again["verified"] == first["verified"]
    paid = first["billed"]
    statement = paid["statement"]
    drawn = sum(each["amount"] for each in statement["credits"])
    assert paid["was_finalized"] is False
    assert drawn == sum(line["amount"] for line in statement["lines"]) > 0
    [tokens, *_] = statement["lines"]
    assert tokens["amount"] == sum(tier["amount"] for tier in tokens["tiers"])
    assert len(tokens["tiers"]) == 2
    assert tokens["quantity"] == first["dispute"]["after"]
    (balance,) = paid["balance"]["balances"]
    assert balance["available_balance"]["monetary"]["value"] == 350_00 - drawn
    assert balance["ledger_balance"]["monetary"]["value"] == 500_00 - drawn
    # The trial's end, Welcome's end as Next month begins, Next month's end.
    assert len(paid["history"]) >= 4
    assert paid["history"][-1]["available_balance"] == 200_00
    assert set(first["raced"]["refused"].values()) == {"insufficient_credits"}
    (won,) = first["raced"]["holds"]
    assert won["amount_drawn"]["monetary"]["value"] == 60
    assert again["raced"]["refused"] == first["raced"]["refused"]
    assert again["raced"]["holds"] == [won]
    # Asked for a moment later.
    assert again["billed"]["balance"].pop("at") > paid["balance"].pop("at")
    assert again["billed"] == {**paid, "was_finalized": True}


def test_demo_of_other_usage_leaves_a_statement_as_it_is(tmp_path: Path) -> None:
    store = tmp_path / "demo"
    first, other, again = (
        demo_document(store, rows)["billed"] for rows in (5000, 4000, 5000)
    )

    for later in (other, again):
        assert later["was_finalized"] is True
        assert later["statement"] == first["statement"]


def test_demo_lives_with_other_credits_of_its_customer(tmp_path: Path) -> None:
    store = tmp_path / "demo"
    customer = demo_document(store, 500)["billed"]["customer"]
    with metering.connect(store) as m:
        grant(m, 5, customer=customer, currency="eur")

    result = run("demo", "--events", "500", "--store", store)

    assert result.exit_code == 0
    assert "It was finalised by an earlier run" in result.stdout


def test_demo_leaves_stores_alone_that_it_did_not_make(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run("demo", "--events", "10")
    assert not place.exists()

    with metering.connect(place) as m:
        create_meter(m, "seats")
        position = m.position
        result = run("demo", "--events", "10", "--store", place)
        assert m.position == position
    assert_only_fails(result, "'seats'")
