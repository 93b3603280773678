"""Queries read all events, sealed or not, exactly; and can do nothing else."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import metering
from ledger.facts.instants import LogTime
from ledger.segments.reader import SegmentReader
from ledger.segments.store import open_segment_store
from projections.errors import QueryError
from projections.scans.recorded import RECORDED, RecordedEvents
from projections.scans.sql import run_query
from tests.conftest import Connect
from tests.interrupting import interrupted_after, may_be_lost
from tests.metering.usual_usage import (
    NOW,
    cancel_event,
    create_event,
    create_meter,
    table,
)

HARD_NAMES = ["cus_1", "O'Brien", '"; DROP VIEW events; --', "客戶 %$1\\", "é\u202e"]
LONG_VALUE = "123456789012345678.123456789012"


def send(store: metering.Metering, first: int) -> None:
    """Two batches, single events and cancellations, the same events every time."""
    for customer in HARD_NAMES:
        create_event(
            store,
            identifier=f"{customer}-{first}",
            payload={"stripe_customer_id": customer, "value": "0.1", "model": customer},
        )
    batch = [
        {
            "event_name": ["tokens", "calls"][number % 2],
            "identifier": f"{first}-{number}",
            "timestamp": (NOW - timedelta(minutes=number)).isoformat(),
            "stripe_customer_id": HARD_NAMES[number % 5],
            "value": f"{number}.000000000001",
            **({"model": f"model {number % 3}"} if number % 4 else {}),
        }
        for number in range(40)
    ]
    store.meter_events.ingest(table(batch))
    cancel_event(store, f"{first}-7", "calls")
    cancel_event(store, f"O'Brien-{first}")


def filled(connect: Connect, seal: str) -> metering.Metering:
    store = connect(clock=metering.FixedClock(NOW), seal_events=None)
    create_meter(store)
    create_meter(store, "calls", "count")
    send(store, 1)
    if seal != "nothing":
        store.seal()
    send(store, 2)
    cancel_event(store, "1-8")
    if seal == "all":
        store.seal()
    return store


def listed(store: metering.Metering) -> list[dict[str, object]]:
    """What `list` says of every event, in the columns of a query."""
    return [
        {
            "position": event.position,
            "recorded_at": event.created,
            "event_name": event.event_name,
            "customer": event.payload["stripe_customer_id"],
            "timestamp": event.timestamp,
            "value": Decimal(event.payload["value"])
            if event.event_name == "tokens"
            else None,
            "identifier": event.identifier,
            "payload": {
                key: text
                for key, text in event.payload.items()
                if key != "stripe_customer_id"
                and not (key == "value" and event.event_name == "tokens")
            },
            "cancelled": event.cancelled,
        }
        for event in store.meter_events.list()
    ]


def selected(found: pa.Table) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = found.to_pylist(maps_as_pydicts="strict")
    return rows


@pytest.mark.parametrize("seal", ["nothing", "half", "all"])
def test_events_are_those_that_are_listed(connect: Connect, seal: str) -> None:
    store = filled(connect, seal)

    found = store.sql("SELECT * FROM events ORDER BY position")

    assert found.num_rows == 90
    assert selected(found) == listed(store)


def test_another_process_seals_and_the_answers_stay(connect: Connect) -> None:
    ours = filled(connect, "half")
    theirs = connect(clock=metering.FixedClock(NOW), seal_events=None)
    query = "SELECT * FROM events ORDER BY position"
    before = selected(theirs.sql(query))

    ours.seal()

    assert selected(theirs.sql(query)) == before
    send(theirs, 3)
    assert selected(ours.sql(query)) == listed(theirs)


def test_columns_have_the_types_that_are_promised(store: metering.Metering) -> None:
    found = store.sql("SELECT * FROM events")

    assert found.num_rows == 0
    assert {field.name: str(field.type) for field in found.schema} == {
        "position": "int64",
        "recorded_at": "timestamp[us, tz=UTC]",
        "event_name": "string",
        "customer": "string",
        "timestamp": "timestamp[us, tz=UTC]",
        "value": "decimal128(38, 12)",
        "identifier": "string",
        "payload": "map<string, string>",
        "cancelled": "bool",
    }


def test_sums_have_every_digit(connect: Connect) -> None:
    store = connect(clock=metering.FixedClock(NOW))
    create_meter(store)
    for value in (LONG_VALUE, "0.000000000001", "-0.1"):
        create_event(store, payload={"stripe_customer_id": "cus_1", "value": value})

    before = store.sql("SELECT sum(value) AS total, count(*) AS events FROM events")
    store.seal()
    after = store.sql("SELECT sum(value) AS total, count(*) AS events FROM events")

    total = Decimal("123456789012345678.023456789013")
    assert selected(before) == [{"total": total, "events": 3}]
    assert after.equals(before)


def test_days_are_those_of_utc(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    store = connect(clock=metering.FixedClock(NOW))
    create_meter(store)
    create_event(store, timestamp=datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC))

    found = store.sql("SELECT timestamp::DATE::VARCHAR AS day FROM events")

    assert selected(found) == [{"day": "2026-02-28"}]


@pytest.mark.dialect
def test_names_with_quotes_are_compared_as_they_are(connect: Connect) -> None:
    store = filled(connect, "half")

    found = store.sql(
        "SELECT count(*) AS events FROM events WHERE customer = 'O''Brien'"
        " AND NOT cancelled AND payload['model'] = 'O''Brien'"
    )

    assert selected(found) == [{"events": 0}]
    others = store.sql("SELECT customer FROM events GROUP BY ALL ORDER BY ALL")
    assert others.column(0).to_pylist() == sorted(HARD_NAMES)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("FROM events SELECT count(*)", 1),
        ("TABLE events", 0),
        ("DESCRIBE events", 9),
        ("SUMMARIZE events", 9),
        ("VALUES (1), (2)", 2),
        ("WITH x AS (SELECT 1) SELECT * FROM x;", 1),
        ("PIVOT events ON event_name IN ('tokens') USING sum(value)", 0),
        ("-- a comment\nSELECT 1 /* and another */", 1),
    ],
)
def test_what_only_reads_is_welcome(
    store: metering.Metering, query: str, rows: int
) -> None:
    assert store.sql(query).num_rows == rows


# Each with words of the sentence that refuses it.
REFUSED = {
    "": "it is empty",
    " ; -- nothing": "it is empty",
    "SELECT 1; SELECT 2": "it has 2 statements",
    "SELECT 1; DROP VIEW events": "it has 2 statements",
    "SELEC 1": 'syntax error at or near "SELEC", in line 1',
    "SELECT nothing FROM events": "nothing",
    "SELECT * FROM nothing": "nothing",
    "SELECT * FROM python_variable": "python_variable",
    "SELECT ?": "parameters",
    "SELECT 'x'::INTEGER FROM range(1000000)": "Could not convert",
    "SELECT value::INTEGER FROM (SELECT 1e300 AS value)": "out of range",
    "SELECT '\ud800'": "UTF-8",
    "PIVOT events ON event_name USING sum(value)": "name its values",
    # What writes.
    "INSERT INTO events SELECT * FROM events": "no SELECT",
    "UPDATE events SET value = 0": "no SELECT",
    "DELETE FROM events": "no SELECT",
    "DROP VIEW events": "no SELECT",
    "CREATE TABLE x AS SELECT 1": "no SELECT",
    "CREATE TEMP MACRO x() AS 1": "no SELECT",
    "WITH x AS (DELETE FROM events RETURNING *) SELECT * FROM x": "delete",
    "BEGIN": "no SELECT",
    "CHECKPOINT": "no SELECT",
    # Files.
    "COPY (SELECT 1) TO '{here}/x.csv'": "no SELECT",
    "COPY (SELECT 1) TO '{here}/x.parquet'": "no SELECT",
    "COPY events FROM '{here}/secret.csv'": "no SELECT",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{here}/x.csv'": "no SELECT",
    "EXPORT DATABASE '{here}/x'": "no SELECT",
    "IMPORT DATABASE '{here}/x'": "no SELECT",
    "ATTACH '{here}/x.db'": "no SELECT",
    "SELECT * FROM '{here}/secret.csv'": "Cannot access file",
    "SELECT * FROM read_csv('{here}/secret.csv')": "Cannot access file",
    "SELECT * FROM read_text('{here}/secret.csv')": "Cannot access file",
    "SELECT * FROM read_blob('{here}/secret.csv')": "Cannot access file",
    "SELECT * FROM read_json('{here}/secret.csv')": "Cannot access file",
    "SELECT * FROM read_parquet('{here}/x.parquet')": "Cannot access file",
    "SELECT * FROM parquet_metadata('{here}/x.parquet')": "Cannot access file",
    "SELECT * FROM sniff_csv('{here}/secret.csv')": "Cannot access file",
    "SELECT * FROM read_duckdb('{here}/x.db', table_name = 'x')": "Cannot access file",
    "SELECT * FROM glob('{here}/*')": "Cannot access file",
    "SELECT * FROM read_csv('https://localhost:1/x.csv')": "Cannot access file",
    "SELECT * FROM query('COPY (SELECT 1) TO ''{here}/x.csv''')": "SELECT",
    "SELECT * FROM enable_logging(storage_path = '{here}/x')": "locked",
    "SELECT * FROM enable_profiling(save_location = '{here}/x')": "locked",
    # Settings and extensions.
    "SET enable_external_access = true": "no SELECT",
    "RESET memory_limit": "no SELECT",
    "PRAGMA enable_profiling": "no SELECT",
    "CALL enable_profiling(save_location = '{here}/x')": "no SELECT",
    "INSTALL httpfs": "no SELECT",
    "LOAD httpfs": "no SELECT",
    "CREATE SECRET (TYPE s3)": "no SELECT",
    "SELECT * FROM duckdb_secrets()": "Cannot access",
}


@pytest.fixture(scope="module")
def asked() -> Iterator[metering.Metering]:
    """One empty store for all that is refused, and so leaves it as it is."""
    with metering.connect(":memory:") as store:
        yield store


@pytest.mark.parametrize("query", REFUSED)
def test_everything_else_is_refused_in_one_sentence(
    asked: metering.Metering,
    query: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    python_variable = pa.table({"a": [1]})

    with pytest.raises(metering.MeteringError) as caught:
        asked.sql(query.replace("{here}", str(tmp_path)))

    assert (caught.value.code, caught.value.param) == ("query_invalid", "query")
    assert caught.value.message.startswith("The query cannot be run: ")
    assert REFUSED[query] in caught.value.message
    assert "\n" not in caught.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]
    assert python_variable.num_rows == 1


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM range(100000000)",
        "SELECT list(range) FROM range(100000000)",
        "SELECT count(DISTINCT hash(range)) FROM range(100000000)",
        "SELECT range FROM range(100000000) ORDER BY hash(range)",
    ],
)
def test_a_query_that_wants_too_much_memory_is_refused(
    query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(QueryError, match="takes more"):
        run_query(
            nothing_recorded(), query, memory="100MB", timeout=timedelta(minutes=10)
        )

    assert list(tmp_path.iterdir()) == []


ENDLESS = [
    "SELECT count(*) FROM range(10000000000000)",
    "SELECT range FROM range(10000000000000) WHERE range % 1000003 = 7",
    "SELECT sum(hash(a.range + b.range)) FROM range(1000000000) a, range(1000) b",
]


@pytest.mark.parametrize("query", ENDLESS)
def test_a_query_that_takes_too_long_is_interrupted(
    connect: Connect, query: str
) -> None:
    store = connect(sql_timeout=timedelta(milliseconds=200))

    with pytest.raises(metering.QueryError, match=r"longer than it may, 0\.2 seconds"):
        store.sql(query)

    assert store.sql("SELECT 1").num_rows == 1


def test_a_connection_says_how_much_memory_a_query_may_take(connect: Connect) -> None:
    store = connect(sql_memory=64 << 20)

    with pytest.raises(metering.QueryError, match="takes more"):
        store.sql("SELECT list(range) FROM range(100000000)")

    query = "SELECT current_setting('memory_limit'), current_setting('temp_directory')"
    [limits] = store.sql(query).to_pylist()
    assert list(limits.values()) == ["64.0 MiB", ""]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sql_timeout", timedelta(0)),
        ("sql_timeout", timedelta(days=2)),
        ("sql_timeout", 60),
        ("sql_memory", 0),
        ("sql_memory", (64 << 20) - 1),
        ("sql_memory", "1GB"),
    ],
)
def test_limits_of_a_query_are_checked(
    connect: Connect, name: str, value: object
) -> None:
    with pytest.raises(metering.InvalidRequestError) as caught:
        connect(**{name: value})

    assert caught.value.param == name


def nothing_recorded() -> RecordedEvents:
    return RecordedEvents(
        position=0,
        segments=(),
        reader=SegmentReader(open_segment_store("absent")),
        tail=RECORDED.empty_table(),
        time=LogTime(),
        cancelled=np.zeros(0, np.int64),
        definitions={},
    )


@may_be_lost
@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM range(10000000000000)",
        "SELECT range FROM range(10000000000000) WHERE range % 1000003 = 7",
    ],
)
def test_an_endless_query_can_be_interrupted(
    store: metering.Metering, query: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyboardInterrupt), interrupted_after(0.3):
        store.sql(query)

    assert store.sql("SELECT 1").num_rows == 1
    assert capfd.readouterr().out == ""


@may_be_lost
def test_an_interruption_is_heard_whenever_it_comes(store: metering.Metering) -> None:
    store.sql("SELECT 1")

    for milliseconds in range(5, 35):
        with pytest.raises(KeyboardInterrupt), interrupted_after(milliseconds / 1_000):
            store.sql("SELECT range FROM range(10000000000000) WHERE range < 0")

    assert store.sql("SELECT 1").num_rows == 1
