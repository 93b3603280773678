"""A sealing into the database, or a move out of it, is killed at any step."""

from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

import metering
from tests.faults.dying import die_opening, killed_at_each_step, seal
from tests.faults.killed.test_killed_sealing import kill_sealings_while_others_write
from tests.faults.killed.test_killed_writers import assert_is_whole
from tests.faults.usage import NOW, assert_holds, create_meter, open_store, table
from tests.figures import Figures
from tests.postgresql_server import fresh_database
from tests.segment_places import INSIDE, clear_places_of, inside_of, runs_of

pytestmark = [pytest.mark.postgresql, pytest.mark.slow, pytest.mark.sweep]

SEGMENTS = 2
EVENTS_EACH = 40
EVENTS = EVENTS_EACH * (SEGMENTS + 1)


@pytest.fixture(scope="module")
def sealed_inside(postgresql_server: str) -> Iterator[str]:
    """A store with two segments in its database, and events to be sealed."""
    with fresh_database(postgresql_server) as url:
        target = inside_of(url)
        create_meter(target)
        with open_store(target) as store:
            for part in range(SEGMENTS + 1):
                start = part * EVENTS_EACH
                store.meter_events.ingest(table(range(start, start + EVENTS_EACH)))
                if part < SEGMENTS:
                    store.seal()
        yield target
        clear_places_of(target)


def far(target: str) -> Path:
    """Where the segments of a store move."""
    return runs_of(target).with_name("far")


def open_moving(target: str) -> metering.Metering:
    clock = metering.FixedClock(NOW)
    places = {"segments": far(target), "cache": runs_of(target)}
    return metering.connect(target, clock=clock, **places)  # type: ignore[arg-type]  # as they are named


def move(target: str) -> None:
    with open_moving(target) as store:
        store.seal()


def names_inside(target: str) -> set[str]:
    url = make_url(target).difference_update_query(["schema"])
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        found = connection.execute(f"SELECT name FROM {INSIDE}.log_segment_chunk")
        return {name for (name,) in found}


def names_of(store: metering.Metering) -> set[str]:
    """The names of segments that the catalog has."""
    return {each.name for each in store._engine.log.history.segments()}  # noqa: SLF001 (nothing else shows them)


def test_a_process_that_seals_can_be_killed_at_every_step(
    sealed_inside: str, processes: ForkServerContext, figures: Figures
) -> None:
    """A kill at any step of a sealing into the database leaves the old state or the new."""
    for target in killed_at_each_step(
        sealed_inside, seal, processes, figures, steps_min=15
    ):
        with open_store(target) as store:
            assert_holds(store, range(EVENTS))
            store.seal()
            assert_holds(store, range(EVENTS))
            assert names_inside(target) == names_of(store)
            assert len(names_of(store)) == SEGMENTS + 1
        assert_is_whole(target)


def test_sealings_can_be_killed_while_others_write(
    postgresql_url: str, processes: ForkServerContext, figures: Figures
) -> None:
    """Sealings into the database that are killed while others write lose and double nothing."""
    target = inside_of(postgresql_url)

    kill_sealings_while_others_write(target, processes, figures)

    with open_store(target) as store:
        assert names_inside(target) == names_of(store)
    clear_places_of(target)


def test_a_process_that_moves_segments_can_be_killed_at_every_step(
    sealed_inside: str, processes: ForkServerContext, figures: Figures
) -> None:
    """A kill at any step while segments move out of the database loses none."""
    for target in killed_at_each_step(
        sealed_inside, move, processes, figures, steps_min=30, dies=die_opening
    ):
        with open_moving(target) as store:
            assert_holds(store, range(EVENTS))
            store.seal()
            assert_holds(store, range(EVENTS))
            assert names_inside(target) == set()
            assert {each.name for each in far(target).iterdir()} == names_of(store)
            assert len(names_of(store)) == SEGMENTS + 1
