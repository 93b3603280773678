"""``metering branch``: another store that begins as this one."""

from pathlib import Path

import pytest

import metering
from tests.metering.cli.running import assert_only_fails, document, run
from tests.metering.usual_usage import batch, create_meter


def test_a_branch_is_made_where_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "store"
    monkeypatch.setenv("METERING_STORE", str(place))
    with metering.connect(place) as m:
        create_meter(m)
        m.meter_events.ingest(batch(0, 10), backfill=True)
    branch, early = tmp_path / "branch", tmp_path / "early"

    made = run("branch", branch)
    earlier = document("branch", early, "--at", "1")
    again = run("branch", branch)
    within = run("branch", tmp_path / "within", "--at", "5")

    assert made.exit_code == 0
    assert f"Branched {place} at position 11 into {branch}" in made.stdout
    assert (earlier["store"], earlier["position"]) == (str(early), 1)
    assert_only_fails(again, "there is a store already")
    assert_only_fails(within, "give 1, before it, or 11, its end")
    assert not (tmp_path / "within").exists()
    said = f"A branch of {place} at position 11: no webhook is sent from it"
    assert said in " ".join(run("status", "--store", branch).stdout.split())
    assert "branch of" not in run("status").stdout
    assert document("verify", "--store", branch)["ok"]
