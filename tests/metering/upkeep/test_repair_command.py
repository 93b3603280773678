"""``metering repair time``: what a wrong clock did is shown, and put right."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

import metering
from tests.metering.cli.running import assert_only_fails, document, run
from tests.metering.usual_credits import apply, grant
from tests.metering.usual_usage import create_event, create_meter

YEAR = timedelta(days=365)


@pytest.fixture
def right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> datetime:
    """A right time in the log; what follows was recorded a year ahead of it."""
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "usage"
    with metering.connect(place) as m:
        create_meter(m)
        grant(m, 1_000, expires_at=m.now() + YEAR / 12)
        right = m.now()
    clock = metering.FixedClock(right + YEAR)
    with metering.connect(place, clock=clock) as m:
        create_event(m)
        apply(m, "in_1", period_end=right)
    return right


def test_what_a_wrong_clock_decided_is_shown_and_put_right(right: datetime) -> None:
    to = right.isoformat()

    seen = run("repair", "time", "--dry-run")
    made = run("repair", "time", "--to", to, "--reason", "no battery")
    again = run("repair", "time", "--to", to)

    assert "wrong positions    3 to 4" in seen.stdout
    assert "Nothing was recorded; repair with --to, from" in seen.stdout
    for shown in (seen, made):
        assert "metering credits apply FILE --replace" in shown.stdout
        assert "in_1" in shown.stdout
    assert f"Corrected to {to} at position 5" in made.stdout
    assert "Nothing to repair" in again.stdout
    assert run("verify").exit_code == 0


def test_programs_receive_it_as_json(right: datetime) -> None:
    seen = document("repair", "time", "--to", right.isoformat(), "--dry-run", "--json")

    assert (seen["was_wrong"], seen["after"], seen["up_to"]) == (True, 2, 4)
    assert (seen["invoices"], seen["event_count"]) == (["in_1"], 1)
    assert (seen["corrected_to"], seen["position"]) == (None, None)


def test_a_time_without_its_bounds_is_refused_with_them(right: datetime) -> None:
    late = (right + YEAR).isoformat()
    for options in ([], ["--to", late]):
        refused = run("repair", "time", *options)

        assert_only_fails(refused)
        assert "give a time from" in refused.stderr
