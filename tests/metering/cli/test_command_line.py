import json
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

import metering
from metering.cli.app import COMMANDS
from tests.metering.cli.running import assert_only_fails, run

DAY = datetime(2025, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LONG_VALUE = "12345678901234567890123456.123456789012"


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The path of a store with two hours of usage."""
    path = str(tmp_path / "store")
    with metering.connect(path, clock=metering.FixedClock(DAY + 10 * HOUR)) as m:
        m.meters.create(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )
        for number, value in enumerate((LONG_VALUE, "0.5", "1000")):
            m.meter_events.create(
                event_name="tokens",
                identifier=f"event-{number}",
                timestamp=DAY + number * HOUR,
                payload={"stripe_customer_id": "cus_1", "value": value, "model": "é"},
            )
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ["meters"],
        ["meters", "retrieve", "tokens"],
        ["meters", "update", "tokens", "--display-name", "T"],
        ["meters", "deactivate", "tokens"],
        ["meters", "reactivate", "tokens"],
        ["events"],
        ["events", "cancel", "tokens", "event-1"],
        ["summaries", "tokens", "--customer", "cus_1"],
        ["rebuild"],
        ["verify"],
    ],
    ids=" ".join,
)
def test_command_that_asks_makes_no_store(arguments: list[str], tmp_path: Path) -> None:
    path = tmp_path / "nothing"

    result = run(*arguments, "--store", str(path))

    assert_only_fails(result, f"There is no store at {path}")
    assert not path.exists()


def test_store_is_taken_from_the_environment(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METERING_STORE", store)

    assert json.loads(run("meters", "--json").stdout)[0]["event_name"] == "tokens"


def test_store_is_usage_in_this_directory_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("METERING_STORE", raising=False)
    monkeypatch.chdir(tmp_path)

    result = run("meters", "create", "--event-name", "tokens", "--formula", "sum")

    assert result.exit_code == 0
    assert (tmp_path / "usage").is_dir()


def test_store_without_a_name_is_refused(tmp_path: Path) -> None:
    assert run("meters", "--store", "").exit_code == 2


def test_store_that_cannot_be_reached_is_named_without_its_password() -> None:
    result = run("meters", "--store", "postgresql://me:secret@localhost:1/usage")

    assert_only_fails(result, "postgresql://me:***@localhost:1/usage")
    assert "secret" not in result.stderr


def test_store_of_a_newer_release_is_refused(store: str) -> None:
    with sqlite3.connect(Path(store) / "log.db") as connection:
        connection.execute("UPDATE log_head SET format_version = 1000")
    connection.close()

    assert_only_fails(run("meters", "--store", store), "has format 1000")


def test_meter_is_created_changed_and_listed(tmp_path: Path) -> None:
    on = ["--store", str(tmp_path / "store"), "--json"]
    create = ["--event-name", "seats", "--formula", "last", "--window", "day"]
    keys = ["--customer-key", "who", "--value-key", "count"]

    created = json.loads(run("meters", "create", *create, *keys, *on).stdout)
    update = ["meters", "update", created["id"], "--display-name", "Seats"]
    updated = json.loads(run(*update, *on).stdout)
    deactivated = json.loads(run("meters", "deactivate", "seats", *on).stdout)
    reactivated = json.loads(run("meters", "reactivate", "seats", *on).stdout)
    retrieved = json.loads(run("meters", "retrieve", "seats", *on).stdout)
    listed = json.loads(run("meters", *on).stdout)

    assert created["display_name"] == "seats"
    assert created["default_aggregation"] == {"formula": "last"}
    assert created["customer_mapping"]["event_payload_key"] == "who"
    assert created["value_settings"]["event_payload_key"] == "count"
    assert created["event_time_window"] == "day"
    assert updated["display_name"] == "Seats"
    assert deactivated["status"] == "inactive"
    assert listed == [reactivated] == [retrieved]
    assert reactivated["status"] == "active"


def test_meters_are_a_table(store: str) -> None:
    result = run("meters", "--store", store)

    assert result.stdout.splitlines() == [
        "event name  display name  formula  status",
        "─────────────────────────────────────────",
        "tokens      Tokens        sum      active",
    ]


def test_list_that_is_cut_says_so(store: str) -> None:
    run("meters", "create", "--event-name", "x", "--formula", "sum", "--store", store)

    shown = run("meters", "--limit", "1", "--store", store).stdout
    listed = run("meters", "list", "--limit", "1", "--json", "--store", store).stdout

    assert shown.endswith("There are more than 1; --limit shows others.\n")
    assert len(json.loads(listed)) == 1
    assert "more than" not in run("meters", "--limit", "2", "--store", store).stdout


def test_meter_that_is_not_there_is_named(store: str) -> None:
    result = run("summaries", "nothing", "--customer", "cus_1", "--store", store)

    assert_only_fails(result, "No such billing meter: 'nothing'")


def test_meter_in_the_wrong_state_is_refused(store: str) -> None:
    assert_only_fails(run("meters", "reactivate", "tokens", "--store", store), "active")


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


def test_other_option_before_a_subcommand_is_not_ignored(store: str) -> None:
    result = run("meters", "--json", "deactivate", "tokens", "--store", store)

    assert result.exit_code == 2
    assert "give --json after deactivate" in result.stderr


def test_version_is_that_of_the_library() -> None:
    assert run("--version").stdout == f"metering {metering.__version__}\n"


def test_command_that_is_misspelt_is_guessed() -> None:
    result = run("meter")

    assert result.exit_code == 2
    assert "'meters'" in result.stderr


def test_every_command_says_at_a_glance_what_it_is_for() -> None:
    shown = run("--help").stdout

    for name, (_, purpose) in COMMANDS.items():
        assert run(name, "--help").exit_code == 0
        assert re.search(rf"^  {name} +{re.escape(purpose)}$", shown, re.MULTILINE)


def test_summary_in_json_has_every_digit(store: str) -> None:
    times = ["--start", "2025-03-01", "--end", "2025-03-01T03:00:00Z"]
    ask = ["summaries", "tokens", "--customer", "cus_1", *times, "--json"]

    result = run(*ask, "--store", store)

    (summary,) = json.loads(result.stdout, parse_float=Decimal)
    assert str(summary["aggregated_value"]) == "12345678901234567890124456.623456789012"
    assert summary["start_time"] == "2025-03-01T00:00:00Z"
    assert summary["end_time"] == "2025-03-01T03:00:00Z"


def test_summaries_by_hour_are_a_table_with_bars(store: str) -> None:
    times = ["--start", "2025-03-01T01:00", "--end", "1740798000", "--by", "hour"]

    result = run("summaries", "tokens", "--customer", "cus_1", *times, "--store", store)

    assert result.stdout.splitlines() == [
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
    times = ["--start", "2025-03-01T01:00", "--end", "2025-03-01T04:00"]
    by_hour = [*times, "--by", "hour", "--json", "--store", store]

    usual = run("summaries", "tokens", "--customer", "cus_1", *by_hour)
    filled = run("summaries", "tokens", "--customer", "cus_1", *by_hour, "--fill")

    values = [each["aggregated_value"] for each in json.loads(usual.stdout)]
    assert values == [1000, 0.5]
    values = [each["aggregated_value"] for each in json.loads(filled.stdout)]
    assert values == [0, 1000, 0.5]


def test_summaries_cover_thirty_days_up_to_just_ahead_of_now(store: str) -> None:
    before = datetime.now(UTC)  # noqa: TID251  # the command reads the real time

    result = run(
        "summaries", "tokens", "--customer", "cus_1", "--store", store, "--json"
    )

    (summary,) = json.loads(result.stdout)
    start = datetime.fromisoformat(summary["start_time"])
    end = datetime.fromisoformat(summary["end_time"])
    assert end - start == timedelta(days=30)
    assert timedelta(minutes=4) < end - before < timedelta(minutes=6)
    assert summary["aggregated_value"] == 0


@pytest.mark.parametrize("option", ["--start", "--end"])
@pytest.mark.parametrize("command", [["summaries", "tokens"], ["events"]], ids=" ".join)
def test_time_that_is_none_is_named_with_its_option(
    command: list[str], option: str, store: str
) -> None:
    result = run(*command, "--customer", "cus_1", option, "soon", "--store", store)

    assert_only_fails(result, "'soon'", option)


def test_fill_without_windows_is_refused(store: str) -> None:
    result = run("summaries", "tokens", "--customer", "c", "--fill", "--store", store)

    assert result.exit_code == 2


def test_events_in_json_are_one_a_line(store: str) -> None:
    result = run("events", "--store", store, "--json")

    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["identifier"] for event in events] == [
        "event-0",
        "event-1",
        "event-2",
    ]
    assert events[0]["payload"]["value"] == LONG_VALUE
    assert events[0]["timestamp"] == "2025-03-01T00:00:00Z"


def test_events_are_filtered(store: str) -> None:
    by_name = run("events", "--event-name", "tokens", "--store", store)
    by_time = run(
        "events",
        *("--start", "2025-03-01T01:00", "--end", "2025-03-01T02:00"),
        *("--customer", "cus_1", "--store", store),
    )
    nobody = run("events", "--customer", "nobody", "--store", store)
    first = run("events", "--limit", "1", "--store", store)

    assert by_name.stdout.count("event-") == 3
    assert by_time.stdout.splitlines() == [
        "time (UTC)           event name  customer  value  identifier",
        "────────────────────────────────────────────────────────────",
        "2025-03-01 01:00:00  tokens      cus_1       0.5  event-1",
    ]
    assert nobody.stdout == "No events.\n"
    assert first.stdout.count("event-") == 1
    assert "more than 1" in first.stdout


def test_event_is_cancelled_and_marked(store: str) -> None:
    first = run("events", "cancel", "tokens", "event-1", "--store", store)
    again = run("events", "cancel", "tokens", "event-1", "--store", store, "--json")

    assert first.stdout == "Cancelled event-1 of tokens\n"
    assert json.loads(again.stdout)["cancel"] == {"identifier": "event-1"}
    listed = run("events", "--store", store).stdout
    assert [line.endswith("cancelled") for line in listed.splitlines()[2:]] == [
        False,
        True,
        False,
    ]


def test_event_that_is_not_there_cannot_be_cancelled(store: str) -> None:
    assert_only_fails(
        run("events", "cancel", "tokens", "other", "--store", store), "other"
    )


def test_store_is_verified(store: str) -> None:
    shown = run("verify", "--store", store)
    document = json.loads(run("verify", "--store", store, "--json").stdout)

    assert shown.exit_code == 0
    assert "Verified: nothing is wrong" in shown.stdout
    assert document["digest"] in shown.stdout
    assert document["ok"] is True
    assert document["position"] == document["entries"] == document["commits"] == 4
    assert document["sqlite_version"] == sqlite3.sqlite_version


def test_damage_is_told_by_verify_and_its_exit_code(store: str) -> None:
    with sqlite3.connect(Path(store) / "log.db") as connection:
        connection.execute("UPDATE log_commit SET recorded_at = recorded_at + 1")
    connection.close()

    result = run("verify", "--store", store)

    assert result.exit_code == 1
    assert "damaged at position 1" in result.stdout + result.stderr


def test_rebuild_keeps_the_answers(store: str) -> None:
    times = ["--start", "2025-03-01", "--end", "2025-03-02", "--json", "--store", store]
    before = run("summaries", "tokens", "--customer", "cus_1", *times).stdout

    shown = run("rebuild", "--store", store)
    document = json.loads(run("rebuild", "--store", store, "--json").stdout)

    assert shown.stdout.startswith("Rebuilt up to position 4 in ")
    assert document["position"] == 4
    assert run("summaries", "tokens", "--customer", "cus_1", *times).stdout == before
