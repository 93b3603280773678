"""The main operations, by Stripe's own client for Node: a process for each area."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import metering
from tests.documentation.pages import ROOT, blocks
from tests.server.losing import losing_proxy
from tests.server.node import lay_out, printed_by, what_is_missing
from tests.server.running import Server, running_server
from tests.webhook_receiver import running_receiver

INVALID = ("StripeInvalidRequestError", 400)
Run = Callable[..., Any]
"""Runs a script against the server, with further arguments; what it printed."""

_MISSING = what_is_missing()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(_MISSING is not None, reason=_MISSING or ""),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own: it may name and count what is there."""
    options = ("--no-worker", "--allow-private", "--rate-limit=0")
    with running_server(str(tmp_path / "usage"), *options) as running:
        yield running


@pytest.fixture
def run(server: Server, tmp_path: Path) -> Run:
    return running_scripts(server, tmp_path)


def running_scripts(server: Server, tmp_path: Path) -> Run:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    lay_out(scripts)

    def run(name: str, *arguments: str) -> Any:
        script = scripts / f"{name}.mjs"
        return printed_by(script, server.url, server.key, *arguments)

    return run


def store_of(server: Server, **keywords: Any) -> metering.Metering:
    return server.store(**keywords)


def clock_off_by(offset: timedelta) -> metering.FixedClock:
    return metering.FixedClock(metering.SystemClock().now() + offset)


def test_meters(run: Run) -> None:
    assert run("meters") == {
        "created": {
            "object": "billing.meter",
            "customer_mapping": {"event_payload_key": "who", "type": "by_id"},
            "default_aggregation": {"formula": "last"},
            "display_name": "Search API Calls",
            "event_name": "searched",
            "event_time_window": "hour",
            "livemode": False,
            "status": "active",
            "status_transitions": {"deactivated_at": None},
            "value_settings": {"event_payload_key": "calls"},
        },
        "isRetrieved": True,
        "updated": "Searches",
        "inactive": ["inactive", "number"],
        "listedInactive": ["searched"],
        "active": ["active", None],
        "page": {"object": "list", "has_more": True, "url": "/v1/billing/meters"},
        "paged": ["d", "c", "b", "a", "searched"],
        "pagedBackwards": ["c", "d"],
        "first": ["d", "c", "b"],
    }


def test_meter_events_adjustments_and_summaries(run: Run) -> None:
    assert run("meter_events") == {
        "created": {
            "object": "billing.meter_event",
            "event_name": "sent",
            "identifier": "identifier_1",
            "livemode": False,
            "payload": {
                "stripe_customer_id": "cus_1",
                "value": "25",
                "model": "ä+&='(!)*",
            },
        },
        "timestamp": 0,
        "unnamed": ["string", "7"],
        "adjustment": {
            "object": "billing.meter_event_adjustment",
            "cancel": {"identifier": "mistaken"},
            "event_name": "sent",
            "livemode": False,
            "status": "complete",
            "type": "cancel",
        },
        "summary": {
            "object": "billing.meter_event_summary",
            "aggregated_value": 32.5,
            "livemode": False,
        },
        "isOfMeter": True,
        "hourly": [[3_600, 0.5], [0, 25]],
    }


def test_alerts(run: Run) -> None:
    assert run("alerts") == {
        "created": {
            "object": "billing.alert",
            "alert_type": "usage_threshold",
            "livemode": False,
            "status": "active",
            "title": "Much",
        },
        "threshold": {
            "filters": [{"type": "customer", "customer": "cus_1"}],
            "gte": 10_000,
            "recurrence": "one_time",
        },
        "isOfMeter": True,
        "expanded": "watched",
        "statuses": ["inactive", "active", "archived"],
        "listed": ["Most", "More", "Much"],
        "listedLater": ["Most", "More"],
    }


