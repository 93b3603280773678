"""A worker audits by itself, and goes on with what another has left."""

from datetime import timedelta

import pytest
from sqlalchemy import update

import metering
from ledger.database.addresses import open_database
from projections.credits.tables import credit_grant
from tests.conftest import Connect
from tests.metering.usual_credits import grant
from tests.metering.usual_usage import batch, create_meter
from tests.waiting import eventually

AT_ONCE = timedelta(milliseconds=1)


def passes(store: metering.Metering) -> metering.AuditPass | None:
    return store.audit.status().last_pass


@pytest.mark.dialect
def test_a_worker_audits_by_itself(connect: Connect) -> None:
    store = connect()
    create_meter(store)
    store.meter_events.ingest(batch(0, 30), backfill=True)

    with store.worker(audit=AT_ONCE):
        eventually(lambda: "auditing" in [loop.name for loop in store.loops()])

    made = store.audit.run()
    assert made is not None
    assert (made.status, made.entries_present) == ("passed", store.position)


def test_workers_tell_once_what_differs(connect: Connect, store_target: str) -> None:
    with connect() as store:
        grant(store, 1_000)
    database = open_database(store_target, creates=False)
    with database.write() as connection:
        connection.execute(update(credit_grant).values(amount=999))
    database.close()
    store, other = connect(), connect()

    with store.worker(audit=AT_ONCE), other.worker(audit=AT_ONCE):
        eventually(lambda: store.audit.status().ok is False)
        first = passes(store)
        eventually(lambda: passes(store) != first)

    told = [each.type for each in store.events.list()]
    assert told.count("metering.audit.failed") == 1


@pytest.mark.parametrize("audit", [timedelta(0), timedelta(days=366), 3])
def test_how_often_is_a_time_up_to_a_year(
    store: metering.Metering, audit: timedelta
) -> None:
    with pytest.raises(metering.InvalidRequestError, match="audit"):
        store.worker(audit=audit)
