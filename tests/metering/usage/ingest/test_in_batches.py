"""Large sources go in batch by batch: each is durable, and none depends on the cut."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import metering
from tests.conftest import Connect
from tests.metering.usual_usage import (
    columns,
    counted,
    create_meter,
    rejections,
    table,
    total,
)

# Two whole batches of 50,000 rows and a bit.
ROWS = 100_003


@pytest.fixture(scope="module")
def many() -> pa.Table:
    """Events of value 1 named by their row; some are bad, some repeat or contradict."""
    names = [str(row) for row in range(ROWS)]
    values = ["1"] * ROWS
    values[49_999] = values[50_000] = values[100_002] = "bad"
    names[50_001] = "1"
    names[100_000] = "2"
    values[100_000] = "7"
    return columns(identifier=names, value=values)


REJECTED = [
    (49_999, "49999", "meter_event_invalid_value"),
    (50_000, "50000", "meter_event_invalid_value"),
    (100_000, "2", "identifier_conflict"),
    (100_002, "100002", "meter_event_invalid_value"),
]
COUNTED = (99_998, 1, 4)


def progress_of(calls: Sequence[metering.IngestProgress]) -> list[tuple[Any, ...]]:
    return [
        (each.rows, each.accepted, each.duplicates, each.rejected, each.total_rows)
        for each in calls
    ]


def test_a_table_of_several_batches_is_reported_as_one(
    connect: Connect, clock: metering.FixedClock, many: pa.Table
) -> None:
    store = connect(clock=clock)
    meter = create_meter(store)
    calls: list[metering.IngestProgress] = []

    receipt = store.meter_events.ingest(many, progress=calls.append)

    assert counted(receipt) == COUNTED
    assert rejections(receipt) == REJECTED
    assert (receipt.first_position, receipt.last_position) == (2, 99_999)
    assert progress_of(calls) == [
        (50_000, 49_999, 0, 1, ROWS),
        (100_000, 99_997, 1, 2, ROWS),
        (100_003, 99_998, 1, 4, ROWS),
    ]
    assert total(store, meter) == 99_998


@pytest.mark.parametrize("rows_at_a_time", [977, 49_999, 50_000, 50_001, ROWS])
def test_a_stream_cut_anywhere_gives_what_the_table_gives(
    store: metering.Metering,
    tokens: metering.Meter,
    many: pa.Table,
    rows_at_a_time: int,
) -> None:
    calls: list[metering.IngestProgress] = []

    receipt = store.meter_events.ingest(
        many.to_reader(max_chunksize=rows_at_a_time), progress=calls.append
    )

    assert counted(receipt) == COUNTED
    assert rejections(receipt) == REJECTED
    assert (receipt.first_position, receipt.last_position) == (2, 99_999)
    assert progress_of(calls)[-1] == (ROWS, 99_998, 1, 4, None)
    assert [each.rows for each in calls] == sorted({each.rows for each in calls})


@pytest.mark.slow
def test_dicts_give_what_the_table_gives(
    store: metering.Metering, tokens: metering.Meter, many: pa.Table
) -> None:
    calls: list[metering.IngestProgress] = []
    rows = (row for batch in many.to_batches(9_999) for row in batch.to_pylist())

    receipt = store.meter_events.ingest(rows, progress=calls.append)

    assert counted(receipt) == COUNTED
    assert rejections(receipt) == REJECTED
    assert progress_of(calls) == [
        (50_000, 49_999, 0, 1, None),
        (100_000, 99_997, 1, 2, None),
        (100_003, 99_998, 1, 4, None),
    ]


@pytest.mark.parametrize("rows_in_a_group", [999, 70_000])
def test_a_file_says_how_many_rows_it_has(
    store: metering.Metering,
    tokens: metering.Meter,
    many: pa.Table,
    tmp_path: Path,
    rows_in_a_group: int,
) -> None:
    path = tmp_path / "usage.parquet"
    pq.write_table(many, path, row_group_size=rows_in_a_group)
    calls: list[metering.IngestProgress] = []

    receipt = store.meter_events.ingest(path, progress=calls.append)

    assert counted(receipt) == COUNTED
    assert rejections(receipt) == REJECTED
    assert {each.total_rows for each in calls} == {ROWS}
    assert calls[-1].rows == ROWS


def test_progress_is_told_of_what_is_durable(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store, other = connect(clock=clock), connect(clock=clock)
    create_meter(store)
    seen: list[tuple[int, int]] = []

    store.meter_events.ingest(
        columns(60_000, identifier=[str(row) for row in range(60_000)]),
        progress=lambda each: seen.append((each.accepted, other.position)),
    )

    assert [accepted for accepted, _ in seen] == [50_000, 60_000]
    assert [position > accepted for accepted, position in seen] == [True, True]


def test_a_small_batch_calls_progress_once(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    for source in (columns(3), columns(3).to_reader(), columns(3).to_pylist()):
        calls: list[metering.IngestProgress] = []

        store.meter_events.ingest(source, progress=calls.append)

        assert [each.rows for each in calls] == [3]


@pytest.mark.slow
def test_an_interrupted_ingestion_keeps_its_batches_and_can_be_run_again(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    meter = create_meter(store)
    rows = table(
        {
            "event_name": "tokens",
            "identifier": str(row),
            "stripe_customer_id": "cus_1",
            "value": "1",
        }
        for row in range(50_010)
    ).to_pylist()

    def interrupted() -> Iterator[dict[str, object]]:
        yield from rows[:50_005]
        reason = "the program was stopped"
        raise KeyboardInterrupt(reason)

    with pytest.raises(KeyboardInterrupt, match="the program was stopped"):
        store.meter_events.ingest(interrupted(), now=True)
    assert total(store, meter) == 50_000
    receipt = store.meter_events.ingest(rows, now=True)

    assert counted(receipt) == (10, 50_000, 0)
    assert (receipt.first_position, receipt.last_position) == (50_002, 50_011)
    assert total(store, meter) == 50_010


def test_an_error_of_the_progress_callback_keeps_the_batches_before(
    store: metering.Metering, tokens: metering.Meter, many: pa.Table
) -> None:
    def stop(_: metering.IngestProgress) -> None:
        reason = "no longer wanted"
        raise InterruptedError(reason)

    with pytest.raises(InterruptedError, match="no longer wanted"):
        store.meter_events.ingest(many, progress=stop, now=True)
    assert total(store, tokens) == 49_999
    receipt = store.meter_events.ingest(many, now=True)

    assert receipt.accepted == 49_999
    assert total(store, tokens) == 99_998


def test_a_bad_column_in_a_later_batch_of_a_stream_cannot_come(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    def changing() -> Iterator[pa.RecordBatch]:
        yield from columns().to_batches()
        yield from columns(value=[1.5]).to_batches()

    reader = pa.RecordBatchReader.from_batches(columns().schema, changing())

    with pytest.raises(metering.SourceError):
        store.meter_events.ingest(reader)


def test_a_meter_deactivated_while_batches_go_in_takes_no_further_batch(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store, other = connect(clock=clock), connect(clock=clock)
    meter = create_meter(store)
    rows = columns(100_001, identifier=[str(row) for row in range(100_001)])

    def deactivate(progress: metering.IngestProgress) -> None:
        if progress.rows == 50_000:
            other.meters.deactivate(meter.id)

    receipt = store.meter_events.ingest(rows, progress=deactivate)

    assert receipt.accepted == 50_000
    assert set(receipt.rejections["code"].to_pylist()) == {"archived_meter"}
    assert receipt.rejections["row"].to_pylist() == [*range(50_000, 100_001)]


def test_a_meter_created_while_batches_go_in_takes_the_next_batch(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    created: list[metering.Meter] = []
    rows = columns(event_name=["tokens"] * 50_000 + ["words"] * 3)

    def create(progress: metering.IngestProgress) -> None:
        if progress.rows == 50_000:
            created.append(create_meter(store, "words"))

    receipt = store.meter_events.ingest(rows, progress=create)

    assert counted(receipt) == (50_003, 0, 0)
    assert total(store, created[0]) == 3


def test_positions_of_a_receipt_may_have_events_of_others_between(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store, other = connect(clock=clock), connect(clock=clock)
    create_meter(store)
    rows = columns(60_000, identifier=[str(row) for row in range(60_000)])

    def interfere(progress: metering.IngestProgress) -> None:
        if progress.rows == 50_000:
            other.meter_events.ingest(columns(5))

    receipt = store.meter_events.ingest(rows, progress=interfere)

    assert receipt.accepted == 60_000
    assert (receipt.first_position, receipt.last_position) == (2, 60_006)
    assert store.position == 60_006
