"""The command line shows what was audited, and fails where something differs."""

import json
from pathlib import Path

import pytest
from sqlalchemy import update

import metering
from ledger.database.addresses import open_database
from projections.credits.tables import credit_grant
from tests.metering.cli.running import run
from tests.metering.usual_credits import grant
from tests.metering.usual_usage import batch, create_meter


@pytest.fixture
def target(tmp_path: Path) -> str:
    target = str(tmp_path / "usage")
    with metering.connect(target) as store:
        create_meter(store)
        store.meter_events.ingest(batch(0, 30), backfill=True)
        store.seal()
        grant(store, 1_000)
    return target


def test_an_audit_is_shown_by_meter_and_segment(target: str) -> None:
    before = run("audit", "--store", target)
    shown = run("audit", "--now", "--store", target)

    assert before.exit_code == 0
    assert "Never audited" in before.output
    assert shown.exit_code == 0
    assert "tokens" in shown.output
    assert "Audited: nothing differs" in shown.output


def test_a_difference_is_told_and_the_command_fails(target: str) -> None:
    database = open_database(target, creates=False)
    with database.write() as connection:
        connection.execute(update(credit_grant).values(amount=999))
    database.close()

    made = run("audit", "--files", "--json", "--store", target)
    shown = run("audit", "--store", target)

    found = json.loads(made.stdout)
    assert (made.exit_code, shown.exit_code) == (1, 1)
    assert found["ok"] is False
    assert "column amount: 999 is stored" in found["last_pass"]["differences"][0]
    assert "Differences: 1" in shown.output
