"""What the facts about a meter add up to, in the kernel and in the tables."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from ledger.database.addresses import open_database
from ledger.database.store import Database
from ledger.entries import Commit
from ledger.facts.adjustments import MeterEventCancelled
from ledger.facts.meters import (
    EventTimeWindow,
    Formula,
    MeterCreated,
    MeterDeactivated,
    MeterReactivated,
    MeterStatus,
    MeterUpdated,
)
from ledger.facts.union import Fact
from ledger.log import Log
from projections.folds import FactTables
from projections.kernels.meters import MeterDefinition, apply_fact
from projections.meters.catalog import Catalog
from projections.meters.tables import read_definitions
from tests.projections.usage_logs import fact_log

CREATED = MeterCreated(
    meter_id="mtr_1",
    event_name="tokens",
    display_name="Tokens",
    formula=Formula.LAST,
    customer_payload_key="account",
    value_payload_key="amount",
    event_time_window=EventTimeWindow.DAY,
)
CANCELLED = MeterEventCancelled(
    event_position=1,
    event_name="tokens",
    identifier="a",
    customer="cus_1",
    timestamp=0,
    value=None,
)
DEFINED = MeterDefinition(
    meter_id="mtr_1",
    event_name="tokens",
    display_name="Tokens",
    formula=Formula.LAST,
    customer_payload_key="account",
    value_payload_key="amount",
    event_time_window=EventTimeWindow.DAY,
    status=MeterStatus.ACTIVE,
    created=100,
    updated=100,
    deactivated_at=None,
    position=7,
)


def applied(*facts: Fact) -> MeterDefinition | None:
    """What facts at 7, 8, 9…, recorded at 100, 200, 300…, leave of the meter."""
    definitions: dict[str, MeterDefinition] = {}
    for number, fact in enumerate(facts):
        changed = apply_fact(
            definitions, fact, position=7 + number, recorded_at=100 + 100 * number
        )
        if changed is not None:
            definitions[changed.meter_id] = changed
    return definitions.get("mtr_1")


RENAMED = MeterUpdated(meter_id="mtr_1", display_name="Words")
OFF, ON = MeterDeactivated(meter_id="mtr_1"), MeterReactivated(meter_id="mtr_1")
IS_OFF = {"status": MeterStatus.INACTIVE, "deactivated_at": 200, "updated": 200}


@pytest.mark.parametrize(
    ("facts", "changed"),
    [
        ([], {}),
        ([RENAMED], {"display_name": "Words", "updated": 200}),
        ([OFF], IS_OFF),
        ([OFF, ON], {"updated": 300}),
    ],
    ids=["created", "renamed", "deactivated", "reactivated"],
)
def test_a_meter_is_what_its_facts_add_up_to(
    facts: list[Fact], changed: dict[str, Any]
) -> None:
    assert applied(CREATED, *facts) == replace(DEFINED, **changed)


def test_facts_about_events_change_no_meter() -> None:
    assert apply_fact({}, CANCELLED, position=1, recorded_at=0) is None
    assert applied(CREATED, CANCELLED) == DEFINED


def test_only_a_meter_that_counts_needs_no_value() -> None:
    without = [
        formula
        for formula in Formula
        if not replace(DEFINED, formula=formula).needs_value
    ]

    assert without == [Formula.COUNT, Formula.UNIQUE_COUNT]


def record(log: Log, *facts: Fact, recorded_at: int = 100) -> None:
    with log.writing(lambda: recorded_at) as writing:
        writing.record(facts)


def definitions_of(log: Log) -> dict[str, MeterDefinition]:
    with log.read() as connection:
        return read_definitions(connection)


@st.composite
def facts(draw: st.DrawFn) -> list[list[Fact]]:
    """Commits of facts about up to three meters, each of them possible."""
    names = draw(st.lists(st.sampled_from("abc"), min_size=1, unique=True))
    made: list[Fact] = [
        MeterCreated(
            meter_id=f"mtr_{name}",
            event_name=name,
            display_name=draw(st.sampled_from(["", "Größe 🚕", "'; --"])),
            formula=draw(st.sampled_from(Formula)),
            customer_payload_key=name,
            value_payload_key="value",
            event_time_window=draw(st.none() | st.sampled_from(EventTimeWindow)),
        )
        for name in names
    ]
    meter_ids = st.sampled_from([f"mtr_{name}" for name in names])
    made += draw(
        st.lists(
            st.one_of(
                st.builds(MeterUpdated, meter_id=meter_ids, display_name=st.text("xy")),
                st.builds(MeterDeactivated, meter_id=meter_ids),
                st.builds(MeterReactivated, meter_id=meter_ids),
                st.just(CANCELLED),
            ),
            max_size=10,
        )
    )
    size = draw(st.integers(1, 4))
    return [made[start : start + size] for start in range(0, len(made), size)]


@pytest.mark.slow
@given(commits=facts())
def test_rebuilt_tables_are_those_that_were_folded_along_the_way(
    commits: Sequence[Sequence[Fact]],
) -> None:
    with closing(open_database(":memory:", creates=True)) as database:
        assert_rebuilt_as_folded(fact_log(database), commits)


@pytest.mark.dialect
def test_a_history_of_every_fact_is_folded_alike_on_each_backend(
    database: Database,
) -> None:
    others = [
        msgspec.structs.replace(CREATED, meter_id=f"mtr_{name}", event_name=name)
        for name in ("größe 🚕", "'; --", "%s")
    ]
    history: list[list[Fact]] = [
        [CREATED, MeterUpdated(meter_id="mtr_1", display_name="Größe 🚕 '; --")],
        [*others, MeterDeactivated(meter_id="mtr_1"), CANCELLED],
        [MeterReactivated(meter_id="mtr_1"), MeterDeactivated(meter_id="mtr_%s")],
        [CANCELLED],
        [msgspec.structs.replace(CREATED, meter_id="mtr_2", event_name="")],
    ]

    assert_rebuilt_as_folded(fact_log(database), history)


def assert_rebuilt_as_folded(log: Log, commits: Sequence[Sequence[Fact]]) -> None:
    for number, each in enumerate(commits):
        record(log, *each, recorded_at=100 * number)
    folded = definitions_of(log)

    log.rebuild()

    assert definitions_of(log) == folded
    assert list(folded.values()) == sorted(
        folded.values(), key=lambda meter: meter.position
    )
    assert folded == replayed(commit for commit, _ in log.commits())


def replayed(commits: Iterator[Commit]) -> dict[str, MeterDefinition]:
    definitions: dict[str, MeterDefinition] = {}
    for commit in commits:
        assert isinstance(commit.content, tuple)
        for position, fact in enumerate(commit.content, commit.first_position):
            changed = apply_fact(
                definitions, fact, position=position, recorded_at=commit.recorded_at
            )
            if changed is not None:
                definitions[changed.meter_id] = changed
    return definitions


@pytest.mark.dialect
def test_tables_are_current_only_if_this_fold_made_them(database: Database) -> None:
    tables = FactTables()

    with database.read() as connection:
        before = tables.is_current(connection)
    record(fact_log(database), CREATED)
    with database.read() as connection:
        after = tables.is_current(connection)
    with database.write() as connection:
        connection.execute(text("UPDATE projection SET fold_version = 99"))
    with database.read() as connection:
        of_another = tables.is_current(connection)

    assert (before, after, of_another) == (False, True, False)


def test_the_catalog_reads_definitions_again_only_when_facts_came(
    database: Database,
) -> None:
    log, catalog = fact_log(database), Catalog()
    record(log, CREATED)

    with log.read() as connection:
        first, again = catalog.read(connection), catalog.read(connection)
    record(log, MeterUpdated(meter_id="mtr_1", display_name="Words"))
    with log.read() as connection:
        later = catalog.read(connection)

    assert again is first
    assert first.facts_position == 1
    assert first.by_event_name == {"tokens": first.by_id["mtr_1"]}
    assert later.facts_position == 2
    assert later.by_id["mtr_1"].display_name == "Words"
    assert catalog.latest is later


def test_an_older_snapshot_does_not_replace_what_the_catalog_knows(
    database: Database,
) -> None:
    log, catalog = fact_log(database), Catalog()
    record(log, CREATED)

    with log.read() as old:
        # A snapshot is taken by the first statement.
        catalog.read(old)
        record(log, MeterDeactivated(meter_id="mtr_1"))
        with log.read() as new:
            known = catalog.read(new)
        seen = catalog.read(old)

    assert seen.by_id["mtr_1"].status is MeterStatus.ACTIVE
    assert known.by_id["mtr_1"].status is MeterStatus.INACTIVE
    assert catalog.latest is known
