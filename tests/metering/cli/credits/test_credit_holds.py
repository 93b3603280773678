"""``metering credits hold``, ``settle``, ``release`` and ``holds``."""

from pathlib import Path

import pytest

import metering
from tests.metering.cli.running import assert_only_fails, document, lines, run
from tests.metering.usual_credits import grant

HOLD = ["credits", "hold", "--customer", "cus_1", "--currency", "usd"]


@pytest.fixture(autouse=True)
def _ten_dollars(place: Path) -> None:
    with metering.connect(place) as m:
        grant(m, 1_000)


def test_credits_are_held_and_settled() -> None:
    held = run(*HOLD, "--id", "job_1", "--amount", "8.00").stdout

    assert held == "Holding 8.00 USD of cus_1 as job_1\n"
    shown = run("credits", "balance", "--customer", "cus_1").stdout.splitlines()
    assert shown[-1].split() == ["USD", "2.00", "8.00", "10.00"]
    part = ["--amount", "1.50", "--keep", "--settlement", "a"]
    assert run("credits", "settle", "job_1", *part).stdout == (
        "Settled job_1: 1.50 USD drawn, 6.50 USD are still held\n"
    )
    assert run("credits", "settle", "job_1", "--amount", "2").stdout == (
        "Settled job_1: 3.50 USD drawn, 4.50 USD went back\n"
    )
    [balance] = document("credits", "balance", "--customer", "cus_1")["balances"]
    assert balance["available_balance"]["monetary"]["value"] == 650


def test_holds_are_listed_and_released() -> None:
    for name in ("job_1", "job_2"):
        run(*HOLD, "--id", name, "--amount", "3.00")
    released = run("credits", "release", "job_1").stdout

    assert released == "Released job_1 of cus_1: 3.00 USD went back\n"
    shown = run("credits", "holds", "--customer", "cus_1").stdout.splitlines()
    assert [each.split()[-1] for each in shown[-2:]] == ["job_2", "job_1"]
    [still] = lines("credits", "holds", "--status", "open")
    assert still["id"] == "job_2"


def test_a_hold_of_too_much_is_refused() -> None:
    assert_only_fails(
        run(*HOLD, "--id", "job_1", "--amount", "10.01"), "can be held now"
    )
