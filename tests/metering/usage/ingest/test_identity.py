"""Rows without identifiers: which of them are the same usage when they come again."""

import gzip
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import metering
from metering.usage.ingest import sources
from tests.conftest import Connect
from tests.metering.store_0_1_0 import unpacked
from tests.metering.usual_usage import (
    NOW,
    cancel_event,
    counted,
    create_meter,
    identifiers,
    rejections,
    table,
    total,
)

HEADER = "event_name,timestamp,stripe_customer_id,value\n"
GROWN_1 = HEADER + "tokens,2026-03-01T00:00:00Z,cus_1,1\n" * 2
GROWN_2 = HEADER + (
    "tokens,2026-02-28T00:00:00Z,cus_2,4\n"
    + "tokens,2026-03-01T00:00:00Z,cus_1,1\n" * 2
)
UNMAPPED = "who,other,much,more\n" + "cus_1,cus_2,1,10\n" * 3
MAPPED = metering.Columns(
    event_name=metering.Constant("tokens"), customer="who", value="much"
)


SEVERAL: list[tuple[str, str | metering.Constant]] = [
    ("tokens", "who"),
    ("tokens", "other"),
    ("tokens", metering.Constant("cus_3")),
    ("calls", "who"),
]


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(name: str, content: str) -> Path:
        path = tmp_path / name
        encoded = content.encode()
        path.write_bytes(gzip.compress(encoded) if name.endswith(".gz") else encoded)
        return path

    return write


Write = Callable[[str, str], Path]


def test_a_file_and_the_same_file_compressed_count_once(
    store: metering.Metering, tokens: metering.Meter, file: Write
) -> None:
    first = store.meter_events.ingest(file("usage.csv", GROWN_1))
    again = store.meter_events.ingest(file("elsewhere.csv.gz", GROWN_1))

    assert (counted(first), first.unnamed) == ((2, 0, 0), 2)
    assert (counted(again), again.unnamed) == ((0, 2, 0), 2)
    assert total(store, tokens) == 2


def test_by_file_a_file_that_grew_is_other_usage(
    store: metering.Metering, tokens: metering.Meter, file: Write
) -> None:
    store.meter_events.ingest(file("usage.csv", GROWN_1))
    grown = store.meter_events.ingest(file("usage.csv", GROWN_2))

    assert counted(grown) == (3, 0, 0)
    assert total(store, tokens) == 4


def test_by_row_a_file_that_grew_counts_each_row_once(
    store: metering.Metering, tokens: metering.Meter, file: Write
) -> None:
    first = store.meter_events.ingest(file("usage.csv", GROWN_1), identity="row")
    grown = store.meter_events.ingest(file("usage.csv.gz", GROWN_2), identity="row")
    lines = (
        f'{{"event_name": "tokens", "timestamp": "{day}T00:00:00Z", "value": {value},'
        f' "stripe_customer_id": "{customer}"}}\n'
        for day, customer, value in [
            ("2026-03-01", "cus_1", "1.0"),
            ("2026-02-28", "cus_2", "4"),
        ]
    )
    other = store.meter_events.ingest(file("o.ndjson", "".join(lines)), identity="row")

    assert counted(first) == (2, 0, 0)
    assert counted(grown) == (1, 2, 0)
    assert counted(other) == (0, 2, 0)
    assert total(store, tokens) == 2


@pytest.mark.parametrize("identity", ["file", "row"])
def test_a_wrong_mapping_that_was_cancelled_is_mended(
    store: metering.Metering, tokens: metering.Meter, file: Write, identity: Any
) -> None:
    path, wrong = (
        file("usage.csv", UNMAPPED),
        metering.Columns(
            event_name=metering.Constant("tokens"), customer="who", value="more"
        ),
    )
    store.meter_events.ingest(path, columns=wrong, identity=identity, now=True)
    for identifier in identifiers(store):
        cancel_event(store, identifier)

    mended = store.meter_events.ingest(
        path, columns=MAPPED, identity=identity, now=True
    )
    wrong_again = store.meter_events.ingest(
        path, columns=wrong, identity=identity, now=True
    )

    assert counted(mended) == (3, 0, 0)
    assert counted(wrong_again) == (0, 3, 0)
    assert total(store, tokens) == 3


