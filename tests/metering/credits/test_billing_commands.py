"""``metering credits apply`` and ``reinstate``: billing runs out of files."""

import csv
import json
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import metering
from tests.metering.cli.running import (
    assert_malformed,
    assert_only_fails,
    document,
    run,
)
from tests.metering.usual_credits import balance, grant

END = metering.SystemClock().now().replace(microsecond=0) + timedelta(days=1)
ROWS = [
    {"invoice": "in_1", "customer": "cus_1", "line": "il_1", "amount": 300},
    {"invoice": "in_2", "customer": "cus_2", "line": "il_1", "amount": 50},
    {"invoice": "in_1", "customer": "cus_1", "line": "il_2", "amount": 200,
     "price": "price_2"},
    {"invoice": "in_3", "customer": "cus_3", "line": "il_1", "amount": 5,
     "currency": "gold"},
]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a store of two customers with credits."""
    path = tmp_path / "store"
    monkeypatch.setenv("METERING_STORE", str(path))
    with metering.connect(path) as m:
        grant(m, 400)
        grant(m, 1_000, customer="cus_2")
    return path


def written(path: Path, *changes: tuple[int, dict[str, object]]) -> Path:
    """Write the run, in the format of the name."""
    rows: list[dict[str, object]] = [
        {"period_end": END.isoformat(), "currency": "usd", **row} for row in ROWS
    ]
    for at, change in changes:
        rows[at] |= change
    match path.suffix:
        case ".csv":
            with path.open("w", newline="") as file:
                names = sorted({name for row in rows for name in row})
                writer = csv.DictWriter(file, names)
                writer.writeheader()
                writer.writerows(rows)
        case ".parquet":
            names = sorted({name for row in rows for name in row})
            columns = {name: [row.get(name) for row in rows] for name in names}
            pq.write_table(pa.table(columns), path)
        case _:
            path.write_text("\n\n".join(map(json.dumps, rows)))
    return path


def balances(store: Path) -> list[dict[str, tuple[int, int]]]:
    with metering.connect(store) as m:
        return [balance(m, customer) for customer in ("cus_1", "cus_2")]


@pytest.mark.parametrize("name", ["run.csv", "run.ndjson", "run.jsonl", "run.parquet"])
def test_the_invoices_of_a_file_are_settled(
    store: Path, tmp_path: Path, name: str
) -> None:
    path = written(tmp_path / name)

    settled = document("credits", "apply", path)
    again = run("credits", "apply", path)

    [rejection] = settled.pop("rejections")
    assert settled == {
        "applied": 2, "replaced": 0, "repeated": 0, "rejected": 1,
        "drawn": {"usd": 450}, "transactions": 3,
    }  # fmt: skip
    assert (rejection["row"], rejection["invoice"]) == (3, "in_3")
    assert balances(store) == [{"usd": (0, 0)}, {"usd": (950, 950)}]
    assert again.exit_code == 0
    lines = again.stdout.splitlines()
    assert lines[0] == "Invoices: 2 repeated, 1 rejected"
    assert lines[1] == "Drawn: 4.50 USD in 3 transactions"
    assert "gold" in again.stdout


def test_a_preview_records_nothing(store: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "run.csv")
    before = balances(store)

    shown = run("credits", "apply", path, "--preview")
    told = document("credits", "apply", path, "--preview")

    assert "nothing was recorded" in shown.stdout
    assert told["drawn"] == {"usd": 450}
    assert balances(store) == before


def test_invoices_are_corrected(store: Path, tmp_path: Path) -> None:
    run("credits", "apply", written(tmp_path / "run.csv"))
    right = written(tmp_path / "right.csv", (0, {"amount": 10}))
    output = tmp_path / "drawn.csv"

    conflict = document("credits", "apply", right)
    replaced = document("credits", "apply", right, "--replace", "--output", output)

    assert [each["code"] for each in conflict["rejections"]] == [
        "invoice_conflict", "parameter_invalid",
    ]  # fmt: skip
    assert (replaced["replaced"], replaced["repeated"]) == (1, 1)
    assert balances(store) == [{"usd": (190, 190)}, {"usd": (950, 950)}]
    with output.open() as file:
        rows = [(each["invoice"], each["amount"]) for each in csv.DictReader(file)]
    assert rows == [("in_1", "10"), ("in_1", "200"), ("in_2", "50")]


def test_credits_are_given_back(store: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "run.csv")
    run("credits", "apply", path)

    one = run("credits", "reinstate", "in_1", "in_9")
    rest = document("credits", "reinstate", "--file", path)

    assert one.exit_code == 0
    assert one.stdout.splitlines()[:2] == [
        "Invoices: 1 reinstated, 1 rejected",
        "Given back: 4.00 USD in 2 transactions",
    ]
    assert (rest["reinstated"], rest["repeated"], rest["rejected"]) == (1, 1, 1)
    assert balances(store) == [{"usd": (400, 400)}, {"usd": (1_000, 1_000)}]


def test_where_all_are_rejected_the_exit_code_says_so(
    store: Path, tmp_path: Path
) -> None:
    changes: list[tuple[int, dict[str, object]]] = [
        (at, {"currency": "gold"}) for at in range(4)
    ]
    path = written(tmp_path / "run.csv", *changes)

    assert run("credits", "apply", path).exit_code == 1
    assert run("credits", "reinstate", "in_9").exit_code == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("invoice,amount\nin_1,1.50\n", "row 0"),
        ("invoice,amount\nin_1,1\nin_1,one\n", "row 1"),
        ("invoice,amount\nin_1,1\nin_1\n", "row 1"),
        (f"invoice,amount\nin_1,{10**20}\n", "row 0"),
        ("invoice,amount\nin_1,1\n", "'customer'"),
    ],
)
def test_a_file_with_a_row_that_cannot_be_read_is_refused(
    store: Path, tmp_path: Path, content: str, words: str
) -> None:
    path = tmp_path / "run.csv"
    path.write_text(content)

    assert_only_fails(run("credits", "apply", path), words)


@pytest.mark.parametrize("line", ["[]", "{", '{"amount": 1%s}' % ("0" * 20)])
def test_a_line_that_is_no_row_is_refused(
    store: Path, tmp_path: Path, line: str
) -> None:
    path = written(tmp_path / "run.ndjson")
    path.write_text(path.read_text() + "\n" + line)

    assert_only_fails(run("credits", "apply", path), "row 4")


def test_invoices_to_reinstate_are_named_in_one_way(
    store: Path, tmp_path: Path
) -> None:
    path = written(tmp_path / "run.csv")

    assert_malformed(run("credits", "reinstate"), "--file")
    assert_malformed(run("credits", "reinstate", "in_1", "--file", path), "--file")
