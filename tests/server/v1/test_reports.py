"""Reports, by Stripe's own client: asked for, made by a worker, downloaded by their URL."""

import urllib.error
import urllib.request
from typing import Any

import pytest
import stripe

from metering.reporting.requests import ReportTypeName
from tests.server.running import Server
from tests.server.usage import create_event, create_meter
from tests.waiting import eventually

EVENTS: ReportTypeName = "metering.events.1"


def ask(client: stripe.StripeClient, **parameters: Any) -> Any:
    asked: Any = {"report_type": EVENTS, "parameters": parameters}
    return client.v1.reporting.report_runs.create(asked)


def download(url: str, key: str | None) -> bytes:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request) as response:
        body: bytes = response.read()
    return body


def test_a_report_is_asked_for_made_polled_and_downloaded(
    server: Server, client: stripe.StripeClient
) -> None:
    meter = create_meter(client)
    create_event(client, meter, "12.5")
    start = client.v1.billing.meters.retrieve(meter.id).created - 86_400
    run = ask(
        client,
        columns=["customer", "value"],
        interval_start=start,
        timezone="America/New_York",
    )
    assert (run.status, run.result, run.error) == ("pending", None, None)
    assert run.parameters.to_dict() == {
        "columns": ["customer", "value"],
        "interval_start": start,
        "timezone": "America/New_York",
    }

    def is_made() -> bool:
        return client.v1.reporting.report_runs.retrieve(run.id).status == "succeeded"

    with server.store() as store, store.worker():
        eventually(is_made)

    made = client.v1.reporting.report_runs.retrieve(run.id)
    assert made.result is not None
    assert made.result.purpose == "finance_report_run"
    url, key = made.result.url, server.key
    assert url is not None
    content = download(url, key)
    assert content.splitlines()[0] == b'"customer","value"'
    assert made.result.size == len(content)
    [listed] = client.v1.reporting.report_runs.list({"limit": 1}).data
    assert listed.id == run.id
    found = client.v1.files.retrieve(made.result.id)
    assert (found.url, found.type) == (url, "csv")
    [event] = client.v1.events.list({"type": "reporting.report_run.succeeded"}).data[:1]
    assert event.data.object["id"] == run.id
    with pytest.raises(urllib.error.HTTPError) as refused:
        download(url, None)
    assert refused.value.code == 401
    refused.value.close()


def test_types_of_reports_say_what_they_have(client: stripe.StripeClient) -> None:
    types = client.v1.reporting.report_types.list()

    assert types.url == "/v1/reporting/report_types"
    assert EVENTS in [each.id for each in types.data]
    one = client.v1.reporting.report_types.retrieve(EVENTS)
    assert one.default_columns is not None
    assert one.default_columns[:2] == ["position", "recorded_at"]
    assert one.version == 1
    assert one.data_available_start < one.data_available_end


def test_a_report_that_there_is_not_is_one_clear_error(
    client: stripe.StripeClient,
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        ask(client, columns=["price"])

    assert refused.value.param == "parameters[columns]"
    with pytest.raises(stripe.InvalidRequestError) as missing:
        client.v1.reporting.report_types.retrieve("balance.summary.1")
    assert missing.value.http_status == 404