@pytest.mark.parametrize("identity", ["file", "row"])
def test_another_customer_and_another_meter_of_a_file_are_other_usage(
    store: metering.Metering, tokens: metering.Meter, file: Write, identity: Any
) -> None:
    path, calls = file("usage.csv", UNMAPPED), create_meter(store, "calls")

    mapped = [
        metering.Columns(
            event_name=metering.Constant(name), customer=customer, value="much"
        )
        for name, customer in SEVERAL
    ]
    for columns in mapped:
        receipt = store.meter_events.ingest(
            path, columns=columns, identity=identity, now=True
        )
        assert counted(receipt) == (3, 0, 0)

    for customer in ("cus_1", "cus_2", "cus_3"):
        assert total(store, tokens, customer) == 3
    assert total(store, calls) == 3


def test_a_row_that_is_mapped_to_the_same_usage_is_the_same_by_any_columns(
    store: metering.Metering, tokens: metering.Meter, file: Write
) -> None:
    path = file("usage.csv", GROWN_1)
    named = metering.Columns(customer="stripe_customer_id", value="value")

    store.meter_events.ingest(path)
    again = store.meter_events.ingest(path, columns=named)

    assert counted(again) == (0, 2, 0)
    assert total(store, tokens) == 2


def test_rows_that_were_refused_are_taken_later_and_the_others_not_again(
    store: metering.Metering, tokens: metering.Meter, file: Write
) -> None:
    old = "tokens,2025-01-01T00:00:00Z,cus_1,5\n"
    path = file("usage.csv", GROWN_1 + old)

    first = store.meter_events.ingest(path)
    second = store.meter_events.ingest(path, backfill=True)
    third = store.meter_events.ingest(path)

    assert rejections(first) == [(2, None, "timestamp_too_far_in_past")]
    assert (counted(second), counted(third)) == ((1, 2, 0), (0, 3, 0))
    assert total(store, tokens) == 7


@pytest.mark.parametrize("identity", ["file", "row"])
def test_a_row_without_a_time_is_the_same_at_another_time(
    connect: Connect, clock: metering.FixedClock, file: Write, identity: Any
) -> None:
    store = connect(clock=clock)
    meter = create_meter(store)
    path = file("usage.csv", UNMAPPED)
    store.meter_events.ingest(path, columns=MAPPED, identity=identity, now=True)
    clock.advance(timedelta(hours=1))

    again = store.meter_events.ingest(path, columns=MAPPED, identity=identity, now=True)

    assert counted(again) == (0, 3, 0)
    assert total(store, meter) == 3


