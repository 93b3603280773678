"""``metering sql``: tables for people, exact JSON and files for programs."""

import csv
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import Result

import metering
from tests.interrupting import interrupted_after, may_be_lost
from tests.metering.cli.running import assert_malformed, assert_only_fails, lines, run
from tests.metering.usual_usage import cancel_event, create_event, create_meter

DAY = datetime(2025, 3, 1, tzinfo=UTC)
LONG_VALUE = "123456789012345678.123456789012"
QUERY = "SELECT * FROM events ORDER BY position"
ODD_MODEL = 'the "large", one'


def sql(*arguments: str | Path) -> Result:
    return run("sql", *arguments)


@pytest.fixture
def store(place: Path) -> Path:
    """The path of a store with three events, two sealed, one cancelled."""
    with metering.connect(place, clock=metering.FixedClock(DAY)) as m:
        create_meter(m)
        for number, value in enumerate((LONG_VALUE, "0.000000000001", "1000")):
            create_event(
                m,
                identifier=f"event-{number}",
                timestamp=DAY - number * timedelta(hours=1),
                payload={
                    "stripe_customer_id": "客戶",
                    "value": value,
                    "model": ODD_MODEL,
                },
            )
            if number == 1:
                m.seal()
        cancel_event(m, "event-0")
    return place


def test_a_query_has_the_limits_that_its_options_say(store: Path) -> None:
    endless = sql("SELECT count(*) FROM range(10000000000000)", "--timeout=1")
    large = sql("SELECT list(range) FROM range(100000000)", "--memory=64")

    assert_only_fails(endless, "The query cannot be run: it takes longer than it may")
    assert_only_fails(large, "The query cannot be run: it takes more memory")


def test_rows_are_a_table(store: Path) -> None:
    columns = "position, customer, timestamp, value / 4 AS quarter, payload, cancelled"

    result = sql(f"SELECT {columns} FROM events WHERE value < 2000")

    assert result.stdout.splitlines() == [
        "position  customer  timestamp            quarter  payload                 cancelled",
        "─" * 83,
        '       3  客戶      2025-02-28 23:00:00  2.5e-13  model=the "large", one  false',
        '       4  客戶      2025-02-28 22:00:00    250.0  model=the "large", one  false',
    ]


def test_decimals_have_their_points_below_each_other(store: Path) -> None:
    result = sql("SELECT value FROM events ORDER BY position")

    assert result.stdout.splitlines()[2:] == [
        "123,456,789,012,345,678.123456789012",
        "                      0.000000000001",
        "                  1,000",
    ]


def test_a_long_result_is_cut_and_says_so(store: Path) -> None:
    usual = sql("FROM range(1000)")
    some = sql("FROM range(1000)", "--limit", "3")
    none = sql("FROM range(0)")

    assert usual.stdout.count("\n") == 2 + 20 + 1
    assert some.stdout.splitlines()[2:] == [
        "    0",
        "    1",
        "    2",
        "3 of 1,000 rows; --limit, --output and --json give others.",
    ]
    assert none.stdout == "No rows.\n"


def test_json_has_every_digit_a_row_a_line(store: Path) -> None:
    rows = lines("sql", QUERY)

    assert [str(row["value"]) for row in rows] == [LONG_VALUE, "1E-12", "1000"]
    assert rows[0] == {
        "position": 2,
        "recorded_at": "2025-03-01T00:00:00Z",
        "event_name": "tokens",
        "customer": "客戶",
        "timestamp": "2025-03-01T00:00:00Z",
        "value": Decimal(LONG_VALUE),
        "identifier": "event-0",
        "payload": {"model": ODD_MODEL},
        "cancelled": True,
    }


def test_csv_has_exact_decimals_and_maps_in_json(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.CSV"

    result = sql(QUERY, "--output", path)

    assert result.stdout == f"Wrote 3 rows to {path}\n"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["value"] for row in rows] == [LONG_VALUE, "0.000000000001", "1000"]
    assert [row["cancelled"] for row in rows] == ["true", "false", "false"]
    assert rows[1]["timestamp"] == "2025-02-28T23:00:00Z"
    assert json.loads(rows[1]["payload"]) == {"model": ODD_MODEL}


