"""Nothing answers without a key whose scopes allow it; revoked means refused at once."""

import base64

import pytest
import stripe

import metering
from metering.server.api.routes import Route
from metering.server.table import ROUTES
from tests.server.running import Server

METERS = "/v1/billing/meters"
SCOPES = ("ingest", "read", "admin")
STREAM = ("POST", "/v2/billing/meter_event_stream")
KEYED = [each for each in ROUTES if each.credential == "key"]
ALLOWED = {
    "ingest": {
        ("POST", "/v1/billing/meter_events"),
        ("POST", "/v2/billing/meter_events"),
        ("POST", "/v2/billing/meter_event_adjustments"),
        ("POST", "/v2/billing/meter_event_session"),
        ("POST", "/metering/v1/meter_events"),
        ("POST", "/metering/v1/spend"),
        ("POST", "/v1/subscription_items/{id}/usage_records"),
        ("POST", "/v1/billing/meter_event_adjustments"),
    },
    "read": {
        ("GET", "/v1/billing/meters"),
        ("GET", "/v1/billing/meters/{id}"),
        ("GET", "/v1/billing/meters/{id}/event_summaries"),
        ("GET", "/v1/products"),
        ("GET", "/v1/products/search"),
        ("GET", "/v1/products/{id}"),
        ("GET", "/v1/prices"),
        ("GET", "/v1/prices/search"),
        ("GET", "/v1/prices/{id}"),
        ("GET", "/v1/reporting/report_types"),
        ("GET", "/v1/reporting/report_types/{id}"),
        ("GET", "/v1/reporting/report_runs"),
        ("GET", "/v1/reporting/report_runs/{id}"),
        ("GET", "/v1/files/{id}"),
        ("GET", "/v1/files/{id}/contents"),
        ("GET", "/v1/customers"),
        ("GET", "/v1/customers/{id}"),
        ("GET", "/v1/subscriptions"),
        ("GET", "/v1/subscriptions/{id}"),
        ("GET", "/v1/subscription_items"),
        ("GET", "/v1/subscription_items/{id}"),
        ("GET", "/v1/subscription_items/{id}/usage_record_summaries"),
        ("GET", "/v1/billing/alerts"),
        ("GET", "/v1/billing/alerts/{id}"),
        ("GET", "/v1/billing/credit_grants"),
        ("GET", "/v1/billing/credit_grants/{id}"),
        ("GET", "/v1/billing/credit_balance_summary"),
        ("GET", "/v1/billing/credit_balance_transactions"),
        ("GET", "/v1/billing/credit_balance_transactions/{id}"),
        ("GET", "/v1/events"),
        ("GET", "/v1/events/{id}"),
        ("GET", "/v2/core/events"),
        ("GET", "/v2/core/events/{id}"),
        ("GET", "/v1/webhook_endpoints"),
        ("GET", "/v1/webhook_endpoints/{id}"),
        ("POST", "/v1/invoices/create_preview"),
        ("GET", "/metering/v1/statements"),
        ("GET", "/metering/v1/statements/{id}"),
        ("GET", "/metering/v1/statements/{id}/explanation"),
        ("GET", "/metering/v1/statements/{id}/drift"),
        ("POST", "/metering/v1/statements/preview"),
        ("POST", "/metering/v1/credits/preview"),
        ("GET", "/metering/v1/credit_balance_summary"),
        ("POST", "/metering/v1/check"),
        ("GET", "/metering/v1/credit_holds"),
        ("GET", "/metering/v1/credit_holds/{id}"),
        ("GET", "/metering/v1/credit_pools"),
        ("GET", "/metering/v1/credit_pools/{id}"),
        ("GET", "/metering/v1/credit_pools/{id}/balance"),
        ("GET", "/metering/v1/credit_pools/{id}/members"),
        ("GET", "/metering/v1/credit_pools/{id}/credit_grants"),
        ("GET", "/metering/v1/credit_schedules"),
        ("GET", "/metering/v1/credit_schedules/{id}"),
        ("GET", "/v1/entitlements/features"),
        ("GET", "/v1/entitlements/features/{id}"),
        ("GET", "/v1/entitlements/active_entitlements"),
        ("GET", "/v1/entitlements/active_entitlements/{id}"),
        ("GET", "/v1/products/{product}/features"),
        ("GET", "/v1/products/{product}/features/{id}"),
        ("GET", "/metering/v1/entitlements/check"),
        ("GET", "/metering/v1/corrections"),
        ("GET", "/metering/v1/corrections/{id}"),
        ("POST", "/metering/v1/corrections/preview"),
        ("GET", "/metering/v1/spend_limits"),
        ("GET", "/metering/v1/spend_limits/{id}"),
        ("GET", "/v1/test_helpers/test_clocks"),
        ("GET", "/v1/test_helpers/test_clocks/{id}"),
        ("GET", "/metering/v1/meter_events"),
        ("GET", "/metering/v1/reaggregate"),
        ("POST", "/metering/v1/reaggregate"),
        ("GET", "/metering/v1/explain"),
        ("GET", "/metering/v1/explain/events"),
        ("GET", "/metering/v1/explain/not_counted"),
        ("GET", "/metering/v1/explain/late"),
        ("GET", "/metering/v1/usage"),
        ("POST", "/metering/v1/usage"),
        ("GET", "/metering/v1/audit"),
        ("GET", "/metering/v1/health"),
        ("GET", "/metrics"),
    },
    "admin": {
        ("POST", "/v1/billing/meters"),
        ("POST", "/v1/billing/meters/{id}"),
        ("POST", "/v1/billing/meters/{id}/deactivate"),
        ("POST", "/v1/billing/meters/{id}/reactivate"),
        ("POST", "/v1/products"),
        ("POST", "/v1/products/{id}"),
        ("DELETE", "/v1/products/{id}"),
        ("POST", "/v1/prices"),
        ("POST", "/v1/prices/{id}"),
        ("POST", "/v1/reporting/report_runs"),
        ("POST", "/v1/customers"),
        ("POST", "/v1/customers/{id}"),
        ("DELETE", "/v1/customers/{id}"),
        ("POST", "/v1/subscriptions"),
        ("POST", "/v1/subscriptions/{id}"),
        ("DELETE", "/v1/subscriptions/{id}"),
        ("POST", "/v1/subscriptions/{id}/pause"),
        ("POST", "/v1/subscriptions/{id}/resume"),
        ("POST", "/v1/subscription_items"),
        ("POST", "/v1/subscription_items/{id}"),
        ("DELETE", "/v1/subscription_items/{id}"),
        ("POST", "/v1/test_helpers/test_clocks"),
        ("POST", "/v1/test_helpers/test_clocks/{id}/advance"),
        ("DELETE", "/v1/test_helpers/test_clocks/{id}"),
        ("POST", "/v1/billing/alerts"),
        ("POST", "/v1/billing/alerts/{id}/activate"),
        ("POST", "/v1/billing/alerts/{id}/deactivate"),
        ("POST", "/v1/billing/alerts/{id}/archive"),
        ("POST", "/v1/billing/credit_grants"),
        ("POST", "/v1/billing/credit_grants/{id}"),
        ("POST", "/v1/billing/credit_grants/{id}/expire"),
        ("POST", "/v1/billing/credit_grants/{id}/void"),
        ("POST", "/v1/webhook_endpoints"),
        ("POST", "/v1/webhook_endpoints/{id}"),
        ("DELETE", "/v1/webhook_endpoints/{id}"),
        ("POST", "/metering/v1/statements"),
        ("POST", "/metering/v1/statements/run"),
        ("POST", "/metering/v1/statements/{id}/void"),
        ("POST", "/metering/v1/credits/apply"),
        ("POST", "/metering/v1/credits/reinstate"),
        ("POST", "/metering/v1/credits/reinstate_many"),
        ("POST", "/metering/v1/credit_holds"),
        ("POST", "/metering/v1/credit_pools"),
        ("POST", "/metering/v1/credit_pools/{id}"),
        ("POST", "/metering/v1/credit_pools/{id}/archive"),
        ("POST", "/metering/v1/credit_pools/{id}/members"),
        ("POST", "/metering/v1/credit_pools/{id}/members/remove"),
        ("POST", "/metering/v1/credit_pools/{id}/credit_grants"),
        ("POST", "/metering/v1/credit_holds/settle"),
        ("POST", "/metering/v1/credit_holds/{id}/settle"),
        ("POST", "/metering/v1/credit_holds/{id}/release"),
        ("POST", "/metering/v1/credit_schedules"),
        ("POST", "/metering/v1/credit_schedules/{id}"),
        ("POST", "/metering/v1/credit_schedules/{id}/pause"),
        ("POST", "/metering/v1/credit_schedules/{id}/resume"),
        ("POST", "/metering/v1/credit_schedules/{id}/cancel"),
        ("POST", "/v1/entitlements/features"),
        ("POST", "/v1/entitlements/features/{id}"),
        ("POST", "/v1/products/{product}/features"),
        ("DELETE", "/v1/products/{product}/features/{id}"),
        ("POST", "/metering/v1/corrections"),
        ("POST", "/metering/v1/corrections/{id}/revert"),
        ("POST", "/metering/v1/spend_limits"),
        ("POST", "/metering/v1/spend_limits/{id}"),
        ("POST", "/metering/v1/spend_limits/{id}/cancel"),
    },
}


