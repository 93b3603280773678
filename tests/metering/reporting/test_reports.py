"""Reports say what the library says, and are files that are there as a whole or not."""

import io
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import metering
from metering.reporting import files
from tests.conftest import Connect
from tests.faults.copying import copied
from tests.metering.reporting.usual_reports import (
    TYPES,
    ask,
    content,
    go_on,
    live,
    made,
    rows,
)
from tests.metering.usual_credits import DAY
from tests.metering.usual_usage import NOW, create_event, create_meter
from tests.segment_places import places_of, segments_of
from tests.waiting import eventually


def start(connect: Connect) -> tuple[metering.FixedClock, metering.Metering]:
    clock = metering.FixedClock(NOW)
    store = connect(clock=clock, seal_events=None)
    live(clock, store)
    return clock, store


@pytest.mark.dialect
def test_reports_add_up_to_what_the_library_says(connect: Connect) -> None:
    """Usage by customer and by day is `Metering.usage`, row for row, and what the report of
    events adds up to; activity of credits is each transaction that lists have, and adds up
    to balances; statements have the lines of their table.
    """
    _, store = start(connect)
    span: Any = {"start_time": NOW - 5 * DAY - timedelta(hours=3), "end_time": NOW}
    bounds: Any = {"interval_start": span["start_time"], "interval_end": NOW}

    windows: Any = (None, "day")
    for report_type, window in zip(TYPES[:2], windows, strict=True):
        found = store.usage(**span, window=window).to_pylist()
        told = [
            (each["meter"], each["customer"], Decimal(each["value"]))
            for each in rows(store, report_type, **bounds)
        ]
        assert sorted(told) == sorted(
            (each["meter"], each["customer"], each["value"]) for each in found
        )
        assert len(told) > 5
    events = rows(store, "metering.events.1", **bounds)
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for each in events:
        if each["event_name"] == "tokens" and each["is_cancelled"] == "false":
            sums[each["customer"]] += Decimal(each["value"])
    assert sums == {
        each["customer"]: each["value"]
        for each in store.usage(meters="tokens", window=None, **span).to_pylist()
    }

    activity = rows(store, "metering.credits_activity.1")
    for customer in ("cus_1", "cus_2"):
        listed = store.credit_balance_transactions.list(customer).auto_paging_iter()
        own = [each for each in activity if each["customer"] == customer]
        assert {each["id"] for each in own} == {each.id for each in listed}
        summary = store.credit_balance_summary.retrieve(customer=customer)
        left = summary.balances[0].ledger_balance.monetary.value
        assert left == sum(
            int(each["balance_change"]) for each in own if not each["pool"]
        )
    pool = store.credit_pools.balance("team").balances[0].ledger_balance.monetary.value
    assert pool == sum(int(each["balance_change"]) for each in activity if each["pool"])
    assert {each["reason"] for each in activity} == {
        "credits_granted",
        "credits_applied",
        "credits_application_invoice_voided",
        "credits_expired",
        "credits_voided",
    }
    assert [
        (each["statement"], each["line"], int(each["amount"]))
        for each in rows(store, "metering.statements.1")
    ] == [
        (each["statement"], each["line"], each["amount"])
        for each in store.statements.to_table().to_pylist()
    ]
    [refused] = rows(store, "metering.rejected_events.1")
    assert (refused["code"], refused["error_count"]) == ("no_meter", "2")
    assert store.verify().problems == ()


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_report_counts_what_was_there_when_it_was_asked_for(
    store_target: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is recorded, cancelled, voided and sealed before it is made, and however
    large its parts are.
    """
    clock = metering.FixedClock(NOW)
    settings: Any = {"clock": clock, "seal_events": None}
    with metering.connect(store_target, **places_of(store_target), **settings) as store:
        live(clock, store)
        runs = [ask(store, each, format=form, timezone="Asia/Tokyo") for each in TYPES]
    with (
        copied(store_target) as target,
        metering.connect(target, **places_of(target), **settings) as store,
    ):
        assert store.reports.make() == len(TYPES)
        expected = [content(store, run) for run in runs]
    clock.advance(timedelta(hours=1))
    monkeypatch.setattr(files, "PART_BYTES", 100)

    with metering.connect(store_target, **places_of(store_target), **settings) as store:
        go_on(store)
        store.reports.make()
        assert [content(store, run) for run in runs] == expected
        assert len({*expected}) == len(TYPES)
        store.rebuild()
        assert store.verify().problems == ()


def test_columns_interval_and_zone_are_as_asked_for(connect: Connect) -> None:
    store = connect(clock=metering.FixedClock(NOW))
    create_meter(store)
    for number in range(3):
        create_event(store, timestamp=NOW - timedelta(hours=2 - number, minutes=1))
    asked: Any = {
        "columns": ["timestamp", "value", "payload"],
        "interval_start": NOW - timedelta(hours=1, minutes=1),
        "interval_end": NOW - timedelta(minutes=1),
        "timezone": "America/St_Johns",
    }

    written = made(store, "metering.events.1", **asked)
    table = pq.read_table(
        io.BytesIO(made(store, "metering.events.1", **asked, format="parquet"))
    )

    assert written == (
        b'"timestamp","value","payload"\n"2026-03-01T07:29:00.000-03:30","1","{}"\n'
    )
    assert table.schema.field("timestamp").type == pa.timestamp(
        "us", "America/St_Johns"
    )
    assert table.column("timestamp")[0].as_py() == datetime(
        2026, 3, 1, 10, 59, tzinfo=UTC
    )


def test_days_are_those_of_utc_whatever_the_zone(connect: Connect) -> None:
    store = connect(clock=metering.FixedClock(NOW))
    create_meter(store)
    create_event(store, timestamp=datetime(2026, 2, 27, 23, tzinfo=UTC))

    [row] = rows(store, "metering.usage_by_day.1", timezone="Asia/Tokyo")

    assert row["window_start"] == "2026-02-27T09:00:00.000+09:00"


def test_small_and_long_quantities_are_written_without_an_exponent(
    connect: Connect,
) -> None:
    store = connect(clock=metering.FixedClock(NOW))
    create_meter(store)
    for value in ("0.000000000001", "100", "-12.50"):
        payload = {"stripe_customer_id": f"cus {value}", "value": value}
        create_event(store, payload=payload, timestamp=NOW - DAY)

    told = rows(store, "metering.usage_by_customer.1")

    assert [each["value"] for each in told] == ["-12.5", "0.000000000001", "100"]


def test_a_worker_makes_what_is_asked_for_and_tells_of_it(connect: Connect) -> None:
    store = connect(clock=metering.FixedClock(NOW))
    create_meter(store)
    run = ask(store, "metering.events.1", columns=["position"])
    assert run.status == "pending"
    assert run.result is None

    with store.worker():
        eventually(lambda: store.reports.retrieve(run.id).status == "succeeded")

    found = store.reports.retrieve(run.id)
    assert found.result is not None
    assert store.reports.retrieve_file(found.result.id) == found.result
    assert content(store, run) == b'"position"\n'
    [event] = store.events.list(type="reporting.report_run.succeeded")
    assert event.data.object == found
    assert [each.id for each in store.reports.list()] == [run.id]


def test_a_report_that_cannot_be_made_fails_and_tells_why(tmp_path: Path) -> None:
    with metering.connect(tmp_path / "usage", clock=metering.FixedClock(NOW)) as store:
        create_meter(store)
        create_event(store, timestamp=NOW - DAY)
        store.seal()
        [segment] = (tmp_path / "usage" / "segments").iterdir()
        whole = segment.read_bytes()
        segment.write_bytes(whole[:100] + bytes(50) + whole[150:])
        run = ask(store, "metering.events.1")
        other = ask(store, "metering.statements.1")

        assert store.reports.make() == 2

        found = store.reports.retrieve(run.id)
        assert (found.status, found.result) == ("failed", None)
        assert segment.name in (found.error or "")
        assert store.reports.retrieve(other.id).status == "succeeded"
        [event] = store.events.list(type="reporting.report_run.failed")
        assert event.data.object == found
        assert len(list(segment.parent.glob("report-*"))) == 1


def test_a_file_is_removed_when_it_has_expired(store_target: str) -> None:
    clock = metering.FixedClock(NOW)
    places = places_of(store_target)
    with metering.connect(
        store_target, clock=clock, report_retention=DAY, **places
    ) as store:
        run = ask(store, "metering.statements.1")
        store.reports.make()
        assert len(list(segments_of(store_target).glob("report-*"))) == 1
        clock.advance(DAY)

        with pytest.raises(metering.ResourceMissingError):
            store.reports.open(run.id)
        result = store.reports.retrieve(run.id).result
        assert result is not None
        assert result.url is None
        assert result.expires_at == NOW + DAY
        before = store.position
        store.reports.make()
        store.reports.make()

        assert store.position == before + 1
        assert list(segments_of(store_target).glob("report-*")) == []


def test_the_environment_says_for_how_long_files_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METERING_REPORT_RETENTION_DAYS", "2")
    with metering.connect(tmp_path / "usage", clock=metering.FixedClock(NOW)) as store:
        run = ask(store, "metering.statements.1")
        store.reports.make()
        result = store.reports.retrieve(run.id).result
        assert result is not None
        assert result.expires_at == NOW + 2 * DAY
    monkeypatch.setenv("METERING_REPORT_RETENTION_DAYS", "0")
    with pytest.raises(metering.InvalidRequestError, match="RETENTION_DAYS"):
        metering.connect(tmp_path / "usage")


def test_a_file_that_was_changed_is_not_given_out(tmp_path: Path) -> None:
    with metering.connect(tmp_path / "usage", clock=metering.FixedClock(NOW)) as store:
        run = ask(store, "metering.events.1")
        store.reports.make()
        [part] = (tmp_path / "usage" / "segments").glob("report-*")
        part.write_bytes(part.read_bytes().replace(b"position", b"Position"))

        with pytest.raises(metering.MeteringError, match=run.id):
            content(store, run)
        part.unlink()
        with pytest.raises(metering.MeteringError, match="missing"):
            content(store, run)


def test_a_download_is_there_as_a_whole_or_not(tmp_path: Path) -> None:
    with metering.connect(":memory:", clock=metering.FixedClock(NOW)) as store:
        run = ask(store, "metering.events.1", columns=["customer"])
        store.reports.make()

        assert store.reports.download(run.id, tmp_path / "events.csv") == 11
        with pytest.raises(metering.InvalidRequestError) as refused:
            store.reports.download(run.id, tmp_path / "none" / "events.csv")

    assert refused.value.param == "path"
    assert [each.name for each in tmp_path.iterdir()] == ["events.csv"]
    assert (tmp_path / "events.csv").read_bytes() == b'"customer"\n'