def test_parquet_has_the_types_of_the_columns(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"

    sql(QUERY, "--output", path)

    with metering.connect(store) as m:
        assert pq.read_table(path).equals(m.sql(QUERY))
    assert pq.read_schema(path).field("value").type == pa.decimal128(38, 12)


# An expression, and its value in JSON, in CSV and on a screen.
SPELLINGS: list[tuple[Any, ...]] = [
    ("NULL", None, "", ""),
    ("true", True, "true", "true"),
    ("1.50", 1.5, "1.5", "1.5"),
    ("1e300", 1e300, "1e+300", "1e+300"),
    ("'nan'::DOUBLE", None, "nan", "nan"),
    ("DATE '2025-03-01'", "2025-03-01", "2025-03-01", "2025-03-01"),
    ("TIME '01:02:03'", "01:02:03", "01:02:03", "01:02:03"),
    (
        "TIMESTAMP '2025-03-01 01:02:03.5'",
        "2025-03-01T01:02:03.500000",
        "2025-03-01T01:02:03.500000",
        "2025-03-01 01:02:03.500000",
    ),
    (
        "TIMESTAMP_NS '2025-03-01 01:02:03.000000001'",
        *["2025-03-01 01:02:03.000000001"] * 3,
    ),
    ("'290000-01-01'::TIMESTAMP", *["<value out of range: 9089348860800000000>"] * 3),
    ("INTERVAL '14 months 1.5 seconds'", *["P14M0DT1.5S"] * 3),
    ("'\\xAB'::BLOB", *["ab"] * 3),
    ("'a'::ENUM ('a', 'b')", *["a"] * 3),
    ("[1, NULL, 2.50]", [1, None, 2.5], "[1,null,2.5]", "[1,null,2.5]"),
    ("{'a': 1, 'b': 'x'}", {"a": 1, "b": "x"}, *['{"a":1,"b":"x"}'] * 2),
    ("MAP {'k': 'v', 'l': 'w'}", {"k": "v", "l": "w"}, '{"k":"v","l":"w"}', "k=v, l=w"),
    ("MAP {1: [2]}", [{"key": 1, "value": [2]}], *['[{"key":1,"value":[2]}]'] * 2),
]  # fmt: skip


def test_every_kind_of_value_has_its_spelling(store: Path, tmp_path: Path) -> None:
    expressions, *spellings = zip(*SPELLINGS, strict=True)
    in_json, in_csv, _ = [dict(enumerate(each)) for each in spellings]
    named = (f'{each} AS "{turn}"' for turn, each in enumerate(expressions))
    query = f"SELECT {', '.join(named)}"
    path = tmp_path / "x.csv"

    printed = sql(query, "--json")
    sql(query, "--output", path)

    assert json.loads(printed.stdout) == {str(k): v for k, v in in_json.items()}
    with path.open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row == {str(k): v for k, v in in_csv.items()}


def test_every_kind_of_value_has_its_spelling_on_a_screen(store: Path) -> None:
    for expression, *_, on_screen in SPELLINGS:
        shown = sql(f"SELECT {expression} AS x").stdout

        assert shown.splitlines()[2:] == [on_screen] or not on_screen, expression


def test_a_query_that_cannot_be_run_is_one_line(store: Path) -> None:
    assert_only_fails(sql(""), "it is empty")
    assert_only_fails(sql("DELETE FROM events"), "no SELECT")
    assert_only_fails(sql("SELECT * FROM '/etc/passwd'"), "/etc/passwd")
    assert_only_fails(sql("SELECT *\nFRO nowhere"), "nowhere", "in line 2")
    assert_only_fails(sql("SELECT \udcff"), "UTF-8")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere/x.csv", "there is no directory"),
        ("directory.csv", "it is a directory"),
    ],
)
def test_an_output_that_cannot_be_written_stops_it_before_it_starts(
    tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "directory.csv").mkdir()

    # There is no store either: that would be found out next.
    result = run(
        *("sql", QUERY, "--output", tmp_path / name, "--store", tmp_path / "none")
    )

    assert_only_fails(result, str(tmp_path / name), words)


def test_an_output_that_turns_out_not_to_be_writable_leaves_nothing(
    store: Path,
) -> None:
    assert_only_fails(sql(QUERY, "--output", "/proc/x.csv"), "/proc/x.csv")


@pytest.mark.parametrize("name", ["x.txt", "x", "x.csv.gz", ".csv"])
def test_an_output_of_another_kind_is_refused(store: Path, name: str) -> None:
    assert_malformed(sql(QUERY, "--output", name), ".parquet or .csv")


@may_be_lost
def test_an_endless_query_ends_with_control_c(store: Path) -> None:
    with interrupted_after(0.5):
        result = sql("SELECT count(*) FROM range(10000000000000)")

    assert result.exit_code == 130
    assert result.stdout == ""
    assert result.stderr == "metering: Interrupted; a query changes nothing\n"


def test_json_and_an_output_contradict_each_other(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"

    assert_malformed(sql(QUERY, "--json", "--output", path), "--json or --output")
    assert not path.exists()


EVERY_TYPE = "SELECT * FROM test_all_types()"
ONE_NAME = "SELECT 1 AS a, 2 AS a"


@pytest.mark.parametrize(
    ("query", "output", "words"),
    [
        (EVERY_TYPE, ["--json"], ["cannot be written"]),
        (EVERY_TYPE, ["--output", "x.csv"], ["cannot be written"]),
        (EVERY_TYPE, ["--output", "x.parquet"], ["cannot be written"]),
        (EVERY_TYPE, [], ["cannot be written"]),
        (ONE_NAME, ["--json"], ["2 columns named 'a'", "AS"]),
        (ONE_NAME, ["--output", "x.parquet"], ["2 columns named 'a'", "AS"]),
    ],
)
def test_what_a_format_cannot_hold_is_named_and_leaves_no_file(
    query: str,
    output: list[str],
    words: list[str],
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    assert_only_fails(sql(query, *output), *words)
    assert list(tmp_path.iterdir()) == [store]
