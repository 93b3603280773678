"""A process that backs up, or restores, is killed at each step: what it left is whole."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

import metering
from tests.empty_stores import without_store
from tests.faults.copying import copied
from tests.faults.dying import die_opening, killed_at_each_step
from tests.faults.usage import create, create_meter, numbers_by_position, open_store
from tests.figures import Figures
from tests.segment_places import places_of


def back_up(place: str, store: metering.Metering) -> None:
    """Back a store up to a place."""
    store.backup(place)


def copy(origin: str, target: str) -> None:
    """Copy a store."""
    metering.copy(origin, target, **places_of(target))


def restore(place: str, target: str) -> None:
    """Make a store of a backup."""
    metering.restore(place, target, **places_of(target))


@pytest.fixture
def place() -> Iterator[Path]:
    """Where a backup can be made."""
    with tempfile.TemporaryDirectory(prefix="metering-backup-") as parent:
        yield Path(parent) / "backup"


def seal_some(store: metering.Metering, *numbers: int) -> None:
    for number in numbers:
        create(store, number)
    store.seal()


def numbers_of(place: Path, target: str) -> list[int] | None:
    """The events of what a backup makes; None where there is no backup."""
    try:
        restore(str(place), target)
    except metering.BackupMissingError:
        return None
    with open_store(target) as store:
        return list(numbers_by_position(store).values())


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.parametrize("has_one", [False, True])
def test_a_process_that_backs_up_can_be_killed_at_every_step(
    store_target: str,
    place: Path,
    processes: ForkServerContext,
    figures: Figures,
    has_one: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """A kill at any step of a backup leaves that before or the next one, whole, and the next run makes one of all."""
    create_meter(store_target)
    kept = place.with_name("kept")
    with open_store(store_target) as store:
        seal_some(store, 0)
        if has_one:
            store.backup(kept)
        seal_some(store, 1)
        create(store, 2)
    found = []

    def begin_again() -> None:
        shutil.rmtree(place, ignore_errors=True)
        if has_one:
            shutil.copytree(kept, place)

    begin_again()
    for target in killed_at_each_step(
        store_target, partial(back_up, str(place)), processes, figures, steps_min=15
    ):
        with tempfile.TemporaryDirectory(prefix="metering-restored-") as parent:
            found.append(numbers_of(place, f"{parent}/first"))
            with open_store(target) as store:
                store.backup(place)
                names = {each.name for each in place.iterdir()}
                again = store.backup(place)
            assert again.copied_files < again.files
            assert len(names) == again.files + 1
            assert numbers_of(place, f"{parent}/second") == [0, 1, 2]
        begin_again()
    whole, before = [0, 1, 2], [0] if has_one else None
    assert found[-1] == whole
    assert all(each in (whole, before) for each in found)
    assert before in found


@pytest.mark.slow
@pytest.mark.sweep
def test_a_process_that_restores_can_be_killed_at_every_step(
    store_target: str, place: Path, processes: ForkServerContext, figures: Figures
) -> None:
    """A kill at any step of a restore leaves no store or all of it, and the next run makes it."""
    with copied(store_target) as origin:
        create_meter(origin)
        with open_store(origin) as store:
            seal_some(store, 0)
            seal_some(store, 1)
            create(store, 2)
            store.backup(place)
    without_store(store_target)
    if "://" not in store_target:
        Path(store_target).mkdir()
    assert_all_or_nothing(
        store_target, partial(restore, str(place)), processes, figures
    )


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.postgresql
def test_a_process_that_copies_can_be_killed_at_every_step(
    postgresql_url: str, place: Path, processes: ForkServerContext, figures: Figures
) -> None:
    """A kill at any step of a copy leaves no store or all of it, and the next run makes it."""
    origin = str(place)
    create_meter(origin)
    with open_store(origin) as store:
        seal_some(store, 0)
        seal_some(store, 1)
        create(store, 2)
    assert_all_or_nothing(postgresql_url, partial(copy, origin), processes, figures)


def assert_all_or_nothing(
    target: str,
    make: Callable[[str], None],
    processes: ForkServerContext,
    figures: Figures,
) -> None:
    """Kill what makes a store at each step, and check what is there, and the next run."""
    absent = 0
    for each in killed_at_each_step(
        target, make, processes, figures, steps_min=15, dies=die_opening
    ):
        try:
            metering.connect(each, create=False, **places_of(each)).close()
        except metering.StoreMissingError:
            absent += 1
            make(each)
        with open_store(each) as store:
            assert list(numbers_by_position(store).values()) == [0, 1, 2]
            assert store.verify().problems == ()
    assert absent
