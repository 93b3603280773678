"""Usage records, by clients of the API before 2025-03-31, and by others."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import update

from ledger.database.addresses import open_database
from ledger.records.requests import idempotent_request
from tests.packaging.environments import (
    OLDEST,
    Environment,
    interpreter,
    make_environment,
)
from tests.server.running import Answered, Server
from tests.server.shapes import differences, list_of

ACACIA = "2025-02-24.acacia"
RECORD = {
    "id": str,
    "object": "usage_record",
    "livemode": bool,
    "quantity": int,
    "subscription_item": str,
    "timestamp": int,
}
RECORD_SUMMARY = {
    "id": str,
    "object": "usage_record_summary",
    "invoice": None,
    "livemode": bool,
    "period": {"end": int, "start": int},
    "subscription_item": str,
    "total_usage": int,
}
METERED = {
    "currency": "usd",
    "unit_amount": "10",
    "product_data[name]": "Calls",
    "recurring[interval]": "month",
    "recurring[usage_type]": "metered",
}


@pytest.fixture(scope="module")
def item(server: Server) -> str:
    """An item of a price without a meter, by a client that knows of none."""
    price = server.ask("POST", "/v1/prices", METERED, Stripe_Version=ACACIA).json
    customer = server.ask("POST", "/v1/customers").json
    form = {"customer": customer["id"], "items[0][price]": price["id"]}
    subscription = server.ask("POST", "/v1/subscriptions", form).json
    [item] = subscription["items"]["data"]
    assert item["price"]["recurring"]["aggregate_usage"] == "sum"
    return str(item["id"])


def record(server: Server, item: str, form: dict[str, str], **headers: str) -> Answered:
    path = f"/v1/subscription_items/{item}/usage_records"
    return server.ask("POST", path, form, **{"Stripe_Version": ACACIA, **headers})


def summaries(server: Server, item: str) -> Answered:
    path = f"/v1/subscription_items/{item}/usage_record_summaries"
    return server.ask("GET", path, Stripe_Version=ACACIA)


def test_records_and_summaries_look_as_the_clients_expect(
    server: Server, item: str
) -> None:
    before = summaries(server, item).json["data"][0]["total_usage"]

    recorded = record(server, item, {"quantity": "3", "timestamp": "now"})
    listed = summaries(server, item)

    assert differences(recorded.json, RECORD) == []
    assert differences(listed.json, list_of(RECORD_SUMMARY)) == []
    assert listed.json["data"][0]["total_usage"] == before + 3
    assert listed.json["url"].endswith(f"{item}/usage_record_summaries")


def test_a_record_counts_once_under_its_idempotency_key(
    server: Server, item: str
) -> None:
    before = summaries(server, item).json["data"][0]["total_usage"]

    first = record(server, item, {"quantity": "3"}, Idempotency_Key="once")
    again = record(server, item, {"quantity": "3"}, Idempotency_Key="once")
    other = record(server, item, {"quantity": "4"}, Idempotency_Key="once")

    assert (again.body, other.status) == (first.body, 400)
    assert "idempotent-replayed" in again.headers
    assert other.error["type"] == "idempotency_error"
    assert summaries(server, item).json["data"][0]["total_usage"] == before + 3


def test_a_record_that_a_dead_process_did_not_answer_counts_once(
    server: Server, item: str
) -> None:
    before = summaries(server, item).json["data"][0]["total_usage"]
    first = record(server, item, {"quantity": "3"}, Idempotency_Key="dying")
    forget_answer(server.target, "dying")

    again = record(server, item, {"quantity": "3"}, Idempotency_Key="dying")

    assert (again.status, again.body) == (200, first.body)
    assert summaries(server, item).json["data"][0]["total_usage"] == before + 3


def forget_answer(target: str, idempotency_key: str) -> None:
    """Leave a request as a process does that dies between its effect and its answer."""
    request = idempotent_request.c
    with (
        closing(open_database(target, creates=False)) as database,
        database.write() as connection,
    ):
        forgotten = connection.execute(
            update(idempotent_request)
            .where(request.idempotency_key == idempotency_key)
            .values(status=None, body=None)
        )
        assert forgotten.rowcount == 1


@pytest.mark.parametrize(
    "version", ["", "2025-03-31.basil", "2026-10-28.endive", "acacia", "0"]
)
def test_other_versions_have_no_usage_records(
    server: Server, item: str, version: str
) -> None:
    path = f"/v1/subscription_items/{item}/usage_records"
    headers = {"Stripe_Version": version} if version else {}
    summed = {**METERED, "recurring[aggregate_usage]": "sum"}

    refused = server.ask("POST", path, {"quantity": "3"}, **headers)
    unbacked = server.ask("POST", "/v1/prices", METERED, **headers)
    unknown = server.ask("POST", "/v1/prices", summed, **headers)

    assert refused.status == 404
    assert refused.error["message"].startswith(
        f"Unrecognized request URL (POST: {path}). Clients that send a Stripe-Version"
        " before 2025-03-31.basil"
    )
    assert (unbacked.status, unknown.status) == (400, 400)
    assert "must be backed by meters." in unbacked.error["message"]
    assert unknown.error["param"] == "recurring[aggregate_usage]"


def test_a_time_before_the_period_is_refused_in_the_words_of_stripe(
    server: Server, item: str
) -> None:
    refused = record(server, item, {"quantity": "3", "timestamp": "1000000000"})

    assert refused.status == 400
    assert refused.error["param"] == "timestamp"
    assert refused.error["message"] == (
        "Cannot create the usage record with this timestamp because timestamps must be"
        " after the subscription's last invoice period (or current period start time)."
    )


PROGRAM = """
import json, sys, time
import stripe

