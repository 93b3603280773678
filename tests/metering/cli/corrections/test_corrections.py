"""``metering corrections``: previewed, applied, listed, reverted."""

from pathlib import Path

import pytest

import metering
from tests.metering.cli.running import assert_only_fails, document, run
from tests.metering.usual_usage import batch, create_meter


def test_a_correction_is_previewed_applied_and_reverted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "store"
    monkeypatch.setenv("METERING_STORE", str(place))
    with metering.connect(place) as m:
        create_meter(m)
        m.meter_events.ingest(batch(0, 6), backfill=True)
    which = ("--event-name", "tokens", "--customer", "cus_1", "--set-value", "2.5")

    shown = run("corrections", "preview", *which)
    impact = document("corrections", "preview", *which)
    made = document(
        "corrections", "apply", *which, "--reason", "wrong", "--author", "Ada"
    )
    listed = run("corrections")
    nothing = run("corrections", "preview", *which, "--cancel")

    assert "Would cancel 2 events" in shown.stdout
    [usage] = impact["usage"]
    assert (usage["customer"], usage["before"], usage["after"]) == ("cus_1", "2", "5")
    assert (made["cancelled"], made["replaced"]) == (2, 2)
    assert "wrong" in listed.stdout
    assert "Reverted" in run("corrections", "revert", made["id"]).stdout
    again = run("corrections", "revert", made["id"])
    assert_only_fails(again, "is reverted already")
    assert nothing.exit_code != 0
    assert document("corrections", "retrieve", made["id"])["status"] == "reverted"
