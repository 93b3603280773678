"""Spend limits over HTTP: made, obeyed by holds, changed, canceled."""

import pytest
import stripe

from tests.server.extensions.credits.test_credit_holds import amount, hold, raw
from tests.server.usage import create_grant, unique

LIMITS = "/metering/v1/spend_limits"


def test_a_limit_is_obeyed_by_holds_for_stripes_client(
    client: stripe.StripeClient,
) -> None:
    customer, limit_id = unique("cus"), unique("cap")
    create_grant(client, customer)
    usd = {"type": "monetary", "monetary": {"currency": "usd", "value": 500}}
    made = raw(
        client,
        "post",
        LIMITS,
        id=limit_id,
        customer=customer,
        amount=usd,
        warn_at=[75],
    )
    path = f"{LIMITS}/{limit_id}"

    assert (made["object"], made["window"]) == ("metering.spend_limit", "month")
    assert made["warn_at"] == [75]
    hold(client, customer, 300)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        hold(client, customer, 201)
    assert (refused.value.code, refused.value.param) == (
        "spend_limit_reached",
        "amount",
    )
    more = raw(
        client,
        "post",
        path,
        amount={**usd, "monetary": {"currency": "usd", "value": 501}},
        metadata={"a": "b"},
    )
    assert (amount(more, "left"), more["metadata"]) == (201, {"a": "b"})
    assert raw(client, "get", path) == more
    assert raw(client, "get", LIMITS, customer=customer)["data"] == [more]
    assert raw(client, "post", f"{path}/cancel")["status"] == "canceled"
    hold(client, customer, 201)
