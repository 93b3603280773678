"""``metering schedules``: made, changed, paused, ended."""

from pathlib import Path

import metering
from tests.metering.cli.running import assert_only_fails, document, run

CREATE = ["schedules", "create", "--customer", "cus_1", "--currency", "usd"]


def test_a_schedule_is_made_changed_and_ended(place: Path) -> None:
    metering.connect(place).close()
    more = ["--interval-count", "3", "--rollover-up-to", "2.50", "--expires-after", "4"]
    run(*CREATE, "--amount", "8.00", "--id", "quarterly", *more)

    shown = run("schedules", "retrieve", "quarterly").stdout
    assert "8.00 USD every 3 months" in shown
    assert "up to 2.50 USD" in shown
    assert "4 months" in shown
    percent = ["--rollover-percent", "50", "--metadata", "a=b"]
    run("schedules", "update", "quarterly", "--amount", "9", *percent)
    [listed] = document("schedules")
    assert (listed["amount"]["monetary"]["value"], listed["metadata"]) == (
        900,
        {"a": "b"},
    )
    assert listed["rollover"]["percent"] == 50
    both = ["--no-rollover", "--no-expiry"]
    update = ["schedules", "update", "quarterly", *both]
    for option in (["--rollover", "none"], ["--expires-after", "2"]):
        assert "give only one of" in run(*update, *option).stderr
    run(*update)
    [listed] = document("schedules")
    assert (listed["rollover"], listed["expires_after"]) == (None, None)
    run("schedules", "update", "quarterly", *percent)
    run("schedules", "pause", "quarterly")
    listing = run("schedules", "list").stdout
    assert "paused" in listing
    assert "50 %" in listing
    assert "active" in run("schedules", "resume", "quarterly").stdout
    assert run("schedules", "cancel", "quarterly").stdout == (
        "Canceled quarterly: 9.00 USD every 3 months for cus_1\n"
    )
    assert_only_fails(run("schedules", "resume", "quarterly"), "is canceled since")
    other = [*CREATE, "--amount", "1", "--interval", "day"]
    assert "nothing" in run(*other, "--rollover", "none").stdout
    assert_only_fails(run(*other, "--rollover", "percent"), "rollover")
