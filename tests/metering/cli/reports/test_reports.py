"""``metering reports``: asked for, made, listed, downloaded."""

from pathlib import Path

import metering
from tests.metering.cli.running import assert_only_fails, document, run
from tests.metering.usual_usage import create_event, create_meter

RUN = ["reports", "run", "metering.usage_by_customer.1"]


def test_a_report_is_made_listed_and_downloaded(place: Path, tmp_path: Path) -> None:
    with metering.connect(place) as store:
        create_meter(store)
        create_event(store)
    written, again = tmp_path / "usage.csv", tmp_path / "again.csv"
    columns = ["--column", "customer", "--column", "value"]
    shown = run(*RUN, *columns, "--output", str(written)).stdout

    assert "succeeded" in shown
    assert written.read_text() == '"customer","value"\n"cus_1","1"\n'
    [listed] = document("reports")
    assert (listed["status"], listed["row_count"]) == ("succeeded", 1)
    assert listed["id"] in run("reports", "list").stdout
    assert run("reports", "download", listed["id"], str(again)).stdout == (
        f"Wrote {written.stat().st_size} bytes to {again}\n"
    )
    assert again.read_bytes() == written.read_bytes()
    assert document("reports", "make") == {"made": 0}
    assert "metering.events.1" in run("reports", "types").stdout
    assert_only_fails(run(*RUN, "--column", "price"), "of meter, event_name, customer")
    assert_only_fails(run("reports", "download", "frr_1", str(again)), "No such report")
