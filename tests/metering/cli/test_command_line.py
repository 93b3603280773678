import os
import re
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import metering
from metering.cli.app import COMMANDS
from tests.metering.cli.running import (
    assert_malformed,
    assert_only_fails,
    document,
    lines,
    run,
)
from tests.metering.usual_usage import create_event

DAY = datetime(2025, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LONG_VALUE = "123456789012345678.123456789012"
ASK = ["summaries", "tokens", "--customer", "cus_1"]


@pytest.fixture
def store(place: Path) -> str:
    """The path of a store with two hours of usage."""
    with metering.connect(place, clock=metering.FixedClock(DAY + 10 * HOUR)) as m:
        m.meters.create(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )
        for number, value in enumerate((LONG_VALUE, "0.5", "1000")):
            create_event(
                m,
                identifier=f"event-{number}",
                timestamp=DAY + number * HOUR,
                payload={"stripe_customer_id": "cus_1", "value": value, "model": "é"},
            )
    return str(place)


@pytest.mark.parametrize(
    "command",
    [
        "meters",
        "meters retrieve tokens",
        "meters update tokens --display-name T",
        "meters deactivate tokens",
        "meters reactivate tokens",
        "events",
        "events cancel tokens event-1",
        "summaries tokens --customer cus_1",
        "credits",
        "credits list",
        "credits retrieve credgr_1",
        "credits void credgr_1",
        "credits expire credgr_1",
        "credits balance --customer cus_1",
        "credits history --customer cus_1",
        "credits transactions --customer cus_1",
        "sql SELECT",
        "status",
        "seal",
        "rebuild",
        "verify",
    ],
)
def test_command_that_asks_makes_no_store(command: str, place: Path) -> None:
    result = run(*command.split())

    assert_only_fails(result, f"There is no store at {place}", "credits grant")
    assert not place.exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("meters reactivate tokens", ["active"]),
        ("summaries nothing --customer c", ["No such billing meter: 'nothing'"]),
        ("summaries tokens --customer c --start soon", ["'soon'", "--start"]),
        ("summaries tokens --customer c --end soon", ["'soon'", "--end"]),
        ("events --start soon", ["'soon'", "--start"]),
        ("events --end soon", ["'soon'", "--end"]),
        ("events cancel tokens other", ["other"]),
        ("credits void other", ["credit grant: 'other'"]),
        ("credits expire other", ["credit grant: 'other'"]),
        (
            "credits history --customer c --start 2025-03-02 --end 2025-03-01",
            ["is not after start"],
        ),
        ("alerts archive alrt_1", ["No such billing alert"]),
        ("webhooks create --url http://127.0.0.1:1/", ["metering: Invalid url: "]),
        ("webhooks deliveries we_1", ["No such webhook endpoint"]),
        ("reaggregate --timezone Mars", ["Mars"]),
        ("reaggregate --meter calls", ["calls"]),
        ("reaggregate --as-of 99", ["99"]),
        ("reaggregate --as-of soon", ["'soon'", "--as-of"]),
        ("reaggregate --value-key model", ["'é'"]),
        ("reaggregate --by stripe_customer_id", ["stripe_customer_id"]),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    command: str, words: list[str], store: str
) -> None:
    assert_only_fails(run(*command.split()), *words)


GRANT = "credits grant --customer c --amount 1"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("meter", ["'meters'"]),
        ("meters --json deactivate tokens", ["give --json after deactivate"]),
        ("summaries tokens --customer c --fill", ["--by"]),
        (GRANT, ["--currency"]),
        (f"{GRANT} --currency=usd --metadata=x", ["KEY=VALUE"]),
        (f"{GRANT} --currency=usd --category=free", ["--category"]),
        (f"{GRANT} --currency=usd --priority=101", ["--priority"]),
        ("credits --customer c void credgr_1", ["give --customer after void"]),
        ("credits void", ["GRANT"]),
        ("credits balance", ["--customer"]),
        ("credits balance --customer c --grant g --metered", ["give one of"]),
        ("credits history --customer c --start 9000-01-01", ["--end"]),
        ("credits transactions", ["--customer"]),
        ("credits list --limit 0", ["--limit"]),
        ("credits nonsense", ["nonsense"]),
        ("alerts create", ["--credits-lte"]),
        ("alerts create --credits-lte 5 --gte 2", ["--gte is of another type"]),
        ("reaggregate --diff", ["--diff needs"]),
        ("reaggregate --where model", ["--where"]),
        ("reaggregate --output usage.txt", [".parquet or .csv"]),
        ("demo --events 0", ["--events"]),
    ],
)
def test_malformed_command_is_refused(
    command: str, words: list[str], store: str
) -> None:
    assert_malformed(run(*command.split()), *words)


