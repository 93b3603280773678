"""Credit pools over HTTP: made, joined, granted to, drawn from, left."""

import pytest
import stripe

from tests.server.extensions.credits.test_credit_holds import amount, hold, raw
from tests.server.usage import unique

POOLS = "/metering/v1/credit_pools"


def usd(value: int) -> dict[str, object]:
    return {"type": "monetary", "monetary": {"currency": "usd", "value": value}}


def test_members_draw_from_a_pool_for_stripes_client(
    client: stripe.StripeClient,
) -> None:
    customer, pool_id = unique("cus"), unique("team")
    path = f"{POOLS}/{pool_id}"
    made = raw(client, "post", POOLS, id=pool_id, cap=usd(500))
    granted = raw(
        client,
        "post",
        f"{path}/credit_grants",
        amount=usd(800),
        applicability_config={"scope": {"price_type": "metered"}},
    )
    joined = raw(client, "post", f"{path}/members", customer=customer)

    assert (made["object"], made["status"]) == ("metering.credit_pool", "active")
    assert (granted["pool"], granted["customer"]) == (pool_id, None)
    assert raw(client, "get", f"{path}/credit_grants")["data"] == [granted]
    assert raw(client, "get", f"{path}/members")["data"] == [joined]
    assert amount(hold(client, customer, 500), "held") == 500
    left = raw(client, "get", f"{path}/balance", customer=customer)
    assert left["balances"][0]["available_balance"]["monetary"]["value"] == 300
    assert left["drawable"][0]["monetary"]["value"] == 0
    with pytest.raises(stripe.InvalidRequestError) as refused:
        raw(client, "post", path, cap=usd(499))
    assert refused.value.code == "credit_pool_cap_exceeded"
    renamed = raw(client, "post", path, name="Team")
    assert raw(client, "get", path) == renamed
    assert raw(client, "get", POOLS, limit=1)["data"] == [renamed]
    gone = raw(client, "post", f"{path}/members/remove", customer=customer)
    assert gone["left_at"] is not None
    assert raw(client, "post", f"{path}/archive")["status"] == "archived"