def test_credit_grants_balances_and_transactions(run: Run) -> None:
    assert run("credits") == {
        "created": {
            "object": "billing.credit_grant",
            "amount": {
                "type": "monetary",
                "monetary": {"currency": "usd", "value": 1_000},
            },
            "applicability_config": {
                "scope": {
                    "price_type": None,
                    "prices": [{"id": "price_1"}, {"id": "price_2"}],
                }
            },
            "category": "promotional",
            "customer": "cus_1",
            "customer_account": None,
            "livemode": False,
            "metadata": {"order": "6735", "ä b": "ö"},
            "name": "Purchased Credits",
            "priority": 10,
            "test_clock": None,
            "voided_at": None,
        },
        "expiresAt": 0,
        "updated": [None, {"invoice": "in_1", "ä b": "ö"}],
        "isRetrieved": True,
        "voided": "number",
        "expired": "number",
        "isListed": True,
        "metered": [["eur", 0, 0], ["usd", 1_000, 1_000]],
        "ofPrice": [["eur", 0, 0], ["usd", 2_000, 2_000]],
        "ofGrant": [["usd", 1_000, 1_000]],
        "transactions": [
            ["debit", "credits_voided", "eur", 500],
            ["credit", "credits_granted", "eur", 500],
            ["credit", "credits_granted", "usd", 1_000],
            ["credit", "credits_granted", "usd", 1_000],
        ],
        "expanded": {"currency": "eur", "value": 500},
    }


def test_webhook_endpoints_and_events(run: Run) -> None:
    found = run("endpoints")

    assert isinstance(found["created"].pop("api_version"), str)
    assert found == {
        "created": {
            "object": "webhook_endpoint",
            "application": None,
            "description": "Billing",
            "enabled_events": ["billing.meter.created", "billing.alert.triggered"],
            "livemode": False,
            "metadata": {"a": "1"},
            "status": "enabled",
            "url": "https://127.0.0.1/hooks",
        },
        "secret": "whsec_",
        "updated": [["*"], None, {}, "disabled"],
        "isRetrieved": True,
        "isListed": True,
        "deleted": {"object": "webhook_endpoint", "deleted": True},
        "gone": {
            "type": "StripeInvalidRequestError",
            "statusCode": 404,
            "code": "resource_missing",
            "param": "id",
        },
        "paged": [
            "billing.meter.deactivated",
            "billing.meter.updated",
            "billing.meter.created",
        ],
        "ofType": ["billing.meter.updated"],
        "since": [],
        "event": ["event", "billing.meter.deactivated", "inactive"],
        "previous": "active",
    }


def test_v2_meter_events_sessions_and_the_stream(server: Server, run: Run) -> None:
    with store_of(server) as store:
        [key] = store.api_keys.list()
    with store_of(server, clock=clock_off_by(-timedelta(minutes=16))) as store:
        expired = store.meter_event_sessions.create(key_id=key.id)

    assert run("v2", str(expired.authentication_token)) == {
        "created": {
            "object": "v2.billing.meter_event",
            "event_name": "streamed",
            "identifier": "identifier_1",
            "livemode": False,
            "payload": {"stripe_customer_id": "cus_1", "value": "25"},
        },
        "isThen": True,
        "adjustment": {
            "object": "v2.billing.meter_event_adjustment",
            "cancel": {"identifier": "mistaken"},
            "event_name": "streamed",
            "livemode": False,
            "status": "complete",
            "type": "cancel",
        },
        "session": {"object": "v2.billing.meter_event_session", "livemode": False},
        "livesFor": 900_000,
        "streamed": {},
        "sum": 4_975.5,
        "refusals": {
            "duplicate": {
                "type": "StripeInvalidRequestError",
                "statusCode": 400,
                "code": "duplicate_meter_event",
                "message": "An event already exists with identifier identifier_1.",
            },
            "date": {
                "type": "StripeInvalidRequestError",
                "statusCode": 400,
                "code": "timestamp_invalid",
                "message": (
                    "Invalid timestamp: '0'; must be a time of RFC 3339 such as"
                    " 2026-01-31T12:00:00.000Z"
                ),
            },
            "tooMany": {
                "type": "StripeInvalidRequestError",
                "statusCode": 400,
                "code": "invalid_request",
                "message": (
                    "Invalid events: 101 elements; must be a list of 1 to 100 elements"
                ),
            },
            "unknownToken": {
                "type": "StripeAuthenticationError",
                "statusCode": 401,
                "code": "not_authenticated",
                "message": "Invalid authentication token provided: sk_test_***abcd",
            },
            "expiredToken": {
                "type": "TemporarySessionExpiredError",
                "statusCode": 401,
                "code": "billing_meter_event_session_expired",
                "message": "The meter event session has expired; create another one.",
            },
        },
    }