def test_empty_place_is_refused(store: str) -> None:
    for option in ("--store", "--segments", "--cache"):
        assert_malformed(run("rebuild", option, ""), option)


def test_store_is_usage_in_this_directory_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("METERING_STORE", raising=False)
    monkeypatch.chdir(tmp_path)

    result = run("meters", "create", "--event-name", "tokens", "--formula", "sum")

    assert result.exit_code == 0
    assert (tmp_path / "usage").is_dir()


def test_store_that_cannot_be_reached_is_named_without_its_password() -> None:
    result = run("meters", "--store", "postgresql://me:secret@localhost:1/usage")

    assert_only_fails(result, "postgresql://me:***@localhost:1/usage")
    assert "secret" not in result.stderr


def test_store_of_a_newer_release_is_refused(store: str) -> None:
    with sqlite3.connect(Path(store) / "log.db") as connection:
        connection.execute("UPDATE log_head SET format_version = 1000")
    connection.close()

    assert_only_fails(run("meters"), "has format 1000")


def test_meters_are_a_table(store: str) -> None:
    result = run("meters")

    assert result.stdout.splitlines() == [
        "event name  display name  formula  status",
        "─────────────────────────────────────────",
        "tokens      Tokens        sum      active",
    ]


@pytest.mark.parametrize("at", range(3))
def test_store_may_stand_before_each_word_of_a_command_and_after_it(
    at: int, store: str
) -> None:
    words = ["meters", "deactivate", "tokens"]

    result = run(*words[:at], "--store", store, *words[at:])

    assert result.exit_code == 0
    assert "inactive" in result.stdout


def test_store_that_is_given_twice_must_be_one(store: str) -> None:
    same = run("--store", store, "meters", "--store", store)
    other = run("--store", "here", "meters", "--store", store)
    with_password = run(
        "--store", "postgresql://me:secret@db/x", "seal", "--store", "y"
    )

    assert same.exit_code == 0
    assert (other.exit_code, with_password.exit_code) == (2, 2)
    assert "--store: here before the command" in other.stderr
    assert "secret" not in with_password.stderr


