"""A sealing is killed at any step: the log is as it was, or sealed, never in between."""

import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path
from random import Random

import pytest

import metering
from tests.conftest import StoreTargets
from tests.faults.copying import copied
from tests.faults.dying import die_writing, killed_at_each_step, rebuild, seal
from tests.faults.killed.test_killed_writers import assert_is_whole
from tests.faults.sealing import Sealed, seal_again_and_again
from tests.faults.usage import (
    assert_holds,
    create_meter,
    numbers_by_position,
    open_store,
    table,
)
from tests.faults.writing import Acknowledged, write
from tests.figures import Figures
from tests.processes import Child, said
from tests.profiles import PROFILE
from tests.segment_places import runs_of, segments_of

SEGMENTS = 7
EVENTS_EACH = 40
EVENTS = EVENTS_EACH * (SEGMENTS + 1)


@pytest.fixture(scope="module")
def about_to_merge(store_targets: StoreTargets) -> Iterator[str]:
    """A store of seven segments whose next one has all runs merged into one."""
    with store_targets() as target:
        create_meter(target)
        with open_store(target) as store:
            for part in range(SEGMENTS + 1):
                start = part * EVENTS_EACH
                store.meter_events.ingest(table(range(start, start + EVENTS_EACH)))
                if part < SEGMENTS:
                    store.seal()
        yield target


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.parametrize("deed", [seal, rebuild])
def test_a_process_can_be_killed_at_every_step(
    about_to_merge: str,
    processes: ForkServerContext,
    deed: Callable[[metering.Metering], None],
    figures: Figures,
) -> None:
    """A kill at any step of a sealing or a rebuild leaves the old state or the new one."""
    for target in killed_at_each_step(
        about_to_merge, deed, processes, figures, steps_min=20
    ):
        assert_nothing_happened_but_sealing(target)


@pytest.mark.slow
@pytest.mark.sweep
def test_a_process_can_be_killed_while_it_writes_a_file(
    about_to_merge: str, processes: ForkServerContext, figures: Figures
) -> None:
    """A kill in the middle of a segment's file leaves the old state or the new one."""
    deaths = 0
    for kilobytes in range(0, 48, 1 if PROFILE.is_thorough else 6):
        with copied(about_to_merge) as target:
            # What was there may be larger, and is not written to.
            child = Child(processes, die_writing, seal, target, kilobytes << 10)
            answers = list(said(child))

            assert child.exit_code() == 0 if answers else -25
            deaths += not answers
            assert_nothing_happened_but_sealing(target)

    figures.add("kills", deaths)
    assert deaths > 0


def assert_nothing_happened_but_sealing(target: str) -> None:
    with open_store(target) as store:
        assert_holds(store, range(EVENTS))
        store.seal()
        assert_holds(store, range(EVENTS))
    assert len(files_in(segments_of(target))) == SEGMENTS + 1
    # One of identifiers and one of usage, merged, with their locks.
    assert len(files_in(runs_of(target))) == 4
    assert_is_whole(target)


def files_in(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


@pytest.mark.slow
def test_sealings_can_be_killed_while_others_write(
    store_target: str, processes: ForkServerContext, figures: Figures
) -> None:
    """Sealings that are killed while others write lose and double nothing."""
    kill_sealings_while_others_write(store_target, processes, figures)


def kill_sealings_while_others_write(
    store_target: str, processes: ForkServerContext, figures: Figures
) -> None:
    create_meter(store_target)
    generator = Random(20261121)
    writer = Child(processes, write, store_target, range(1_000_000), 5)
    kills = 100 if PROFILE.is_thorough else 12
    acknowledged = segments = 0

    for seed in range(10 * kills):
        # A busy machine seals little before the death.
        if seed >= kills and segments > kills:
            break
        sealer = Child(processes, seal_again_and_again, store_target, seed)
        # A few die while they still open the store, most while they seal.
        answers = [next(said(sealer))] if generator.random() < 0.8 else []
        death = time.monotonic() + generator.uniform(0, 0.5)
        answers += said(writer, sealer, until=death)
        sealer.kill()
        answers += said(sealer)
        assert sealer.exit_code() == -9
        figures.add("kills")
        segments += sum(each.segments for each in answers if isinstance(each, Sealed))
        acknowledged += sum(
            len(each.numbers) for each in answers if isinstance(each, Acknowledged)
        )
    writer.kill()
    list(said(writer))
    writer.exit_code()

    assert segments > kills
    with open_store(store_target) as store:
        kept = numbers_by_position(store)
        assert len(kept) >= acknowledged > 0
        assert_holds(store, range(len(kept)))
        store.seal()
        store.rebuild()
        assert_holds(store, range(len(kept)))
    assert_is_whole(store_target)
