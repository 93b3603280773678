"""Credit holds over HTTP, by forms and by JSON: held, settled, released, listed."""

import json
from typing import Any

import pytest
import stripe

from tests.server.usage import create_grant, unique

HOLDS = "/metering/v1/credit_holds"


@pytest.fixture
def customer(client: stripe.StripeClient) -> str:
    """Somebody with ten dollars of credits."""
    customer = unique("cus")
    create_grant(client, customer)
    return customer


def raw(
    client: stripe.StripeClient, method: str, path: str, **params: Any
) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(client.raw_request(method, path, **params).body)
    return answer


def hold(client: stripe.StripeClient, customer: str, value: int) -> dict[str, Any]:
    amount = {"type": "monetary", "monetary": {"currency": "usd", "value": value}}
    given: dict[str, Any] = {
        "id": unique("job"),
        "customer": customer,
        "amount": amount,
    }
    return raw(client, "post", HOLDS, **given)


def amount(held: dict[str, Any], name: str) -> Any:
    return held[f"amount_{name}"]["monetary"]["value"]


def test_a_hold_is_settled_once_for_stripes_client(
    client: stripe.StripeClient, customer: str
) -> None:
    held = hold(client, customer, 800)
    path = f"{HOLDS}/{held['id']}"

    assert (held["object"], held["status"]) == ("metering.credit_hold", "open")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        hold(client, customer, 300)
    assert refused.value.code == "insufficient_credits"
    settled = raw(client, "post", f"{path}/settle", amount=300)
    assert (settled["status"], amount(settled, "released")) == ("settled", 500)
    assert raw(client, "post", f"{path}/settle", amount=300) == settled
    assert raw(client, "get", path) == settled


def test_holds_are_released_and_listed(
    client: stripe.StripeClient, customer: str
) -> None:
    first, second = hold(client, customer, 100), hold(client, customer, 200)

    released = raw(client, "post", f"{HOLDS}/{first['id']}/release")

    assert (released["status"], amount(released, "released")) == ("released", 100)
    listed = raw(client, "get", HOLDS, customer=customer)
    assert listed["data"] == [second, released]
    still_open = raw(client, "get", HOLDS, customer=customer, status="open")
    assert still_open["data"] == [second]


def test_many_are_settled_and_one_bad_row_fails_no_other(
    client: stripe.StripeClient, customer: str
) -> None:
    first, second = hold(client, customer, 100), hold(client, customer, 200)
    rows = [
        {"hold": first["id"]},
        {"hold": "nobody's", "amount": 1},
        {"hold": second["id"], "amount": 40, "settlement": "a", "final": False},
        # Of a hold that is settled already: in a commit of its own.
        {"hold": second["id"], "amount": 10, "settlement": "b", "final": False},
    ]

    receipt = raw(client, "post", f"{HOLDS}/settle", settlements=rows)

    assert (receipt["settled"], receipt["rejected"]) == (3, 1)
    [rejection] = receipt["rejections"]
    assert (rejection["row"], rejection["code"]) == (1, "resource_missing")
    again = raw(client, "post", f"{HOLDS}/settle", settlements=rows)
    assert (again["settled"], again["repeated"]) == (0, 3)
    kept = raw(client, "get", f"{HOLDS}/{second['id']}")
    assert (amount(kept, "held"), amount(kept, "drawn")) == (150, 50)
