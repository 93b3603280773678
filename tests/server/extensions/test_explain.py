"""Explanations over HTTP are the library's, with the events in Arrow and in JSON."""

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

PATH = "/metering/v1/explain"
ARROW = "application/vnd.apache.arrow.stream"
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def library(server: Server) -> Iterator[metering.Metering]:
    """The library, beside the server, on the same store."""
    with server.store() as store:
        yield store


@pytest.fixture(scope="module")
def asked(client: stripe.StripeClient, library: metering.Metering) -> dict[str, Any]:
    """A question about usage, of which some was cancelled."""
    meter = create_meter(client)
    rows = [
        {
            "event_name": meter.event_name,
            "identifier": f"{meter.event_name}-{number}",
            "timestamp": int(FEBRUARY.timestamp()) + number * 600,
            "stripe_customer_id": "cus_1",
            "value": f"{number}.25",
        }
        for number in range(12)
    ]
    library.meter_events.ingest(rows, backfill=True)
    library.meter_event_adjustments.create(
        event_name=meter.event_name,
        type="cancel",
        cancel={"identifier": f"{meter.event_name}-4"},
    )
    return {
        "meter": meter.event_name,
        "customer": "cus_1",
        "start_time": "2026-02-01T00:10:00Z",
        "end_time": "2026-02-01T01:40:00.000001Z",
    }


def get(client: stripe.StripeClient, path: str, given: dict[str, Any]) -> Any:
    response = client.raw_request("get", f"{path}?{urlencode(given)}")
    return json.loads(response.body, parse_float=Decimal)


def test_an_explanation_says_what_the_figure_is_made_of(
    client: stripe.StripeClient, library: metering.Metering, asked: dict[str, Any]
) -> None:
    made = library.explain(**asked)

    body = get(client, PATH, asked)

    assert body == {**made.to_dict(), "adds_up": True}
    assert (body["value"], body["event_count"]) == ("53.25", 9)
    assert sum(Decimal(part["value"]) for part in body["parts"]) == made.value
    assert body["digest"] == library.verify().digest


def test_rows_are_the_librarys_in_arrow_and_in_json(
    server: Server,
    client: stripe.StripeClient,
    library: metering.Metering,
    asked: dict[str, Any],
) -> None:
    made = library.explain(**asked)

    for path, more, reader in (
        ("events", {}, made.events()),
        ("not_counted", {"beside": 600}, made.not_counted()),
        ("late", {"since": made.position - 5}, made.late(made.position - 5)),
    ):
        expected = reader.read_all()
        url = f"{PATH}/{path}"
        rows = get(client, url, {**asked, **more})
        query = urlencode({**asked, **more})
        sent = server.ask("GET", f"{url}?{query}", Accept=ARROW)
        with pa.ipc.open_stream(sent.body) as stream:
            table = stream.read_all()
        assert [each["position"] for each in rows["data"]] == (
            table.column("position").to_pylist()
        )
        assert rows["url"] == url
        if path != "not_counted":
            assert table.equals(expected)
            assert table.num_rows
        else:
            # With less beside it than an hour.
            reasons = table.column("reason").to_pylist()
            assert reasons == ["outside", "cancelled", "outside"]
            assert rows["data"][1]["by"] == library.position


def test_a_question_without_a_customer_is_refused(
    client: stripe.StripeClient, asked: dict[str, Any]
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="customer"):
        get(client, PATH, {**asked, "customer": ""})
