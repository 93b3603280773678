"""``metering explain``: a figure as a tree, and its events as a table."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import metering
from tests.metering.cli.running import document, lines, run
from tests.metering.explaining.exports import checked
from tests.metering.usual_usage import cancel_event, create_event, create_meter

DAY = datetime(2025, 3, 1, tzinfo=UTC)
SPAN = ("--start", "2025-02-28T00:30:00Z", "--end", "2025-03-01T00:30:00Z")


@pytest.fixture
def store(place: Path) -> Path:
    """The path of a store with usage in every third hour of a day, sealed."""
    with metering.connect(place, clock=metering.FixedClock(DAY)) as m:
        create_meter(m)
        for number in range(10):
            create_event(
                m,
                identifier=f"event-{number}",
                timestamp=DAY - number * timedelta(hours=3),
                payload={"stripe_customer_id": "cus_1", "value": f"{number}.5"},
            )
        m.seal()
        cancel_event(m, "event-2")
    return place


def explain(*more: str | Path, store: Path) -> list[str | Path]:
    return ["--store", store, "explain", "tokens", "--customer", "cus_1", *SPAN, *more]


def test_a_figure_is_a_tree_of_its_parts_and_of_what_is_not_in_it(store: Path) -> None:
    shown = run(*explain(store=store)).stdout.splitlines()

    assert shown[0] == "A meter, sum, of cus_1"
    assert shown[1] == (
        "2025-02-28 00:30:00 to 2025-03-01 00:30:00 UTC, as of position 12"
    )
    assert shown[2] == "29.5"
    # The latest is the least, and every third hour has some.
    assert set(shown[3]) > {" ", "█"}
    start, edge, end = (
        f"2025-{time}"
        for time in ("02-28 00:30:00", "02-28 01:00:00", "03-01 00:30:00")
    )
    assert shown[5:-1] == [
        "Counted: 7 events, which add up to it",
        f"├─  0   from events one by one, 0 events, {start} to {edge}",
        f"└─ 29.5 from kept totals of hours, 7 events, {edge} to {end}",
        "Not counted: 2 events",
        "├─ 1 outside of the bounds, within an hour of them",
        "└─ 1 cancelled",
    ]
    assert shown[-1].startswith("digest of the log ")


def test_its_events_are_rows_on_the_screen_in_json_and_in_a_file(
    store: Path, tmp_path: Path
) -> None:
    rows = lines(*explain("--events", store=store))
    file = tmp_path / "events.parquet"
    written = run(*explain("--not-counted", "--output", file, store=store))
    late = lines(*explain("--late", "10", store=store))
    screen = run(*explain("--events", "--limit", "1", store=store)).stdout

    assert [each["identifier"] for each in rows] == [
        f"event-{number}" for number in (0, 1, 3, 4, 5, 6, 7)
    ]
    assert rows[1]["value"] == Decimal("1.5")
    assert written.stdout == f"Wrote 2 rows to {file}\n"
    assert pq.read_table(file).column("reason").to_pylist() == ["cancelled", "outside"]
    assert [(each["kind"], each["identifier"]) for each in late] == [
        ("cancellation", "event-2")
    ]
    assert "event-0" in screen
    assert "string" not in screen


def test_a_list_is_compared_row_by_row(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(
        "event_name,identifier,timestamp,stripe_customer_id,value\n"
        "tokens,event-1,2025-02-28T21:00:00Z,cus_1,1.5\n"
        "tokens,event-2,2025-02-28T18:00:00Z,cus_1,2.5\n"
        "tokens,never,2025-02-28T18:00:00Z,cus_1,2.5\n"
    )

    rows = lines(*explain("--compare", file, store=store))

    assert [(each["row"], each["reason"]) for each in rows[:3]] == [
        (0, "counted"),
        (1, "cancelled"),
        (2, "unrecorded"),
    ]
    assert {each["reason"] for each in rows[3:]} == {"unlisted"}
    assert len(rows) == 9


def test_json_is_what_the_library_says(store: Path) -> None:
    shown = document(*explain("--as-of", "11", store=store))

    with metering.connect(store) as m:
        made = m.explain(
            meter="tokens",
            customer="cus_1",
            start_time=SPAN[1],
            end_time=SPAN[3],
            as_of=11,
        )
        assert shown == {**made.to_dict(), "adds_up": True}
    assert shown["value"] == "32"


def test_what_is_exported_is_checked_by_the_customer(
    store: Path, tmp_path: Path
) -> None:
    file, proof = tmp_path / "checkpoint.json", tmp_path / "proof"
    saved = document("--store", store, "verify", "--checkpoint", file)

    shown = run(*explain("--export", proof, "--checkpoint", file, store=store)).stdout
    again = document(*explain("--export", tmp_path / "again", store=store))

    assert shown.splitlines() == [
        f"Wrote 7 events to {proof}; check them with python {proof / 'check.py'}",
        "All of them are shown by the log's chain",
        f"checkpoint: position 12, digest {saved['digest']}",
    ]
    assert checked(proof, saved["digest"]).startswith("ok: 7 events make 29.5; 7 of")
    assert again["checkpoint"]["digest"] == saved["digest"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--export", "proof", "--events"), "give one of"),
        (("--checkpoint", "file"), "needs --export"),
        (("--events", "--not-counted"), "give one of"),
        (("--output", "a.csv"), "need --events"),
    ],
)
def test_options_that_exclude_each_other_are_refused(
    store: Path, given: tuple[str, ...], words: str
) -> None:
    refused = run(*explain(*given, store=store))

    assert refused.exit_code == 2
    assert words in refused.stderr
