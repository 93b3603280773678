"""A store is audited by a process that is killed: the next goes on, and finds what is there."""

from datetime import timedelta
from multiprocessing.context import ForkServerContext

import pytest

import metering
from tests.faults.copying import copied
from tests.faults.dying import killed_at_each_step
from tests.faults.usage import NOW, create_meter, open_store, table
from tests.figures import Figures

LATER = NOW + timedelta(hours=1)


def audit(store: metering.Metering) -> None:
    store.audit.run(files=True)


@pytest.mark.slow
@pytest.mark.sweep
def test_a_process_that_audits_can_be_killed_at_every_step(
    store_target: str, processes: ForkServerContext, figures: Figures
) -> None:
    """What it began is one pass, which whoever comes once its lease is over ends."""
    create_meter(store_target)
    with open_store(store_target) as store:
        for first in (0, 10):
            store.meter_events.ingest(table(range(first, first + 10)), backfill=True)
            store.seal()
        store.meter_events.ingest(table(range(20, 30)), backfill=True)
    with copied(store_target) as target, open_store(target, LATER) as store:
        expected = store.audit.run(files=True)
    assert expected is not None
    assert expected.status == "passed"

    for target in killed_at_each_step(
        store_target, audit, processes, figures, steps_min=4
    ):
        with open_store(target, LATER) as store:
            running = store.audit.status().running
            made = store.audit.run(files=True)

            assert made is not None
            assert running is None or made.id == running.id
            assert (made.differences, made.entries_present) == ((), expected.entries)
            assert made.hourly_totals_explained == expected.hourly_totals
            assert store.audit.status().running is None