def make_key(server: Server, *scopes: str, livemode: bool = False) -> metering.ApiKey:
    with server.store(livemode=livemode) as store:
        return store.api_keys.create(name="a key", scopes=scopes or None)


def secret(key: metering.ApiKey) -> str:
    assert key.secret is not None
    return key.secret


def status(server: Server, route: Route, key: str | None) -> int:
    # What no route takes: whoever is let in is told so, and nothing comes of it.
    path = route.path.replace("{id}", "none")
    # Of a version that has every route.
    version = {"Stripe_Version": "2025-02-24.acacia"}
    return server.ask(route.method, f"{path}?foo=1", key=key, **version).status


@pytest.fixture(scope="module")
def keys(server: Server) -> dict[str, str]:
    return {scope: secret(make_key(server, scope)) for scope in SCOPES}


def test_every_route_is_in_the_matrix() -> None:
    listed = set().union(*ALLOWED.values())

    assert {(each.method, each.path) for each in KEYED} == listed
    assert len(KEYED) == sum(map(len, ALLOWED.values()))
    assert [(each.method, each.path) for each in ROUTES if each not in KEYED] == [
        STREAM
    ]


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    session = server.client().v2.billing.meter_event_session.create()
    return session.authentication_token


@pytest.mark.parametrize("route", KEYED, ids=lambda each: f"{each.method} {each.path}")
def test_a_restricted_key_is_let_in_by_its_scope_alone(
    server: Server, keys: dict[str, str], token: str, route: Route
) -> None:
    [scope] = [each for each in SCOPES if (route.method, route.path) in ALLOWED[each]]
    let_in = {**keys, "secret": server.key}
    let_in |= {"unknown": "sk_test_unknown", "token": token}

    answered = {name: status(server, route, key) for name, key in let_in.items()}

    assert answered == {
        **dict.fromkeys(SCOPES, 403),
        scope: 400,
        "secret": 400,
        "unknown": 401,
        "token": 401,
    }
    path = route.path.replace("{id}", "none")
    assert server.ask(route.method, path, Authorization="").status == 401


