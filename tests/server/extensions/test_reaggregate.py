"""Re-aggregation answers what the library does, in Arrow and in JSON, however large."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import pytest
import stripe

import metering
from tests.server.running import JSON, Answered, Server
from tests.server.shapes import differences, list_of
from tests.server.usage import create_event, create_meter, unique

PATH = "/metering/v1/reaggregate"
ARROW = "application/vnd.apache.arrow.stream"
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
ROW = {
    "meter": str,
    "customer": str,
    "window_start": str,
    "window_end": str,
    "value": (int, Decimal),
    "event_count": int,
    "event_name": str,
}
MANY = 20_000


@pytest.fixture(scope="module")
def library(server: Server) -> Iterator[metering.Metering]:
    """The library, beside the server, on the same store."""
    with server.store() as store:
        yield store


@pytest.fixture(scope="module")
def event_name(client: stripe.StripeClient, library: metering.Metering) -> str:
    """A meter whose usage of February 2026 is odd enough to tell answers apart."""
    meter = create_meter(client)
    start = int(FEBRUARY.timestamp())
    rows = [
        {
            "event_name": meter.event_name,
            "identifier": f"{meter.id}-{number}",
            "timestamp": start + number * 7_919,
            "stripe_customer_id": f"cus_{number % 7}",
            "value": str(Decimal(number * 1_000_003).scaleb(-6)),
            **({"model": f"model-{number % 3}"} if number % 4 else {}),
            "region": "eu" if number % 2 else "",
        }
        for number in range(300)
    ]
    assert library.meter_events.ingest(rows, backfill=True).accepted == len(rows)
    for number in (3, 250):
        library.meter_event_adjustments.create(
            event_name=meter.event_name,
            type="cancel",
            cancel={"identifier": f"{meter.id}-{number}"},
        )
    return meter.event_name


def send(server: Server, body: object, accept: str = ARROW) -> Answered:
    return server.post_json(PATH, body, Accept=accept)


def table_of(answered: Answered) -> pa.Table:
    assert answered.status == 200, answered.body
    assert answered.headers["content-type"] == ARROW
    with pa.ipc.open_stream(answered.body) as reader:
        return reader.read_all()


def rows_of(answered: Answered) -> list[dict[str, Any]]:
    assert answered.status == 200, answered.body
    assert answered.headers["content-type"] == JSON
    answer = json.loads(answered.body, parse_float=Decimal)
    assert (answer["object"], answer["has_more"], answer["url"]) == (
        "list",
        False,
        PATH,
    )
    return list(answer["data"])


def plain(table: pa.Table) -> list[dict[str, Any]]:
    """The rows of a table as they are written in JSON, by another way."""
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        for name in ("window_start", "window_end"):
            digits = "microseconds" if row[name].microsecond % 1_000 else "milliseconds"
            row[name] = row[name].isoformat(timespec=digits).replace("+00:00", "Z")
    return rows


QUESTIONS: list[dict[str, Any]] = [
    {},
    {"window": "month"},
    {"window": "hour", "timezone": "Asia/Kolkata"},
    {"group_by": ["model", "region"]},
    {"group_by": "model", "window": "week"},
    {"start_time": "2026-02-03T12:00:00.000001Z", "end_time": 1_771_000_000},
    {"start_time": 1_770_000_000},
    {"filters": {"model": ["model-1", "model-2"], "region": "eu"}},
    {"filters": {"region": ""}},
    {"filters": {"customer": ["cus_1", "cus_2"], "region": "eu"}, "group_by": "model"},
    {"filters": {"customer": "nobody"}},
    {"formula": "avg"},
    {"formula": "max", "window": "month"},
    {"formula": "unique_count", "value_key": "model"},
    {"end_time": "2020-01-01T00:00:00Z"},
]


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_answers_are_those_of_the_library(
    server: Server,
    library: metering.Metering,
    event_name: str,
    question: dict[str, Any],
) -> None:
    asked = {"meters": [event_name], **question}
    table = library.reaggregate(**asked)

    arrow = send(server, asked)
    rows = send(server, asked, JSON)

    assert table_of(arrow).equals(table, check_metadata=True)
    assert rows_of(rows) == plain(table)
    assert int(arrow.headers["metering-position"]) == library.position
    keys = question.get("group_by", [])
    named = dict.fromkeys([keys] if isinstance(keys, str) else keys, (str, None))
    shape = list_of({**ROW, **named})
    assert differences(json.loads(rows.body, parse_float=Decimal), shape) == []


def test_a_sum_that_is_too_large_is_named_or_null(
    server: Server, client: stripe.StripeClient, library: metering.Metering
) -> None:
    meter = create_meter(client)
    for customer in ("cus_1", "cus_1", "cus_2"):
        payload = {"stripe_customer_id": customer, "value": "1", "size": "9" * 26}
        create_event(client, meter, payload=payload)
    asked = {"meters": [meter.id], "value_key": "size", "window": "month"}

    refused = send(server, asked, JSON)
    rows = rows_of(send(server, {**asked, "skip_too_large": True}, JSON))
    query = urlencode({**asked, "meters": meter.id, "skip_too_large": "true"})
    by_query = rows_of(server.ask("GET", f"{PATH}?{query}"))

    error = json.loads(refused.body)["error"]
    assert (refused.status, error["code"]) == (400, "summary_too_large")
    assert f"customer 'cus_1' on meter {meter.id} adds up" in error["message"]
    assert [row["value"] for row in rows] == [None, Decimal("9" * 26)]
    assert by_query == rows


def test_a_query_a_form_and_json_ask_the_same(
    server: Server, library: metering.Metering, event_name: str
) -> None:
    asked = {
        "meters": [event_name],
        "window": "month",
        "timezone": "Europe/Berlin",
        "group_by": ["model"],
        "filters": {"model": ["model-1", "model-2"], "region": "eu"},
        "start_time": 1_770_000_000,
        "as_of": library.position,
    }
    form = urlencode(
        {
            "meters[0]": event_name,
            "window": "month",
            "timezone": "Europe/Berlin",
            "group_by": "model",
            "filters[model][0]": "model-1",
            "filters[model][1]": "model-2",
            "filters[region]": "eu",
            "start_time": "1770000000",
            "as_of": str(library.position),
        }
    )

    by_json = rows_of(send(server, asked, ""))

    assert by_json
    assert rows_of(server.ask("GET", f"{PATH}?{form}")) == by_json
    assert rows_of(server.ask("POST", PATH, form)) == by_json


def test_an_answer_is_as_of_a_position_or_a_time(
    server: Server, client: stripe.StripeClient, library: metering.Metering
) -> None:
    meter = create_meter(client)
    create_event(client, meter, "1")
    position = library.position
    [first] = library.meter_events.list(event_name=meter.event_name)
    create_event(client, meter, "2")

    def value(**as_of: object) -> object:
        asked = {"meters": [meter.id], "window": "month", **as_of}
        [row] = rows_of(send(server, asked, JSON))
        return row["value"]

    assert value() == 3
    assert value(as_of=position) == 1
    assert value(as_of=str(position)) == 1
    assert value(as_of=first.created.isoformat().replace("+00:00", "Z")) == 1


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", JSON),
        ("*/*", JSON),
        (JSON, JSON),
        ("text/html, */*;q=0.1", JSON),
        (ARROW, ARROW),
        (ARROW.upper(), ARROW),
        (f"{ARROW}, {JSON}", ARROW),
        (f"{JSON}, {ARROW};q=0.9", JSON),
        (f"{JSON};q=0.5, {ARROW}; q=0.9", ARROW),
        (f"{ARROW};q=0", JSON),
        (f"{ARROW};q=much", JSON),
        (f";,,=;{ARROW}", JSON),
    ],
)
def test_what_is_accepted_is_answered(
    server: Server, event_name: str, accept: str, kind: str
) -> None:
    answered = send(server, {"meters": [event_name]}, accept)

    assert answered.status == 200
    assert answered.headers["content-type"] == kind
    assert answered.headers["content-length"] == str(len(answered.body))


@pytest.fixture(scope="module")
def many(client: stripe.StripeClient, library: metering.Metering) -> str:
    """A meter with so many customers that an answer comes in pieces."""
    meter = create_meter(client)
    numbers = range(MANY)
    table = pa.table(
        {
            "event_name": [meter.event_name] * MANY,
            "identifier": [f"{meter.id}-{number}" for number in numbers],
            "timestamp": pa.array([FEBRUARY] * MANY, pa.timestamp("us", "UTC")),
            "stripe_customer_id": [f'"cus\\{number}' for number in numbers],
            "value": [f"{number}.5" for number in numbers],
        }
    )
    assert library.meter_events.ingest(table, backfill=True).accepted == MANY
    return meter.event_name


def test_a_large_answer_comes_in_pieces_and_is_whole(
    server: Server, library: metering.Metering, many: str
) -> None:
    table = library.reaggregate(many)

    arrow = send(server, {"meters": many})
    rows = send(server, {"meters": many}, JSON)

    assert "content-length" not in arrow.headers
    assert table_of(arrow).equals(table)
    assert rows_of(rows) == plain(table)
    assert len(table) == MANY


def test_who_hangs_up_on_a_large_answer_harms_nobody(server: Server, many: str) -> None:
    for _ in range(4):
        connection = server.connect()
        connection.request(
            "GET",
            f"{PATH}?meters={many}",
            headers={"Authorization": f"Bearer {server.key}"},
        )
        response = connection.getresponse()
        assert response.read(1_000).startswith(b'{"object":"list","data":[{"meter":')
        connection.close()

    assert len(rows_of(send(server, {"meters": many}, JSON))) == MANY


def test_many_are_answered_beside_events(
    server: Server, client: stripe.StripeClient, event_name: str
) -> None:
    meter = create_meter(client)

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(send, server, {"meters": event_name}) for _ in range(8)]
        for number in range(5):
            create_event(client, meter, str(number))
        tables = [table_of(each.result()) for each in answers]

    assert all(each.equals(tables[0]) for each in tables)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"meters": ["nothing"]}, "meters"),
        ({"window": "fortnight"}, "window"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../UTC"}, "timezone"),
        ({"formula": "median"}, "formula"),
        ({"value_key": "stripe_customer_id"}, "value_key"),
        ({"group_by": ["value"]}, "group_by"),
        ({"group_by": ["a", "a"]}, "group_by"),
        ({"group_by": ["a\x00"]}, "group_by"),
        ({"filters": {"value": "1"}}, "filters"),
        ({"filters": {"model": 1}}, "filters[model]"),
        ({"filters": {"model": ["a", 1]}}, "filters[model][1]"),
        ({"filters": {"model": {"gt": "a"}}}, "filters[model]"),
        ({"filters": "model"}, "filters"),
        ({"filters": {f"k{n}": "" for n in range(101)}}, "filters"),
        ({"as_of": 10**15}, "as_of"),
        ({"as_of": -1}, "as_of"),
        ({"as_of": "2100-01-01T00:00:00Z"}, "as_of"),
        ({"as_of": "yesterday"}, "as_of"),
        ({"start_time": 1.5}, "start_time"),
        ({"start_time": 10**18}, "start_time"),
        ({"start_time": 20, "end_time": 10}, "end_time"),
        ({"executor": "dask"}, "executor"),
        ({"progress": "1"}, "progress"),
    ],
    ids=lambda each: str(each)[:40],
)
def test_what_cannot_be_answered_is_refused_by_name(
    server: Server, event_name: str, body: dict[str, Any], param: str
) -> None:
    refused = send(server, {"meters": [event_name], **body})

    assert refused.status == 400
    assert refused.headers["content-type"] == JSON
    assert refused.error["param"] == param


def test_what_the_events_do_not_answer_is_the_askers_to_change(
    server: Server, event_name: str
) -> None:
    refused = send(server, {"meters": [event_name], "value_key": "region"})

    assert refused.status == 400
    assert "region" in refused.error["message"]


def test_nothing_is_asked_twice_that_has_no_effect(
    server: Server, event_name: str
) -> None:
    key, asked = unique("key"), {"meters": [event_name]}

    for _ in range(2):
        answered = server.post_json(PATH, asked, Accept=ARROW, Idempotency_Key=key)
        assert table_of(answered).num_rows > 0
        assert "idempotent-replayed" not in answered.headers
