"""``metering check``, ``spend`` and ``credits balance --unbilled``."""

from pathlib import Path

import pytest

import metering
from tests.metering.cli.running import assert_only_fails, document, run
from tests.metering.spending.usual_spending import subscribed
from tests.metering.usual_credits import grant


def test_commands_check_and_spend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METERING_STORE", str(tmp_path / "store"))
    with metering.connect(tmp_path / "store") as m:
        subscribed(m)
        grant(m, 100)
    of = ("--customer", "cus_1")
    spending = ("spend", "tokens", "7.5", *of, "--payload=model=large", "--identifier")

    found = document("check", "tokens", "7.5", *of)
    made = document(*spending, "e_1")

    assert (found["allowed"], found["amount"]["monetary"]["value"]) == (True, 75)
    assert made["payload"]["model"] == "large"
    assert "was recorded already" in run(*spending, "e_1").stdout
    assert_only_fails(run(*spending, "e_2"), "25 usd of credits left", "comes to 75")
    assert "No, credits do not cover it: it comes to 0.75 USD, and 0.25 USD of" in (
        run("check", "tokens", "7.5", *of).stdout
    )
    table = run("credits", "balance", *of, "--unbilled").stdout.splitlines()
    assert table[-1].split() == ["USD", "0.25", "0.75", "0.00", "1.00"]
