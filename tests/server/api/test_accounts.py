"""A request for somebody else's account is refused: the server has one, without an id."""

import gzip

import pytest
import stripe

from metering.server.api.routes import Route
from metering.server.table import ROUTES
from tests.server.running import Answered, Server
from tests.server.usage import create_event, create_meter, summed

OTHER = "acct_1OtherTenant"


@pytest.fixture(scope="module")
def token(client: stripe.StripeClient) -> str:
    return client.v2.billing.meter_event_session.create().authentication_token


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.mark.parametrize("header", ["Stripe_Account", "Stripe_Context"])
@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_every_route_refuses_another_account(
    server: Server, token: str, route: Route, header: str
) -> None:
    key = server.key if route.credential == "key" else token
    path = route.path.replace("{id}", "none")

    answered = server.ask(route.method, path, key=key, **{header: OTHER})

    assert (answered.status, answered.error["code"]) == (400, "account_invalid")
    assert OTHER in answered.error["message"]
    assert answered.headers["stripe-should-retry"] == "false"


def test_a_request_without_a_key_does_not_learn_that(server: Server) -> None:
    path = "/v1/billing/meters"

    answered = server.ask("GET", path, Authorization="", Stripe_Account=OTHER)

    assert answered.status == 401


def test_rows_for_another_account_are_refused_and_none_is_recorded(
    server: Server, client: stripe.StripeClient
) -> None:
    meter = create_meter(client)
    row = b'{"event_name":"%s","stripe_customer_id":"cus_1","value":1}'
    body = gzip.compress(row % meter.event_name.encode())

    def post(**headers: str) -> Answered:
        kind = {"Content_Type": "application/x-ndjson", "Content_Encoding": "gzip"}
        path = "/metering/v1/meter_events?now=true"
        return server.ask("POST", path, body, **kind, **headers)

    assert post(Stripe_Account=OTHER).status == 400
    assert summed(client, meter) == 0
    assert post(Stripe_Account="").json["accepted"] == 1


def test_stripes_client_of_another_account_is_refused(
    server: Server, client: stripe.StripeClient
) -> None:
    meter = create_meter(client)

    for keywords in ({"stripe_account": OTHER}, {"stripe_context": OTHER}):
        other = server.client(**keywords)
        with pytest.raises(stripe.InvalidRequestError) as refused:
            create_event(other, meter)
        assert (refused.value.http_status, refused.value.code) == (
            400,
            "account_invalid",
        )
        with pytest.raises(stripe.InvalidRequestError):
            other.v2.billing.meter_events.create(
                {
                    "event_name": meter.event_name,
                    "payload": {"stripe_customer_id": "cus_1", "value": "1"},
                }
            )
    assert summed(client, meter) == 0