def test_store_of_the_command_line_goes_before_that_of_the_environment(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METERING_STORE", "nowhere")

    assert "tokens" in run("--store", store, "meters").stdout


def test_version_is_that_of_the_library() -> None:
    assert run("--version").stdout == f"metering {metering.__version__}\n"


def test_every_command_says_at_a_glance_what_it_is_for() -> None:
    shown = run("--help").stdout

    for name, (_, purpose) in COMMANDS.items():
        assert run(name, "--help").exit_code == 0
        assert re.search(rf"^  {name} +{re.escape(purpose)}$", shown, re.MULTILINE)


def test_meter_is_created_changed_and_listed(place: Path) -> None:
    create = ["meters", "create", "--event-name", "seats", "--formula", "last"]
    keys = ["--customer-key", "who", "--value-key", "count", "--window", "day"]

    created = document(*create, *keys)
    updated = document("meters", "update", created["id"], "--display-name", "Seats")
    deactivated = document("meters", "deactivate", "seats")
    reactivated = document("meters", "reactivate", "seats")

    assert created["display_name"] == "seats"
    assert created["default_aggregation"] == {"formula": "last"}
    assert created["customer_mapping"]["event_payload_key"] == "who"
    assert created["value_settings"]["event_payload_key"] == "count"
    assert created["event_time_window"] == "day"
    assert updated["display_name"] == "Seats"
    assert deactivated["status"] == "inactive"
    assert reactivated["status"] == "active"
    assert document("meters") == [reactivated]
    assert document("meters", "retrieve", "seats") == reactivated


def test_meter_that_is_ensured_is_created_once(place: Path) -> None:
    ensure = ["meters", "ensure", "--event-name", "seats", "--formula"]

    created = document(*ensure, "last", "--display-name", "Seats")

    assert document(*ensure, "last") == created
    assert document("meters") == [created]
    assert_only_fails(run(*ensure, "max"), "default_aggregation[formula]")


def test_list_that_is_cut_says_so(store: str) -> None:
    run("meters", "create", "--event-name", "x", "--formula", "sum")

    shown = run("meters", "--limit", "1").stdout

    assert shown.endswith("There are more than 1; --limit shows others.\n")
    assert len(document("meters", "list", "--limit", "1")) == 1
    assert "more than" not in run("meters", "--limit", "2").stdout


def test_summary_in_json_has_every_digit(store: str) -> None:
    (summary,) = document(
        *ASK, "--start", "2025-03-01", "--end", "2025-03-01T03:00:00Z"
    )

    assert str(summary["aggregated_value"]) == "123456789012346678.623456789012"
    assert summary["start_time"] == "2025-03-01T00:00:00Z"
    assert summary["end_time"] == "2025-03-01T03:00:00Z"


def test_summaries_by_hour_are_a_table_with_bars(store: str) -> None:
    times = ["--start", "2025-03-01T01:00", "--end", "1740798000", "--by", "hour"]

    assert run(*ASK, *times).stdout.splitlines() == [
        "Tokens, sum, of cus_1",
        "2025-03-01 01:00:00 to 2025-03-01 03:00:00 UTC, as of position 4",
        "1,000.5",
        "",
        "hour (UTC)          usage",
        "─────────────────────────────────────────────────────────────",
        "2025-03-01 01:00      0.5  ▏",
        "2025-03-01 02:00  1,000    ██████████████████████████████████",
    ]


def test_summaries_run_from_new_to_old_in_json(store: str) -> None:
    times = ["--start", "2025-03-01T01:00", "--end", "2025-03-01T04:00", "--by", "hour"]

    usual, filled = document(*ASK, *times), document(*ASK, *times, "--fill")

    assert [each["aggregated_value"] for each in usual] == [1000, 0.5]
    assert [each["aggregated_value"] for each in filled] == [0, 1000, 0.5]


def test_summaries_cover_thirty_days_up_to_just_ahead_of_now(store: str) -> None:
    before = datetime.now(UTC)  # noqa: TID251  # the command reads the real time

    (summary,) = document(*ASK)

    start = datetime.fromisoformat(summary["start_time"])
    end = datetime.fromisoformat(summary["end_time"])
    assert end - start == timedelta(days=30)
    assert timedelta(minutes=4) < end - before < timedelta(minutes=6)
    assert summary["aggregated_value"] == 0


def test_events_in_json_are_one_a_line(store: str) -> None:
    events = lines("events")

    assert [each["identifier"] for each in events] == ["event-0", "event-1", "event-2"]
    assert events[0]["payload"]["value"] == LONG_VALUE
    assert events[0]["timestamp"] == "2025-03-01T00:00:00Z"


def test_events_are_filtered(store: str) -> None:
    times = ["--start", "2025-03-01T01:00", "--end", "2025-03-01T02:00"]

    first = run("events", "--limit", "1").stdout

    assert run("events", "--event-name", "tokens").stdout.count("event-") == 3
    assert run("events", *times, "--customer", "cus_1").stdout.splitlines() == [
        "time (UTC)           event name  customer  value  identifier",
        "────────────────────────────────────────────────────────────",
        "2025-03-01 01:00:00  tokens      cus_1       0.5  event-1",
    ]
    assert run("events", "--customer", "nobody").stdout == "No events.\n"
    assert first.count("event-") == 1
    assert "more than 1" in first


def test_event_is_cancelled_and_marked(store: str) -> None:
    first = run("events", "cancel", "tokens", "event-1")
    again = document("events", "cancel", "tokens", "event-1")

    assert first.stdout == "Cancelled event-1 of tokens\n"
    assert again["cancel"] == {"identifier": "event-1"}
    rows = run("events").stdout.splitlines()[2:]
    assert [row.endswith("cancelled") for row in rows] == [False, True, False]


def test_rebuild_keeps_the_answers(store: str) -> None:
    ask = [*ASK, "--start", "2025-03-01", "--end", "2025-03-02"]
    before = document(*ask)

    assert run("rebuild").stdout.startswith("Rebuilt up to position 4 in ")
    assert document("rebuild")["position"] == 4
    assert document(*ask) == before


def test_a_traceback_shows_no_values(tmp_path: Path) -> None:
    program = (
        "import sys, metering\n"
        "def fail(*given, **more):\n"
        "    secret = 'hunter' + '2'\n"
        "    raise ZeroDivisionError\n"
        "metering.connect = fail\n"
        "sys.argv = ['metering', 'meters', '--store', 'postgresql://me:hunter3@db/x']\n"
        "from metering.cli.entry import main\n"
        "main()"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "FORCE_COLOR": "1", "COLUMNS": "200"},
        cwd=tmp_path,
    )

    assert ended.returncode == 1
    assert "ZeroDivisionError" in ended.stderr
    assert "hunter2" not in ended.stderr
    assert "hunter3" not in ended.stderr
