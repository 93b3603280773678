"""Whoever runs a server is told how far its store is, and what was asked of it."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import stripe
from prometheus_client.parser import text_string_to_metric_families

from tests.server.running import Server, running_server
from tests.server.shapes import NUMBER_OR_NULL, TEXT_OR_NULL, differences
from tests.server.usage import create_event, create_meter, event_form, unique

METRICS, HEALTH = "/metrics", "/metering/v1/health"
METERS, EVENTS = "/v1/billing/meters", "/v1/billing/meter_events"

Sample = tuple[str, tuple[tuple[str, str], ...]]


def scrape(server: Server) -> dict[Sample, float]:
    answered = server.ask("GET", METRICS)
    assert answered.status == 200
    assert answered.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answered.body.decode())
        for sample in family.samples
    }


def sample(name: str, **labels: str) -> Sample:
    return f"metering_{name}", tuple(sorted(labels.items()))


def requests(method: str, route: str, status: int) -> Sample:
    return sample("http_requests_total", method=method, route=route, status=str(status))


def grown(
    before: Mapping[Sample, float], after: Mapping[Sample, float], name: str
) -> dict[Sample, float]:
    """What more was counted under a name."""
    return {
        each: after[each] - before.get(each, 0)
        for each in after
        if each[0] == f"metering_{name}" and after[each] != before.get(each, 0)
    }


def test_requests_are_counted_by_route_method_and_status(
    server: Server, client: stripe.StripeClient
) -> None:
    meter = create_meter(client)
    before = scrape(server)

    for number in range(3):
        create_event(client, meter, str(number))
    server.ask("POST", EVENTS, {"event_name": unique()})
    for meter_id in (meter.id, meter.id, "none"):
        server.ask("GET", f"{METERS}/{meter_id}")
    for path in ("/v1/secrets/sk_test_1", "/v1/more"):
        server.ask("GET", path)
    server.ask("PATCH", METERS)
    server.ask("DELETE", METERS)

    after = scrape(server)
    assert grown(before, after, "http_requests_total") == {
        requests("POST", EVENTS, 200): 3,
        requests("POST", EVENTS, 400): 1,
        requests("GET", f"{METERS}/{{id}}", 200): 2,
        requests("GET", f"{METERS}/{{id}}", 404): 1,
        requests("other", "unknown", 404): 4,
        requests("GET", METRICS, 200): 1,
    }
    took = "http_request_duration_seconds"
    route = {"method": "POST", "route": EVENTS}
    assert grown(before, after, f"{took}_count")[sample(f"{took}_count", **route)] == 4
    assert after[sample(f"{took}_bucket", **route, le="+Inf")] >= 4
    assert after[sample(f"{took}_sum", **route)] > 0
    # The one that asks.
    assert after[sample("http_requests_running")] == 1


def test_what_the_log_holds_is_told_whoever_recorded_it(
    server: Server, client: stripe.StripeClient
) -> None:
    meter = create_meter(client)
    before = scrape(server)
    identifier = unique()

    for _ in range(2):
        server.ask("POST", EVENTS, event_form(meter.event_name, identifier=identifier))
    with server.store() as store:
        store.meter_events.create(
            event_name=meter.event_name,
            payload={"stripe_customer_id": "cus_1", "value": "1"},
        )
        position = store.position

    after = scrape(server)
    recorded = sample("events_recorded_total")
    assert after[recorded] - before[recorded] == 2
    assert after[sample("log_position")] == position
    assert after[sample("deliveries_pending")] == 0


def test_refusals_are_counted_by_reason(server: Server, tmp_path: Path) -> None:
    with server.store() as store:
        key = store.api_keys.create(name="ingest only", scopes=["ingest"]).secret
    before = scrape(server)

    server.ask("GET", METERS, key="sk_test_unknown")
    server.ask("GET", METERS, Authorization="")
    server.ask("GET", METERS, key=key)
    server.ask("POST", METERS, b"a" * (1 << 20) + b"b")

    found = grown(before, scrape(server), "http_requests_refused_total")
    assert {dict(labels)["reason"]: count for (_, labels), count in found.items()} == {
        "not_authenticated": 2,
        "not_permitted": 1,
        "too_large": 1,
    }
    with running_server(
        str(tmp_path / "usage"), "--no-worker", "--rate-limit=2"
    ) as hot:
        with ThreadPoolExecutor(16) as pool:
            asked = list(pool.map(lambda _: hot.ask("GET", METERS), range(64)))
        with hot.store() as store:
            other = store.api_keys.create(name="another bucket").secret
        text = hot.ask("GET", METRICS, key=other).body.decode()
    limited = sum(each.status == 429 for each in asked)
    assert limited > 0
    line = f'metering_http_requests_refused_total{{reason="rate_limited"}} {limited}.0'
    assert line in text.splitlines()


def test_metrics_say_nothing_of_customers_and_keys(
    server: Server, client: stripe.StripeClient
) -> None:
    meter, customer = create_meter(client), unique("cus")
    event = create_event(client, meter, "1", customer, identifier=unique())
    server.ask("GET", f"{METERS}/{customer}?{customer}=1")

    text = server.ask("GET", METRICS).body.decode()

    for secret in (customer, server.key, event.identifier, meter.event_name, meter.id):
        assert secret not in text


def test_metrics_are_open_to_keys_that_read_and_wait_for_positions(
    server: Server,
) -> None:
    assert server.ask("GET", METRICS, Authorization="").status == 401
    for path in (METRICS, HEALTH):
        answered = server.ask("GET", path)
        position = int(answered.headers["metering-position"])
        assert (
            server.ask("GET", path, Metering_Min_Position=str(position)).status == 200
        )
        refused = server.ask("GET", path, Metering_Min_Position="x")
        assert refused.status == 400


def test_what_was_audited_is_answered_and_measured(server: Server) -> None:
    with server.store() as store:
        made = store.audit.run()
        status = store.audit.status()
    assert made is not None

    answered = server.ask("GET", "/metering/v1/audit")
    after = scrape(server)

    assert answered.status == 200
    assert answered.json["object"] == "metering.audit"
    assert answered.json["ok"] is True
    assert answered.json["last_pass"]["id"] == made.id
    assert len(answered.json["meters"]) == len(status.meters)
    assert after[sample("audit_differences")] == 0
    assert after[sample("audit_position")] == made.position
    assert after[sample("audit_entries_missing")] == 0
    assert after[sample("audit_hourly_totals_differing")] == 0


LOOP = {
    "code": TEXT_OR_NULL,
    "failing_since": TEXT_OR_NULL,
    "failures": int,
    "failures_total": int,
    "last_done": TEXT_OR_NULL,
    "message": TEXT_OR_NULL,
    "name": str,
}


def test_health_is_the_status_of_the_store(
    server: Server, client: stripe.StripeClient
) -> None:
    create_event(client, create_meter(client))

    answered = server.ask("GET", HEALTH)

    shape = {
        "object": "metering.health",
        "ahead_seconds": int,
        "evaluated_position": NUMBER_OR_NULL,
        "event_count": int,
        "loops": [LOOP],
        "pending_deliveries": int,
        "pending_since": TEXT_OR_NULL,
        "position": int,
        "sealed_position": int,
    }
    assert differences(answered.json, shape) == []
    with server.store() as store:
        status = store.status()
    assert answered.json["position"] == status.position
    assert answered.json["event_count"] == status.event_count
    assert answered.json["pending_deliveries"] == 0


def test_two_servers_count_for_themselves(server: Server, tmp_path: Path) -> None:
    server.ask("GET", METERS)

    with running_server(str(tmp_path / "usage"), "--no-worker") as other:
        found = scrape(other)

    assert [each for each in found if each[0] == "metering_http_requests_total"] == []
