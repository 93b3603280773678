"""A process that corrects is killed at any step: the correction is there whole or not."""

from multiprocessing.context import ForkServerContext
from typing import Any

import pytest

import metering
from tests.faults.dying import killed_at_each_step
from tests.faults.usage import create_meter, open_store, table
from tests.figures import Figures

CHANGES: Any = [
    {"type": "replace", "event_name": "tokens", "replace": {"customer": "cus_9"}}
]


def correct(store: metering.Metering) -> None:
    made = store.corrections.apply(CHANGES, reason="wrong", author="Ada")
    store.corrections.revert(made.id)


def usage(store: metering.Metering) -> dict[str, Any]:
    rows = store.usage(window=None).to_pylist()
    return {row["customer"]: row["value"] for row in rows}


@pytest.mark.slow
@pytest.mark.sweep
def test_a_correction_that_is_killed_at_any_step_is_there_whole_or_not_at_all(
    store_target: str, processes: ForkServerContext, figures: Figures
) -> None:
    create_meter(store_target)
    with open_store(store_target) as store:
        store.meter_events.ingest(table(range(40)), backfill=True)
        before = usage(store)
        events = len([*store.meter_events.list()])

    for target in killed_at_each_step(
        store_target, correct, processes, figures, steps_min=6
    ):
        with open_store(target) as store:
            standing = [each.status for each in store.corrections.list()]
            found = usage(store)
            assert standing in ([], ["applied"], ["reverted"])
            if standing == ["applied"]:
                assert found == {"cus_9": sum(before.values())}
            else:
                assert found == before
            count = len([*store.meter_events.list()])
            assert count == (2 * events if standing else events)
            assert store.verify().problems == ()
