"""``metering test-clocks``: made, advanced, deleted, with who lives by them."""

from pathlib import Path

from tests.metering.cli.running import assert_only_fails, document, run


def test_a_clock_is_made_advanced_and_deleted(place: Path) -> None:
    del place  # where the commands look
    run("test-clocks", "create", "--at", "2030-01-01T00:00:00Z", "--name", "a year")
    [made] = document("test-clocks")
    clock = made["id"]
    run("customers", "create", "--name", "Ada", "--test-clock", clock)

    assert run("customers").stdout == (
        "No customers; make one with customers create.\n"
    )
    [customer] = document("customers", "--test-clock", clock)
    assert customer["name"] == "Ada"
    assert customer["id"] in run("test-clocks", "retrieve", clock).stdout
    assert run("test-clocks", "advance", clock, "--to", "2031-01-01").stdout == (
        f"{clock} shows 2031-01-01 00:00:00 UTC\n"
    )
    assert_only_fails(
        run("test-clocks", "advance", clock, "--to", "2030-01-01"), "a time after"
    )
    assert run("test-clocks", "delete", clock).stdout == f"Deleted {clock}\n"
    assert document("test-clocks") == []
