"""What a store exports comes back as what it was: the round trip through every form."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import metering
from ledger.usage.content_hash import content_hashes
from metering.cli.errors import OutputFileError
from metering.cli.screens.arrow_tables import write_table
from tests.conftest import Connect
from tests.metering.usual_usage import (
    cancel_event,
    counted,
    create_event,
    create_meter,
    payloads,
)

ALL = "SELECT * FROM events ORDER BY position"
TABLE_WROTE = {"position": 3, "recorded_at": 3}
RESOURCE_WROTE = dict.fromkeys(
    ("object", "created", "livemode", "position", "duplicate"), 3
)


def create_meters(store: metering.Metering) -> None:
    create_meter(store)
    create_meter(store, "calls", "count", value_settings={"event_payload_key": "times"})
    create_meter(
        store,
        "disk",
        "last",
        customer_mapping={"event_payload_key": "account", "type": "by_id"},
        value_settings={"event_payload_key": "bytes"},
    )


def fill(store: metering.Metering) -> None:
    create_event(
        store,
        identifier="kept",
        payload={"stripe_customer_id": "cus_1", "value": "1.250", "model": 'a,"b"\n'},
    )
    create_event(store, identifier="cancelled")
    create_event(
        store,
        "calls",
        {"stripe_customer_id": "cus_2", "times": "many", "model": "NULL"},
        identifier="call",
    )
    create_event(store, "disk", {"account": "cus_3", "bytes": "-7"}, identifier="disk")
    cancel_event(store, "cancelled")


@pytest.fixture
def exported(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    """A store of four events of three meters, one of them cancelled."""
    store = connect(clock=clock)
    create_meters(store)
    fill(store)
    return store


@pytest.fixture
def fresh(clock: metering.FixedClock) -> Iterator[metering.Metering]:
    """Another store, of these meters and no event."""
    with metering.connect(":memory:", clock=clock) as store:
        create_meters(store)
        yield store


def as_table(store: metering.Metering, _: Path) -> object:
    return store.sql(ALL)


def as_dicts(store: metering.Metering, _: Path) -> object:
    rows = store.sql(ALL).to_pylist()
    return [{**row, "payload": dict(row["payload"])} for row in rows]


def as_file(ending: str) -> Callable[[metering.Metering, Path], object]:
    def write(store: metering.Metering, directory: Path) -> object:
        path = directory / f"events.{ending}"
        write_table(store.sql(ALL), path, OutputFileError)
        return path

    return write


def as_resources(store: metering.Metering, directory: Path) -> object:
    path = directory / "events.ndjson"
    lines = [json.dumps(event.to_dict()) for event in store.meter_events.list()]
    path.write_text("\n".join(lines))
    return path


def as_resources_in_columns(store: metering.Metering, directory: Path) -> object:
    path = directory / "events.parquet"
    rows = [event.to_dict() for event in store.meter_events.list()]
    for row in rows:
        row["payload"] = json.dumps(row["payload"])
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


FORMS = [
    (as_table, TABLE_WROTE),
    (as_dicts, TABLE_WROTE),
    (as_file("parquet"), TABLE_WROTE),
    (as_file("csv"), TABLE_WROTE),
    (as_file("ndjson"), TABLE_WROTE),
    (as_resources, RESOURCE_WROTE),
    (as_resources_in_columns, RESOURCE_WROTE),
]


def contents(store: metering.Metering) -> dict[str, int]:
    """The hash of all of each event that counts, by its identifier."""
    events, _ = store._engine.log.events_at(live_positions(store))  # noqa: SLF001  # as stored
    identifiers = events.column("identifier").to_pylist()
    return dict(zip(identifiers, content_hashes(events).tolist(), strict=True))


def live_positions(store: metering.Metering) -> np.ndarray:
    events = store.meter_events.list()
    return np.array([each.position for each in events if not each.cancelled])


def usage(store: metering.Metering) -> list[dict[str, Any]]:
    answer = store.reaggregate(window="day").drop_columns("meter")
    rows: list[dict[str, Any]] = answer.sort_by("customer").to_pylist()
    return rows


@pytest.mark.parametrize(("form", "left_out"), FORMS)
def test_an_export_comes_back_as_what_it_was(
    exported: metering.Metering,
    fresh: metering.Metering,
    tmp_path: Path,
    form: Callable[[metering.Metering, Path], object],
    left_out: dict[str, int],
) -> None:
    source = form(exported, tmp_path)

    first = fresh.meter_events.ingest(source)
    again = fresh.meter_events.ingest(source)
    into_itself = exported.meter_events.ingest(source)

    assert (counted(first), first.cancelled) == ((3, 0, 0), 1)
    assert (counted(again), again.cancelled) == ((0, 3, 0), 1)
    assert (counted(into_itself), into_itself.cancelled) == ((0, 3, 0), 1)
    assert dict(first.left_out) == left_out
    assert contents(fresh) == contents(exported)
    assert usage(fresh) == usage(exported)


def test_a_flat_export_makes_no_payload_of_what_the_store_wrote(
    exported: metering.Metering, fresh: metering.Metering
) -> None:
    flat = exported.sql("""
        SELECT position, recorded_at, event_name, customer, timestamp, value,
               identifier, cancelled, payload['model'] AS model
        FROM events
        ORDER BY position
    """)

    receipt = fresh.meter_events.ingest(flat)

    assert (counted(receipt), receipt.cancelled) == ((3, 0, 0), 1)
    assert dict(receipt.left_out) == TABLE_WROTE
    assert payloads(fresh) == [
        {"stripe_customer_id": "cus_1", "value": "1.25", "model": 'a,"b"\n'},
        {"stripe_customer_id": "cus_2", "model": "NULL"},
        {"account": "cus_3", "bytes": "-7"},
    ]


def test_columns_of_an_export_that_are_asked_for_are_kept(
    exported: metering.Metering, fresh: metering.Metering
) -> None:
    query = "SELECT * EXCLUDE (payload) FROM events WHERE event_name = 'tokens'"

    receipt = fresh.meter_events.ingest(
        exported.sql(query), columns=metering.Columns(payload_keys=("position",))
    )

    assert dict(receipt.left_out) == {"recorded_at": 1}
    assert [each["position"] for each in payloads(fresh)] == ["4"]


def test_a_segment_is_ingested_without_what_the_store_wrote(
    fresh: metering.Metering, clock: metering.FixedClock, tmp_path: Path
) -> None:
    with metering.connect(tmp_path / "store", clock=clock) as store:
        create_meters(store)
        fill(store)
        store.seal()
        [segment] = (tmp_path / "store" / "segments").glob("*.parquet")

        receipt = fresh.meter_events.ingest(segment)

        # It was written before one of them was cancelled.
        assert (counted(receipt), receipt.cancelled) == ((4, 0, 0), 0)
        assert receipt.left_out == dict.fromkeys(
            ("content_hash", "identifier_hash", "position", "recorded_at"), 4
        )
        cancel_event(fresh, "cancelled")
        assert contents(fresh) == contents(store)
        assert usage(fresh) == usage(store)


@pytest.mark.parametrize(
    ("word", "expected"),
    [("TRUE", (0, 0, 0)), ("t", (0, 0, 0)), ("False", (1, 0, 0)), ("maybe", (0, 0, 1))],
)
def test_other_spellings_of_cancelled_are_understood_or_refused(
    exported: metering.Metering, fresh: metering.Metering, word: str, expected: object
) -> None:
    [kept] = exported.sql(f"{ALL} LIMIT 1").drop_columns("cancelled").to_pylist()
    rows = [{**kept, "payload": dict(kept["payload"]), "cancelled": word}]

    of_rows = fresh.meter_events.ingest(rows)

    assert counted(of_rows) == expected


def test_a_column_named_cancelled_is_a_payload_key_elsewhere(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    create_event(store, payload={"stripe_customer_id": "c", "value": 1, "position": 2})
    rows = [
        {
            "event_name": "tokens",
            "stripe_customer_id": "cus_1",
            "value": "1",
            "cancelled": "true",
            "position": "7",
        }
    ]

    receipt = store.meter_events.ingest(rows, now=True)

    assert (counted(receipt), receipt.cancelled) == ((1, 0, 0), 0)
    assert payloads(store)[1]["cancelled"] == "true"
    assert payloads(store)[1]["position"] == "7"
