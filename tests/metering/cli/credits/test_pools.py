"""``metering pools``: made, joined, granted to, left and closed."""

from pathlib import Path

import metering
from tests.metering.cli.running import (
    assert_malformed,
    assert_only_fails,
    document,
    run,
)
from tests.metering.usual_credits import line

GRANT = ["credits", "grant", "--amount", "10", "--currency", "usd"]


def test_a_pool_is_made_changed_and_closed(place: Path) -> None:
    cap = ["--cap", "3.00", "--currency", "usd"]
    made = run("pools", "create", "--id", "team", *cap, "--metadata", "a=b").stdout
    assert "cap       3.00 USD a member" in made
    assert document("pools", "create", "--id", "free")["cap"] is None
    joined = run("pools", "add-member", "team", "--customer", "seat_1").stdout
    assert joined == "seat_1 draws from team\n"
    own = ["--cap", "2.5", "--currency", "usd"]
    assert run("pools", "add-member", "team", "--customer", "seat_2", *own).stdout == (
        "seat_2 draws from team, at most 2.50 USD\n"
    )
    [_, _, _, second, first] = run("pools", "members", "team").stdout.splitlines()
    assert second.split()[:3] == ["seat_2", "2.50", "USD"]
    assert (first.split()[0], len(first.split())) == ("seat_1", 3)
    left = run("pools", "remove-member", "team", "--customer", "seat_2").stdout
    assert left == "seat_2 draws from team no more\n"
    assert [each["customer"] for each in document("pools", "members", "team")] == [
        "seat_1"
    ]

    # The cap stays in its currency until another is named.
    changed = document("pools", "update", "team", "--cap", "4", "--name", "Seats")
    assert changed["cap"]["monetary"] == {"currency": "usd", "value": 400}
    assert document("pools", "update", "team", "--name", "S")["cap"] == changed["cap"]
    assert document("pools", "update", "team", "--cap", "")["cap"] is None
    assert document("pools", "retrieve", "team")["metadata"] == {"a": "b"}

    archived = run("pools", "archive", "team").stdout
    assert archived == "Archived team: its members left\n"
    assert "No members of team" in run("pools", "members", "team").stdout
    assert [each["status"] for each in document("pools", "list")] == [
        "active",
        "archived",
    ]
    assert "archived" in run("pools").stdout
    assert "team: seat_2" in run("webhooks", "events").stdout


def test_a_pool_has_grants_and_what_its_members_leave_of_them(place: Path) -> None:
    run("pools", "create", "--id", "team", "--cap", "3", "--currency", "usd")
    run("pools", "add-member", "team", "--customer", "seat_1")
    run(*GRANT, "--customer", "cus_1")
    granted = document(*GRANT, "--pool", "team")
    assert (granted["pool"], granted["customer"]) == ("team", None)
    with metering.connect(place) as m:
        drawn = [line(100)]
        m.credits.apply(
            invoice="in_1", customer="seat_1", period_end=m.now(), lines=drawn
        )

    shown = run("pools", "balance", "team", "--customer", "seat_1").stdout
    assert shown.splitlines()[4].split() == ["USD", "9.00", "9.00"]
    assert shown.endswith("seat_1 could draw 2.00 USD.\n")
    only = ["--grant", granted["id"]]
    assert document("pools", "balance", "team", *only)["pool"] == "team"
    listing = run("credits", "list").stdout.splitlines()
    owners = [(each[:10].strip(), each[10:16].strip()) for each in listing]
    assert owners[0] == ("customer", "pool")
    assert owners[2:] == [("", "team"), ("cus_1", "")]
    assert "pool         team" in run("credits", "retrieve", granted["id"]).stdout
    explained = run("credits", "transactions", *only).stdout.splitlines()
    assert explained[1].split()[-1] == "member"
    assert explained[3].split()[-2:] == ["il_1", "seat_1"]
    expired = run("credits", "expire", granted["id"]).stdout
    assert expired == f"Expired {granted['id']} of pool team: 9.00 USD forfeited\n"


def test_what_is_malformed_of_a_pool_is_refused(place: Path) -> None:
    metering.connect(place).close()
    together = "give --cap and --currency together"
    assert_malformed(run("pools", "create", "--id", "a", "--cap", "3"), together)
    run("pools", "create", "--id", "team")
    assert_malformed(run("pools", "update", "team", "--cap", "3"), together)
    assert_malformed(run("pools", "update", "team", "--currency", "usd"), together)
    one = "give one of --customer and --pool"
    assert_malformed(run(*GRANT), one)
    assert_malformed(run(*GRANT, "--customer", "cus_1", "--pool", "team"), one)
    assert_only_fails(run(*GRANT, "--pool", "other"), "other")
    assert_only_fails(
        run("pools", "remove-member", "team", "--customer", "seat_1"), "no member"
    )
    assert_only_fails(run("pools", "balance", "other"), "other")
