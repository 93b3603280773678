"""Usage over HTTP is the library's, in Arrow and in JSON, as of the position it names."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import pytest
import stripe

import metering
from tests.server.running import Server
from tests.server.usage import create_meter

PATH = "/metering/v1/usage"
ARROW = "application/vnd.apache.arrow.stream"
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def library(server: Server) -> Iterator[metering.Metering]:
    """The library, beside the server, on the same store."""
    with server.store() as store:
        yield store


@pytest.fixture(scope="module")
def event_name(client: stripe.StripeClient, library: metering.Metering) -> str:
    """A meter with usage in February 2026."""
    meter = create_meter(client)
    rows = [
        {
            "event_name": meter.event_name,
            "timestamp": int(FEBRUARY.timestamp()) + number * 7_919,
            "stripe_customer_id": f"cus_{number % 7}",
            "value": f"{number}.25",
        }
        for number in range(300)
    ]
    assert library.meter_events.ingest(rows, backfill=True).accepted == len(rows)
    return meter.event_name


QUESTIONS: list[dict[str, Any]] = [
    {},
    {"window": "month", "timezone": "Asia/Kolkata"},
    {"window": "hour", "customers": ["cus_1", "cus_2"]},
    {"window": "", "start_time": "2026-02-03T12:00:00.000001Z"},
]


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_answers_are_those_of_the_library(
    server: Server,
    library: metering.Metering,
    event_name: str,
    question: dict[str, Any],
) -> None:
    asked = {"meters": [event_name], **question}
    whole = {**question, "window": question.get("window", "day") or None}
    table = library.usage(event_name, **whole)

    arrow = server.post_json(PATH, asked, Accept=ARROW)
    by_query = server.ask("GET", f"{PATH}?{urlencode(asked, doseq=True)}")
    rows = server.post_json(PATH, asked)

    with pa.ipc.open_stream(arrow.body) as reader:
        assert reader.read_all().equals(table, check_metadata=True)
    assert int(arrow.headers["metering-position"]) == library.position
    answer = json.loads(rows.body, parse_float=Decimal)
    assert (answer["object"], answer["url"]) == ("list", PATH)
    assert [(each["customer"], each["value"]) for each in answer["data"]] == list(
        zip(table["customer"].to_pylist(), table["value"].to_pylist(), strict=True)
    )
    assert table.num_rows > 0
    if "customers" not in question:
        assert by_query.body == rows.body


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"window": "minute"}, "window"),
        ({"customers": [1]}, "customers[0]"),
        ({"group_by": "model"}, "group_by"),
        ({"as_of": 1}, "as_of"),
        ({"progress": "1"}, "progress"),
    ],
    ids=str,
)
def test_what_cannot_be_answered_is_refused_by_name(
    server: Server, event_name: str, body: dict[str, Any], param: str
) -> None:
    refused = server.post_json(PATH, {"meters": [event_name], **body})

    assert refused.status == 400
    assert refused.error["param"] == param
