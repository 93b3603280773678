"""A request that comes again under its idempotency key is not done again."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import pytest
import stripe
from sqlalchemy import select

import metering
from ledger.database.addresses import open_database
from ledger.records.idempotency import Request
from ledger.records.requests import idempotent_request
from metering.access.api_keys import digest_of
from tests.server.losing import LosingProxy, losing_proxy
from tests.server.running import Answered, Server
from tests.server.usage import (
    create_alert,
    create_event,
    create_grant,
    create_meter,
    event_form,
    meter_form,
    summed,
    unique,
)

METERS = "/v1/billing/meters"
EVENTS = "/v1/billing/meter_events"


def check_replay(again: Answered, first: Answered) -> None:
    assert again.status == first.status
    assert again.body == first.body
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers


def test_a_creation_is_replayed_to_the_byte(server: Server) -> None:
    form, key = meter_form(), unique("key")
    first = server.ask("POST", METERS, form, Idempotency_Key=key)
    path = f"{METERS}/{first.json['id']}"
    server.ask("POST", path, {"display_name": "Renamed meanwhile"})

    again = server.ask("POST", METERS, form, Idempotency_Key=key)

    check_replay(again, first)
    assert again.headers["original-request"] == first.headers["request-id"]
    assert again.headers["idempotency-key"] == key
    assert again.json["display_name"] == "A meter"


def test_a_refusal_by_what_is_recorded_is_replayed(server: Server) -> None:
    form, key = meter_form(), unique("key")
    server.ask("POST", METERS, form)
    first = server.ask("POST", METERS, form, Idempotency_Key=key)

    again = server.ask("POST", METERS, form, Idempotency_Key=key)

    assert first.status == 400
    check_replay(again, first)
    assert again.headers["stripe-should-retry"] == "false"


def test_a_malformed_request_is_not_kept(server: Server) -> None:
    form, key = meter_form(), unique("key")
    malformed = {**form, "display_name": ""}
    assert server.ask("POST", METERS, malformed, Idempotency_Key=key).status == 400

    assert server.ask("POST", METERS, form, Idempotency_Key=key).status == 200


@pytest.mark.parametrize("path", [METERS, EVENTS])
def test_a_key_is_for_one_request(
    server: Server, client: stripe.StripeClient, path: str
) -> None:
    meter, key = create_meter(client), unique("key")
    form = meter_form() if path == METERS else event_form(meter.event_name)
    other = {name: f"{value}" for name, value in form.items()}
    other["display_name" if path == METERS else "payload[value]"] = "2"
    assert server.ask("POST", path, form, Idempotency_Key=key).status == 200

    refused = server.ask("POST", path, other, Idempotency_Key=key)

    assert refused.status == 400
    assert refused.error["type"] == "idempotency_error"
    with pytest.raises(stripe.IdempotencyError):
        client.v1.billing.meters.update(
            meter.id, {"display_name": "x"}, {"idempotency_key": key}
        )


def test_a_key_is_of_the_api_key_that_it_came_with(server: Server) -> None:
    key = unique("key")
    with server.store() as store:
        other = store.api_keys.create(name="other").secret
    first = server.ask("POST", METERS, meter_form(), Idempotency_Key=key)

    second = server.ask("POST", METERS, meter_form(), key=other, Idempotency_Key=key)

    assert (first.status, second.status) == (200, 200)
    assert first.json["id"] != second.json["id"]


def test_reading_and_deleting_take_no_keys(server: Server) -> None:
    key = unique("key")

    answers = [
        server.ask(method, path, Idempotency_Key=key).status
        for method, path in (
            ("GET", METERS),
            ("GET", "/v1/events"),
            ("DELETE", "/v1/webhook_endpoints/we_none"),
        )
    ]

    assert answers == [200, 200, 404]


def test_a_key_has_at_most_255_characters(server: Server) -> None:
    for length, status in ((255, 200), (256, 400)):
        key = unique("k").ljust(length, "x")
        answered = server.ask("POST", METERS, meter_form(), Idempotency_Key=key)
        assert answered.status == status


@pytest.mark.parametrize("identifier", [{}, {"identifier": "one"}], ids=str)
def test_an_event_is_replayed_and_counts_once(
    server: Server, client: stripe.StripeClient, identifier: dict[str, str]
) -> None:
    meter, key = create_meter(client), unique("key")
    form = event_form(meter.event_name, **identifier)
    first = server.ask("POST", EVENTS, form, Idempotency_Key=key)

    again = server.ask("POST", EVENTS, form, Idempotency_Key=key)

    check_replay(again, first)
    assert summed(client, meter) == 1


def test_an_event_under_another_key_is_a_duplicate(
    server: Server, client: stripe.StripeClient
) -> None:
    form = event_form(create_meter(client).event_name, identifier="one")
    server.ask("POST", EVENTS, form, Idempotency_Key=unique("key"))

    refused = server.ask("POST", EVENTS, form, Idempotency_Key=unique("key"))

    assert refused.error["message"] == "An event already exists with identifier one."


def in_parallel(ask: Callable[[], Answered], count: int) -> list[Answered]:
    answers: list[Answered] = []
    threads = [
        threading.Thread(target=lambda: answers.append(ask())) for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.parametrize("path", [METERS, EVENTS])
def test_the_same_request_at_the_same_time_has_one_effect(
    server: Server, client: stripe.StripeClient, path: str
) -> None:
    meter, key = create_meter(client), unique("key")
    form = meter_form() if path == METERS else event_form(meter.event_name)

    answers = in_parallel(
        lambda: server.ask("POST", path, form, Idempotency_Key=key), 8
    )

    well = [each for each in answers if each.status == 200]
    assert len({each.body for each in well}) == 1
    for each in answers:
        if each.status != 200:
            assert each.status == 409
            assert each.error["code"] == "idempotency_key_in_use"
            assert each.headers["stripe-should-retry"] == "true"
    if path == EVENTS:
        assert summed(client, meter) == 1


@pytest.fixture(scope="module")
def proxy(server: Server) -> Iterator[LosingProxy]:
    with losing_proxy(server.url) as running:
        yield running


@pytest.fixture(scope="module")
def patient(server: Server, proxy: LosingProxy) -> stripe.StripeClient:
    """A client that tries again, behind a proxy that loses answers."""
    return stripe.StripeClient(
        server.key,
        base_addresses={"api": proxy.url, "meter_events": proxy.url},
        max_network_retries=2,
    )


def test_what_was_asked_is_done_once_although_answers_are_lost(
    client: stripe.StripeClient, patient: stripe.StripeClient, proxy: LosingProxy
) -> None:
    meter, customer = create_meter(client), unique("cus")
    grant = create_grant(client, customer)
    asks: list[Callable[[], Any]] = [
        lambda: create_meter(patient),
        lambda: create_event(patient, meter),
        lambda: create_event(patient, meter, identifier="mine"),
        lambda: create_alert(patient, meter),
        lambda: create_grant(patient, customer),
        lambda: patient.v1.billing.meters.deactivate(meter.id),
        lambda: patient.v1.billing.credit_grants.void_grant(grant.id),
        lambda: patient.v1.webhook_endpoints.create(
            {"url": "https://127.0.0.1/hooks", "enabled_events": ["*"]}
        ),
    ]

    for ask in asks:
        proxy.losses, proxy.asked = 1, []
        answered = ask()

        assert answered.last_response.code == 200
        assert answered.last_response.headers["idempotent-replayed"] == "true"
        first, second = proxy.asked
        assert first == second != ""

    assert summed(client, meter) == 2
    assert len(client.v1.billing.alerts.list({"meter": meter.id}).data) == 1
    grants = client.v1.billing.credit_grants.list({"customer": customer})
    assert len(grants.data) == 2


def left_without_answer(
    server: Server, path: str, form: dict[str, str], effect: Callable[..., Any]
) -> tuple[Any, Answered]:
    """Have an effect as a server has that dies before it answers; then ask again."""
    key, body = unique("key"), urlencode(form).encode()
    with server.store(allow_private_webhooks=True) as store:
        api_key = next(each for each in store.api_keys.list() if each.name == "tests")
        request = Request(
            key_id=api_key.id,
            idempotency_key=key,
            fingerprint=hashlib.sha256(path.encode() + b"\n\n" + body).digest(),
            request_id="req_dead",
        )
        with store.internals.requests.on_behalf_of(request):
            made = effect(store)
    return made, server.ask("POST", path, body, Idempotency_Key=key)


THRESHOLD = "credit_balance_threshold"
MADE: list[tuple[str, dict[str, str], Callable[[metering.Metering], Any]]] = [
    (
        METERS,
        meter_form(event_name="made"),
        lambda store: store.meters.create(
            display_name="A meter",
            event_name="made",
            default_aggregation={"formula": "sum"},
        ),
    ),
    (
        "/v1/billing/alerts",
        {
            "title": "Little left",
            "alert_type": THRESHOLD,
            f"{THRESHOLD}[lte][balance_type]": "monetary",
            f"{THRESHOLD}[lte][monetary][currency]": "usd",
            f"{THRESHOLD}[lte][monetary][value]": "500",
        },
        lambda store: store.alerts.create(
            title="Little left",
            alert_type="credit_balance_threshold",
            credit_balance_threshold={
                "lte": {
                    "balance_type": "monetary",
                    "monetary": {"currency": "usd", "value": 500},
                }
            },
        ),
    ),
    (
        "/v1/customers",
        {"name": "Ada"},
        lambda store: store.customers.create(name="Ada"),
    ),
    (
        "/v1/webhook_endpoints",
        {"url": "https://127.0.0.1/hooks", "enabled_events[0]": "*"},
        lambda store: store.webhook_endpoints.create(
            url="https://127.0.0.1/hooks", enabled_events=["*"]
        ),
    ),
    (
        "/metering/v1/credit_schedules",
        {
            "customer": "cus_made",
            "amount[type]": "monetary",
            "amount[monetary][currency]": "usd",
            "amount[monetary][value]": "500",
            "applicability_config[scope][price_type]": "metered",
            "interval": "month",
        },
        lambda store: store.credit_schedules.create(
            customer="cus_made",
            amount={"type": "monetary", "monetary": {"currency": "usd", "value": 500}},
            applicability_config={"scope": {"price_type": "metered"}},
            interval="month",
        ),
    ),
]


@pytest.mark.parametrize(
    ("path", "form", "effect"), MADE, ids=[path for path, *_ in MADE]
)
def test_what_a_dead_process_made_is_found(
    server: Server,
    path: str,
    form: dict[str, str],
    effect: Callable[[metering.Metering], Any],
) -> None:
    made, again = left_without_answer(server, path, form, effect)

    assert again.status == 200
    assert again.json["id"] == made.id
    assert again.headers["original-request"] == "req_dead"
    if path == "/v1/webhook_endpoints":
        # Nobody heard the first: it has another one that somebody does.
        assert again.json["secret"] not in {None, made.secret}


def test_a_session_that_a_dead_process_made_is_found(server: Server) -> None:
    with server.store() as store:
        key_id = next(iter(store.api_keys.list())).id

    made, again = left_without_answer(
        server,
        SESSIONS,
        {},
        lambda store: store.internals.create_session(key_id, server.key),
    )

    assert again.status == 200
    assert again.json["id"] == made.id
    assert again.json["authentication_token"] == made.authentication_token


def test_what_a_dead_process_changed_is_told(
    server: Server, client: stripe.StripeClient
) -> None:
    meter = create_meter(client)

    _, again = left_without_answer(
        server,
        f"{METERS}/{meter.id}/deactivate",
        {},
        lambda store: store.meters.deactivate(meter.id),
    )

    assert again.status == 200
    assert again.json["status"] == "inactive"


SESSIONS = "/v2/billing/meter_event_session"
ENDPOINTS = "/v1/webhook_endpoints"
ENDPOINT_FORM = {"url": "https://example.com/", "enabled_events[0]": "*"}


def test_a_secret_is_replayed_to_the_byte_and_not_kept_for_it(server: Server) -> None:
    key = unique("key")
    first = server.ask("POST", ENDPOINTS, ENDPOINT_FORM, Idempotency_Key=key)
    endpoint_id = first.json["id"]
    with server.store() as store:
        newer = store.webhook_endpoints.rotate_secret(endpoint_id).secret
    (body,) = kept_bodies(server.target, key)

    again = server.ask("POST", ENDPOINTS, ENDPOINT_FORM, Idempotency_Key=key)

    secret = first.json["secret"]
    check_replay(again, first)
    assert secret.encode() not in body
    assert str(newer).encode() not in again.body
    assert kept_bodies(server.target, key) == [body]
    with server.store() as store:
        store.webhook_endpoints.delete(endpoint_id)
    gone = server.ask("POST", ENDPOINTS, ENDPOINT_FORM, Idempotency_Key=key)
    assert gone.json == {
        name: value for name, value in first.json.items() if name != "secret"
    }


def test_a_session_is_replayed_to_the_byte_and_its_token_not_kept(
    server: Server,
) -> None:
    key = unique("key")
    first = server.post_json(SESSIONS, {}, Idempotency_Key=key)

    again = server.post_json(SESSIONS, {}, Idempotency_Key=key)

    check_replay(again, first)
    token = first.json["authentication_token"]
    (body,) = kept_bodies(server.target, key)
    assert token.encode() not in body
    with server.store() as store:
        digests = [digest_of(token)]
        (session,) = store.internals.sessions_by_digest(digests).values()
    assert session.id == first.json["id"]


def test_a_refusal_where_a_secret_would_be_is_replayed(server: Server) -> None:
    key, form = unique("key"), {**ENDPOINT_FORM, "url": "ftp://example.com/"}
    first = server.ask("POST", ENDPOINTS, form, Idempotency_Key=key)

    again = server.ask("POST", ENDPOINTS, form, Idempotency_Key=key)

    assert first.status == 400
    check_replay(again, first)


def kept_bodies(target: str, idempotency_key: str) -> list[bytes]:
    """What the database has of the answers under a key."""
    request = idempotent_request.c
    with (
        closing(open_database(target, creates=False)) as database,
        database.read() as connection,
    ):
        rows = connection.execute(
            select(request.body).where(request.idempotency_key == idempotency_key)
        )
        return list(rows.scalars())