def test_reports_on_invalid_events_of_the_stream(server: Server, run: Run) -> None:
    run("invalid_events")
    # The windows that they came in have ended for somebody whose clock is ahead.
    with store_of(server, clock=clock_off_by(timedelta(minutes=1))) as store:
        store.error_reports.list()

    assert run("reports") == {
        "names": ["first", "second", "third"],
        "types": ["v1.billing.meter.error_report_triggered"] * 3
        + ["v1.billing.meter.no_meter_found"],
        "later": [],
        "report": [
            "v2.core.event",
            "v1.billing.meter.error_report_triggered",
            "billing.meter",
        ],
        "summary": "There is 1 invalid event",
        "codes": [["meter_event_invalid_value", 1]],
    }


def test_errors_have_the_classes_that_they_have_at_stripe(
    server: Server, run: Run
) -> None:
    with store_of(server) as store:
        ingesting = store.api_keys.create(name="ingesting", scopes=["ingest"])

    found = run("errors", str(ingesting.secret))

    assert {
        name: (each["type"], each["statusCode"], each.get("code"), each.get("param"))
        for name, each in found.items()
    } == {
        "missing": (*INVALID, "parameter_missing", "event_name"),
        "unknown": (*INVALID, "parameter_unknown", "foo"),
        "exists": (*INVALID, "resource_already_exists", "event_name"),
        "noMeter": ("StripeInvalidRequestError", 404, "resource_missing", "id"),
        "duplicate": (*INVALID, None, None),
        "tooMany": (*INVALID, "parameter_invalid_integer", "limit"),
        "noRoute": ("StripeInvalidRequestError", 404, None, None),
        "badKey": ("StripeAuthenticationError", 401, None, None),
        "noScope": ("StripePermissionError", 403, None, None),
        "otherRequest": ("StripeIdempotencyError", 400, None, None),
    }
    assert found["duplicate"]["message"] == (
        "An event already exists with identifier once."
    )
    assert found["badKey"]["message"] == ("Invalid API Key provided: sk_test_***abcd")


def test_what_is_asked_again_is_done_once(server: Server, run: Run) -> None:
    with losing_proxy(server.url) as proxy:
        proxy.losses = 1

        found = run("repetitions", proxy.url)

    assert found == {
        "isSame": True,
        "first": None,
        "again": "true",
        "isOriginal": True,
        "key": "mine",
        "lost": "true",
        "sum": 3,
    }
    first, second = proxy.asked
    assert first == second != ""


def test_what_is_delivered_is_verified(tmp_path: Path) -> None:
    options = ("--worker", "--allow-private")
    with (
        running_receiver() as receiver,
        running_server(str(tmp_path / "usage"), *options) as server,
    ):
        run = running_scripts(server, tmp_path)
        secret = run("subscribing", f"{receiver.url}/hooks")["secret"]
        received = receiver.next()

        signature = received.headers["Stripe-Signature"]
        found = run("receiving", received.body.decode(), signature, secret)

    assert found == {
        "event": ["event", "billing.meter.created", "delivered"],
        "changed": "StripeSignatureVerificationError",
        "otherSecret": "StripeSignatureVerificationError",
    }


def test_the_lines_of_readme_record_usage(server: Server, tmp_path: Path) -> None:
    with store_of(server) as store:
        store.meters.create(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )
    [block] = blocks(ROOT / "metering/server/README.md", "js")
    port = server.url.rpartition(":")[2]
    lay_out(tmp_path)
    script = tmp_path / "readme.mjs"
    script.write_text(
        block.text.replace("sk_test_…", server.key).replace("12111", port)
        + "console.log(JSON.stringify(event.payload));\n"
    )

    assert printed_by(script) == {"stripe_customer_id": "cus_1", "value": "25"}
