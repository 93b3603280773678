"""Columns, dicts and single rows: one outcome for one row, however it comes.

Columns are checked as columns, dicts one by one. Nothing may depend on which of the two
it was, nor on what the neighbours of a row look like.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import metering
from metering import Columns
from tests.empty_stores import empty_store
from tests.metering.usage.ingest.spellings import (
    IDENTIFIERS,
    Batch,
    flat_batches,
    json_batches,
    label_batches,
    map_batches,
    struct_batches,
)
from tests.metering.usual_usage import NOW, create_event, create_meter


@dataclass(frozen=True)
class Outcome:
    """What became of the rows, and every event there is afterwards."""

    accepted: int
    duplicates: int
    rejections: list[tuple[int, str | None, str]]
    messages: list[str]
    left_out: dict[str, int]
    events: list[tuple[object, ...]]


def outcome(batch: Batch, *sources: object, is_cut: bool = False) -> Outcome:
    """What becomes of a batch; where it is cut, each source is one row of it."""
    with empty_store(clock=metering.FixedClock(NOW)) as store:
        prepare(store)
        receipts = [
            store.meter_events.ingest(source, columns=batch.columns, **batch.options)
            for source in sources
        ]
        rejected = [
            (turn + each["row"] if is_cut else each["row"], each)
            for turn, receipt in enumerate(receipts)
            for each in receipt.rejections.to_pylist()
        ]
        assert store.verify().problems == ()
        return Outcome(
            accepted=sum(receipt.accepted for receipt in receipts),
            duplicates=sum(receipt.duplicates for receipt in receipts),
            rejections=[
                (row, each["identifier"], each["code"]) for row, each in rejected
            ],
            messages=[each["message"] for _, each in rejected],
            left_out=dict(
                sum((Counter(each.left_out) for each in receipts), Counter())
            ),
            events=[
                (
                    each.position,
                    each.event_name,
                    each.identifier if each.identifier in IDENTIFIERS else "made up",
                    each.timestamp,
                    each.payload,
                )
                for each in store.meter_events.list()
            ],
        )


def prepare(store: metering.Metering) -> None:
    create_meter(store)
    create_meter(store, "words", formula="count")
    create_meter(
        store,
        "calls",
        formula="last",
        customer_mapping={"event_payload_key": "account"},
        value_settings={"event_payload_key": "größe"},
    )
    create_meter(store, "daily", event_time_window="day")
    store.meters.deactivate(create_meter(store, "closed").id)
    create_event(store, identifier="taken")
    create_event(store, identifier="taken too", timestamp=NOW - timedelta(hours=1))


@pytest.mark.parametrize(
    "batches", [flat_batches, map_batches, struct_batches, label_batches]
)
@given(data=st.data())
def test_columns_and_dicts_have_one_outcome(
    batches: Callable[[], st.SearchStrategy[Batch]], data: st.DataObject
) -> None:
    """Design, section 7, "Batches": the outcome is per row."""
    batch = data.draw(batches())

    columnar, row_by_row = outcome(batch, batch.table), outcome(batch, batch.dicts)

    assert columnar.events == row_by_row.events
    assert columnar.rejections == row_by_row.rejections
    assert columnar.duplicates == row_by_row.duplicates
    assert columnar.left_out == row_by_row.left_out


@pytest.mark.parametrize("batches", [flat_batches, map_batches])
@given(data=st.data())
def test_a_row_has_the_outcome_it_would_have_alone(
    batches: Callable[[], st.SearchStrategy[Batch]], data: st.DataObject
) -> None:
    """Design, section 7, "Batches": one bad row never fails the others."""
    batch = data.draw(batches())
    rows = [batch.table.slice(row, 1) for row in range(batch.table.num_rows)]

    assert outcome(batch, batch.table) == outcome(batch, *rows, is_cut=True)


@given(batch=json_batches())
def test_json_text_in_a_column_and_in_a_dict_have_one_outcome(batch: Batch) -> None:
    """Design, section 8: a payload is a map, a struct or JSON."""
    columnar, row_by_row = outcome(batch, batch.table), outcome(batch, batch.dicts)

    assert columnar.events == row_by_row.events
    assert columnar.rejections == row_by_row.rejections


def in_utc(cell: Any) -> Any:
    """Say the zone of what a column may be without, and a single event may not."""
    match cell:
        case datetime(tzinfo=None):
            return cell.replace(tzinfo=UTC)
        case date() if not isinstance(cell, datetime):
            return datetime(cell.year, cell.month, cell.day, tzinfo=UTC)
        case _:
            return cell


@given(batch=flat_batches().filter(lambda each: each.columns == Columns()))
def test_rows_of_a_batch_have_the_outcome_of_single_events(batch: Batch) -> None:
    """Design, section 7: the rules of usage are those of `create`."""
    own = ("event_name", "identifier", "timestamp")
    with empty_store(clock=metering.FixedClock(NOW)) as store:
        prepare(store)
        codes = []
        for row in batch.dicts:
            payload = {
                key: cell
                for key, cell in row.items()
                if key not in own and not is_left_out(row.get("event_name"), key, cell)
            }
            given_fields = {key: in_utc(row[key]) for key in own if key in row}
            try:
                store.meter_events.create(
                    **{"event_name": None, **given_fields}, payload=payload
                )
            except metering.InvalidRequestError as error:
                codes.append(error.code)
        events = [(each.timestamp, each.payload) for each in store.meter_events.list()]

    ingested = outcome(
        replace(batch, options={"now": True, "timezone": "UTC"}), batch.table
    )
    assert [each[3:] for each in ingested.events] == events
    assert [code for _, _, code in ingested.rejections] == codes


def is_left_out(event_name: object, key: str, cell: object) -> bool:
    """Whether what lies beside the usage cannot be kept."""
    strict = {
        "calls": {"account", "größe"},
        "words": {"stripe_customer_id"},
    }.get(str(event_name), {"stripe_customer_id", "value"})
    text = str(cell)
    is_fit = len(key) <= 100 and len(text) <= 500 and "\0" not in key + text
    return key not in strict and not is_fit
