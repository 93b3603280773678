"""A run holds what was folded of its stretch, and merged runs what theirs held."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.runs.files import RunColumns, RunIdentity, open_run, write_run
from ledger.usage.columns import UsageRow, usage_batch
from projections.kernels.usage.series import CellShape
from projections.usage.cells import (
    UsageCells,
    cells_of_cancellations,
    cells_of_events,
)
from projections.usage.run import UsageRun, UsageRuns, columns_of
from projections.windows import HOUR
from tests.projections.cells import contents_of_lasts, contents_of_totals
from tests.projections.usage.usage_model import (
    CUSTOMERS,
    EVENT,
    EVENTS,
    FIRST_HOUR,
    LASTS,
    METERS,
    TOTALS,
    Known,
    Model,
    series_of,
)
from tests.projections.usage_logs import log_directory

SHAPES = {name: CellShape.of(*definition) for name, definition in METERS.items()}
ALL_HOURS = range(1 << 21)


def folded(first_position: int, events: Sequence[UsageRow]) -> UsageCells:
    positions = np.arange(first_position, first_position + len(events))
    return cells_of_events(usage_batch(events), SHAPES, lambda: positions)


def cancelled(events: Sequence[Known]) -> UsageCells:
    """Their cancellations, recorded where the model says."""
    facts = {each.cancelled_at: each.cancellation() for each in events}
    return cells_of_cancellations(
        {at: fact for at, fact in facts.items() if at is not None}, SHAPES
    )


def kept(directory: Path, after: int, columns: RunColumns) -> UsageRun:
    """Write a run and open it again."""
    identity = RunIdentity.of("usage", 1, after, after + 1, bytes(32))
    file = open_run(write_run(directory, identity, columns).path)
    assert file is not None
    return UsageRuns().open(file)


@st.composite
def stretches(draw: st.DrawFn) -> tuple[Model, list[UsageCells]]:
    """A model, and the cells of each stretch of its log."""
    model, cells, position = Model(), list[UsageCells](), 1
    for events in draw(st.lists(st.lists(EVENTS, min_size=1, max_size=8), max_size=8)):
        model.record(position, events)
        parts = [folded(position, events)]
        position += len(events)
        chosen = [each for each in model.live if draw(st.booleans())]
        for known in chosen:
            known.cancelled_at, position = position, position + 1
        if chosen:
            parts.append(cancelled(chosen))
        cells.append(UsageCells.merge(parts))
    return model, cells


@given(stretches(), st.integers(1, 9))
def test_merged_runs_know_what_each_knew(
    history: tuple[Model, list[UsageCells]], at_a_time: int
) -> None:
    model, cells = history
    with log_directory() as directory:
        runs = [
            kept(directory, at, columns_of(each))
            for at, each in enumerate([folded(0, [EVENT]), *cells])
        ]
        columns = UsageRuns(merged_at_a_time=at_a_time).merge(runs)
        merged = kept(directory, 0, columns)

        assert merged.cells().equals(UsageCells.merge([run.cells() for run in runs]))
        model.record(0, [EVENT])
        for name in TOTALS:
            for customer in CUSTOMERS:
                totals = merged.totals_of(series_of(name, customer), 0, 1 << 21)
                expected = model.totals(name, customer, ALL_HOURS)
                assert contents_of_totals(totals) == expected
        for known in model.events:
            position = np.array([known.position])
            assert merged.cancellations.hold(position) == (
                known.cancelled_at is not None
            )


@given(st.lists(EVENTS, min_size=1))
def test_a_run_holds_what_was_folded(events: list[UsageRow]) -> None:
    model = Model()
    model.record(5, events)
    with log_directory() as directory:
        run = kept(directory, 4, columns_of(folded(5, events)))

        assert run.cells().equals(folded(5, events))
        for name in LASTS:
            lasts = run.lasts_of(series_of(name, "cus_1"), 0, 1 << 21)
            lasts = lasts.with_key(lasts.key & np.uint64((1 << 21) - 1))
            expected = model.lasts(name, "cus_1", ALL_HOURS)
            assert contents_of_lasts(lasts) == expected


def test_a_run_knows_nothing_of_series_that_it_does_not_hold(tmp_path: Path) -> None:
    run = kept(tmp_path, 0, columns_of(folded(1, [EVENT])))

    for series in (series_of("sum", "nobody"), series_of("count", "cus_1")):
        assert len(run.totals_of(series, 0, 1 << 21)) == 0
        assert len(run.lasts_of(series, 0, 1 << 21)) == 0
    sums = series_of("sum", "cus_1")
    assert len(run.totals_of(sums, FIRST_HOUR + 1, 1 << 21)) == 0
    assert len(run.totals_of(sums, 0, FIRST_HOUR)) == 0
    assert len(run.totals_of(sums, FIRST_HOUR, FIRST_HOUR + 1)) == 1


def test_cells_take_twenty_bytes_where_sums_are_small(tmp_path: Path) -> None:
    many = 10_000
    events = [EVENT._replace(timestamp=at * HOUR) for at in range(many)]

    run = kept(tmp_path, 0, columns_of(folded(1, events)))

    [path] = tmp_path.glob("*.arrow")
    assert path.stat().st_size < 21 * many
    assert len(run.totals.key) == many


def test_a_stretch_of_more_events_than_a_count_holds_is_an_error() -> None:
    cells = folded(1, [EVENT])
    count = np.array([1 << 31])
    totals = type(cells.totals)(
        key=cells.totals.key, count=count, limbs=cells.totals.limbs
    )
    too_many = UsageCells(
        names=cells.names,
        customers=cells.customers,
        totals=totals,
        lasts=cells.lasts,
        cancellations=cells.cancellations,
    )

    with pytest.raises(AssertionError):
        columns_of(too_many)