url, stripe.api_key = sys.argv[1:]
stripe.api_base = url
client = stripe.StripeClient(stripe.api_key, base_addresses={"api": url})
product = stripe.Product.create(name="Calls")
found = {"version": stripe.VERSION, "api": stripe.api_version}
for aggregate in ("sum", "max", "last_during_period", "last_ever"):
    price = stripe.Price.create(
        product=product.id,
        currency="usd",
        unit_amount=10,
        recurring={
            "interval": "month", "usage_type": "metered", "aggregate_usage": aggregate
        },
    )
    customer = stripe.Customer.create(name="Ada")
    subscription = stripe.Subscription.create(
        customer=customer.id, items=[{"price": price.id}]
    )
    item = subscription["items"]["data"][0]
    assert item.price.recurring.aggregate_usage == aggregate
    at = int(time.time())
    made = stripe.SubscriptionItem.create_usage_record(
        item.id, quantity=7, timestamp=at
    )
    assert (made.object, made.quantity, made.timestamp) == ("usage_record", 7, at)
    client.subscription_items.usage_records.create(
        item.id, {"quantity": 5, "timestamp": at, "action": "set"}
    )
    client.subscription_items.usage_records.create(
        item.id, {"quantity": 2, "timestamp": at + 1}
    )
    [summary] = stripe.SubscriptionItem.list_usage_record_summaries(item.id)
    [same] = client.subscription_items.usage_record_summaries.list(item.id)
    assert (summary.id, summary.invoice, summary.subscription_item) == (
        same.id, None, item.id
    )
    assert summary.period.start <= at < summary.period.end
    found[aggregate] = summary.total_usage
try:
    stripe.SubscriptionItem.create_usage_record(item.id, quantity=1, timestamp=1)
except stripe.InvalidRequestError as refused:
    found["refused"] = refused.param
print(json.dumps(found))
"""


@pytest.fixture
def before_meters(tmp_path: Path) -> Environment:
    """An environment with stripe 11.6, the last that has usage records, and no other."""
    found = interpreter(OLDEST)
    if found is None:
        pytest.skip(f"there is no python{OLDEST}")
    environment = make_environment(tmp_path / "environment", found)
    try:
        environment.install("stripe==11.6.0")
    except AssertionError as unreachable:
        pytest.skip(f"no index has stripe 11.6: {str(unreachable)[-200:]}")
    return environment


@pytest.mark.installs
@pytest.mark.slow
def test_the_last_client_with_usage_records_drives_them_unmodified(
    server: Server, before_meters: Environment
) -> None:
    printed = before_meters.run("python", "-c", PROGRAM, server.url, server.key)

    assert json.loads(printed) == {
        "version": "11.6.0",
        "api": ACACIA,
        "sum": 7,
        "max": 5,
        "last_during_period": 2,
        "last_ever": 2,
        "refused": "timestamp",
    }