def test_rows_that_have_an_identifier_keep_it(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    rows = table(
        {
            "event_name": "tokens",
            "identifier": identifier,
            "timestamp": NOW.isoformat(),
            "stripe_customer_id": "cus_1",
            "value": "1",
        }
        for identifier in ("a", None, "b", None)
    )

    receipt = store.meter_events.ingest(rows, identity="row")

    assert (counted(receipt), receipt.unnamed) == ((4, 0, 0), 2)
    first, second, third, fourth = identifiers(store)
    assert (first, third) == ("a", "b")
    assert second.startswith("row-")
    assert (second[:-1], second[-1], fourth[-1]) == (fourth[:-1], "0", "1")
    assert counted(store.meter_events.ingest(rows, identity="row")) == (0, 4, 0)
    assert counted(store.meter_events.ingest(rows)) == (2, 2, 0)


def of_dicts(rows: pa.Table) -> Iterator[dict[str, object]]:
    return iter(rows.to_pylist())


@pytest.mark.parametrize("form", [of_dicts, pa.Table.to_reader, lambda rows: rows])
def test_equal_rows_are_counted_over_all_pieces_of_a_source(
    store: metering.Metering,
    tokens: metering.Meter,
    monkeypatch: pytest.MonkeyPatch,
    form: Callable[[pa.Table], object],
) -> None:
    rows = table(
        {"event_name": "tokens", "stripe_customer_id": f"cus_{n % 7}", "value": "1"}
        for n in range(700)
    )
    more = pa.concat_tables([rows.slice(350), rows])

    monkeypatch.setattr(sources, "ROWS_PER_PIECE", 64)
    first = store.meter_events.ingest(form(rows), identity="row", now=True)
    monkeypatch.setattr(sources, "ROWS_PER_PIECE", 1_000)
    second = store.meter_events.ingest(form(more), identity="row", now=True)

    assert counted(first) == (700, 0, 0)
    assert counted(second) == (350, 700, 0)
    assert total(store, tokens) == 150


def test_a_meter_that_comes_meanwhile_loses_no_equal_row(
    connect: Connect, clock: metering.FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = connect(clock=clock), connect(clock=clock)
    create_meter(store)
    monkeypatch.setattr(sources, "ROWS_PER_PIECE", 10)

    def rows() -> Iterator[dict[str, object]]:
        for number in range(60):
            if number == 30:
                create_meter(other, "late")
            yield {
                "event_name": ("tokens", "late")[number % 2],
                "stripe_customer_id": "cus_1",
                "value": "1",
            }

    receipt = store.meter_events.ingest(rows(), identity="row", now=True)
    again = store.meter_events.ingest(rows_again(), identity="row", now=True)

    assert receipt.accepted == len(set(identifiers(store))) - again.accepted
    assert counted(again)[1:] == (receipt.accepted, 0)
    assert again.accepted == receipt.rejected


def rows_again() -> list[dict[str, object]]:
    row = {"stripe_customer_id": "cus_1", "value": "1"}
    return [{"event_name": name, **row} for name in ("tokens", "late") * 30]


def test_a_parquet_file_of_other_compression_is_the_same_by_row(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    rows = table(
        {"event_name": "tokens", "stripe_customer_id": "cus_1", "value": value}
        for value in "112"
    )
    receipts = []
    for compression in ("zstd", "snappy"):
        path = tmp_path / f"{compression}.parquet"
        pq.write_table(rows, path, compression=compression)
        receipts.append(
            counted(store.meter_events.ingest(path, identity="row", now=True))
        )

    assert receipts == [(3, 0, 0), (0, 3, 0)]
    assert total(store, tokens) == 4


TRACE = replace(MAPPED, event_name=metering.Constant("trace"))


def named_by_0_1_0(path: Path, number: int) -> str:
    return f"{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}-{number}"


@pytest.mark.parametrize("name", ["usage.csv", "usage.csv.gz"])
@pytest.mark.parametrize("identity", ["file", "row"])
def test_rows_that_release_0_1_0_named_count_once(
    tmp_path: Path, file: Write, name: str, identity: Any
) -> None:
    path = file(name, UNMAPPED)
    old = unpacked(tmp_path, None)
    with old.connect() as store:
        meter = create_meter(store, "trace")
        # An ingestion that was interrupted, and a row that was refused.
        for number in (0, 2):
            store.meter_events.create(
                event_name="trace",
                identifier=named_by_0_1_0(path, number),
                payload={
                    "stripe_customer_id": "cus_1",
                    "value": "1",
                    "other": "cus_2",
                    "more": "10",
                },
            )

        first = store.meter_events.ingest(
            path, columns=TRACE, identity=identity, now=True
        )
        again = store.meter_events.ingest(
            path, columns=TRACE, identity=identity, now=True
        )
        other = metering.Columns(
            event_name=metering.Constant("trace"), customer="other", value="much"
        )
        others = store.meter_events.ingest(
            path, columns=other, identity=identity, now=True
        )

        assert counted(first) == (1, 2, 0)
        assert counted(again) == (0, 3, 0)
        assert counted(others) == (3, 0, 0)
        assert total(store, meter) == 3


def test_a_wrong_mapping_by_release_0_1_0_is_mended_once_it_is_cancelled(
    tmp_path: Path, file: Write
) -> None:
    path = file("usage.csv", UNMAPPED)
    with unpacked(tmp_path, None).connect() as store:
        meter = create_meter(store, "trace")
        for number in range(3):
            store.meter_events.create(
                event_name="trace",
                identifier=named_by_0_1_0(path, number),
                payload={"stripe_customer_id": "cus_1", "value": "10"},
            )

        wrong = store.meter_events.ingest(path, columns=TRACE, now=True)
        for number in range(3):
            cancel_event(store, named_by_0_1_0(path, number), "trace")
        mended = store.meter_events.ingest(path, columns=TRACE, now=True)

        assert counted(wrong) == (0, 0, 3)
        assert counted(mended) == (3, 0, 0)
        assert total(store, meter) == 3


def test_names_of_rows_are_the_same_in_every_release(
    store: metering.Metering, tokens: metering.Meter, file: Write
) -> None:
    path = file("usage.csv", GROWN_2)

    store.meter_events.ingest(path)
    store.meter_events.ingest(path, identity="row")

    assert identifiers(store) == [
        "502f1244b59b5b81-09c18a4789-0",
        "502f1244b59b5b81-0868e0f417-1",
        "502f1244b59b5b81-0868e0f417-2",
        "row-7d7fbd22fcfd8e5e4e1ff03b455a15f0-0",
        "row-e5a53d917b2ea53f54ff475d2bafb34f-0",
        "row-e5a53d917b2ea53f54ff475d2bafb34f-1",
    ]
