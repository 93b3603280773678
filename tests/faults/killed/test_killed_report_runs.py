"""Reports are made by a process that is killed: no half file, and the same bytes after."""

from multiprocessing.context import ForkServerContext

import pytest

import metering
from metering.reporting import files
from tests.faults.copying import copied
from tests.faults.dying import killed_at_each_step
from tests.faults.usage import NOW, create_meter, open_store, table
from tests.figures import Figures
from tests.segment_places import segments_of


def make(store: metering.Metering) -> None:
    """Make the reports in parts that are small."""
    before, files.PART_BYTES = files.PART_BYTES, 1_000
    try:
        store.reports.make()
    finally:
        files.PART_BYTES = before


def made(store: metering.Metering) -> list[bytes | None]:
    """The file of each run; None of one that is pending."""
    return [
        None if run.result is None else b"".join(store.reports.open(run.id))
        for run in store.reports.list()
    ]


def parts(target: str) -> int:
    return len(list(segments_of(target).glob("report-*")))


@pytest.mark.slow
@pytest.mark.sweep
def test_a_process_that_makes_reports_can_be_killed_at_every_step(
    store_target: str, processes: ForkServerContext, figures: Figures
) -> None:
    """A file is there as a whole, or its run is pending; the next makes the same bytes, and
    leaves no part of what the killed one began.
    """
    create_meter(store_target)
    with open_store(store_target) as store:
        store.meter_events.ingest(table(range(10)), backfill=True)
        parameters: metering.ReportParameters = {"interval_end": NOW}
        store.reports.create(report_type="metering.events.1", parameters=parameters)
    with copied(store_target) as target, open_store(target) as store:
        make(store)
        expected = made(store)
        kept = parts(target)
    assert kept > 1

    for target in killed_at_each_step(
        store_target, make, processes, figures, steps_min=8
    ):
        with open_store(target) as store:
            found = made(store)
            assert all(
                each in {None, whole}
                for each, whole in zip(found, expected, strict=True)
            )
            make(store)
            assert made(store) == expected
            assert parts(target) == kept
            assert store.verify().problems == ()
