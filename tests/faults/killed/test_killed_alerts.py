"""An evaluation is killed at any step: nothing is missed, and nothing triggers twice."""

from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext

import pytest

import metering
from tests.conftest import StoreTargets
from tests.faults.alerting import (
    assert_credits_fell_once,
    assert_triggered_once,
    create_alerts,
    evaluate_and_write,
    let_credits_fall,
    watch_credits,
)
from tests.faults.copying import copied
from tests.faults.dying import catch_up, killed_at_each_step, seal
from tests.faults.usage import create_meter, open_store, table
from tests.figures import Figures
from tests.processes import Child, said


@pytest.fixture(scope="module")
def about_to_trigger(store_targets: StoreTargets) -> Iterator[str]:
    """A store of which a third is sealed, a third is evaluated, and a third is new."""
    with store_targets() as target:
        create_meter(target)
        with open_store(target) as store:
            create_alerts(store)
            store.meter_events.ingest(table(range(40)))
            store.seal()
            store.meter_events.ingest(table(range(40, 80)))
            store.catch_up()
            triggers = len(store.alerts.triggered())
            store.meter_events.ingest(table(range(80, 120)))
        with copied(target) as copy, open_store(copy) as store:
            assert 0 < triggers < assert_triggered_once(store)
        yield target


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.parametrize("deed", [catch_up, seal])
def test_a_process_that_evaluates_can_be_killed_at_every_step(
    about_to_trigger: str,
    processes: ForkServerContext,
    deed: Callable[[metering.Metering], None],
    figures: Figures,
) -> None:
    """A kill at any step of an evaluation misses nothing and triggers nothing twice."""
    for target in killed_at_each_step(
        about_to_trigger, deed, processes, figures, steps_min=5
    ):
        with open_store(target) as store:
            assert_triggered_once(store)
            store.seal()
            store.rebuild()
            assert_triggered_once(store)


@pytest.mark.slow
@pytest.mark.sweep
def test_a_process_that_evaluates_credits_can_be_killed_at_every_step(
    store_target: str, processes: ForkServerContext, figures: Figures
) -> None:
    """A kill at any step of an evaluation of credits misses no fall and triggers none twice."""
    with open_store(store_target) as store:
        watch_credits(store)
        let_credits_fall(store, "cus_1")
        store.catch_up()
        let_credits_fall(store, "cus_2")

    for target in killed_at_each_step(
        store_target, catch_up, processes, figures, steps_min=5
    ):
        with open_store(target) as store:
            assert_credits_fell_once(store, ("cus_1", "cus_2"))
            store.rebuild()
            assert_credits_fell_once(store, ("cus_1", "cus_2"))


@pytest.mark.slow
def test_processes_that_evaluate_at_once_do_nothing_twice(
    store_target: str, processes: ForkServerContext
) -> None:
    create_meter(store_target)
    with open_store(store_target) as store:
        create_alerts(store)

    children = [
        Child(
            processes,
            evaluate_and_write,
            store_target,
            range(seed * 100, seed * 100 + 100),
            seed,
        )
        for seed in range(3)
    ]
    list(said(*children))

    assert [child.exit_code() for child in children] == [0, 0, 0]
    with open_store(store_target) as store:
        assert assert_triggered_once(store) > 14
        store.seal()
        store.rebuild()
        assert assert_triggered_once(store) > 14