def test_the_stream_is_open_to_tokens_alone(
    server: Server, keys: dict[str, str], token: str
) -> None:
    [stream] = [each for each in ROUTES if each not in KEYED]

    assert status(server, stream, token) == 400
    for key in (server.key, "sk_test_unknown", f"{token}0", *keys.values()):
        assert status(server, stream, key) == 401
    method, path = STREAM
    for authorization in ("", token, basic(f"{token}:"), "Bearer"):
        refused = server.ask(method, path, Authorization=authorization)
        assert refused.status == 401, authorization


def test_a_session_ends_with_its_key(server: Server) -> None:
    key = make_key(server, "ingest")
    session = server.client(secret(key)).v2.billing.meter_event_session.create()
    opened = server.ask(*STREAM, key=session.authentication_token)
    assert opened.status == 400

    with server.store() as store:
        store.api_keys.revoke(key.id)

    refused = server.ask(*STREAM, key=session.authentication_token)
    assert refused.status == 401


def test_a_key_may_have_several_scopes(server: Server) -> None:
    key = secret(make_key(server, "ingest", "read"))

    answered = {route.scope: status(server, route, key) for route in KEYED}

    assert answered == {"ingest": 400, "read": 400, "admin": 403}


def test_clients_raise_what_they_raise_for_stripe(
    server: Server, keys: dict[str, str]
) -> None:
    with pytest.raises(stripe.PermissionError) as refused:
        server.client(keys["ingest"]).v1.billing.meters.list()
    assert "read" in str(refused.value.user_message)
    with pytest.raises(stripe.AuthenticationError) as unknown:
        server.client("sk_test_none_of_these_keys").v1.billing.meters.list()
    assert unknown.value.user_message == "Invalid API Key provided: sk_test_***keys"


def basic(name: str) -> str:
    return "Basic " + base64.b64encode(name.encode()).decode()


def test_a_key_comes_as_bearer_or_as_the_name_of_a_user(server: Server) -> None:
    for authorization, wanted in (
        (f"Bearer {server.key}", 200),
        (f"bearer  {server.key} ", 200),
        (basic(f"{server.key}:"), 200),
        (basic(server.key), 200),
        (basic(":"), 401),
        ("Basic no base64", 401),
        ("Basic /w==", 401),
        ("Basic \xff\xff", 401),
        (server.key, 401),
        ("Bearer", 401),
        (f"Digest {server.key}", 401),
    ):
        answered = server.ask("GET", METERS, Authorization=authorization)
        assert answered.status == wanted, authorization
        if wanted == 401:
            assert answered.headers["www-authenticate"].startswith("Bearer")
            assert answered.error["type"] == "invalid_request_error"


def test_a_revoked_key_is_refused_at_once(server: Server) -> None:
    key = make_key(server)
    with server.store() as store:
        assert server.ask("GET", METERS, key=secret(key)).status == 200
        store.api_keys.revoke(key.id)

        refused = server.ask("GET", METERS, key=secret(key))

    assert refused.status == 401
    assert refused.error["code"] == "api_key_expired"
    assert secret(key) not in refused.body.decode()


def test_a_key_of_the_other_mode_is_none(server: Server) -> None:
    key = make_key(server, livemode=True)

    assert secret(key).startswith("sk_live_")
    assert server.ask("GET", METERS, key=secret(key)).status == 401
