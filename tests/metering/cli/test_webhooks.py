"""Webhooks and the worker at the command line."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import stripe

import metering
from tests.metering.cli.running import document, run
from tests.metering.usual_usage import create_event, create_meter
from tests.programs import Program
from tests.segment_places import places_of
from tests.webhook_receiver import Receiver, answering


@pytest.fixture
def target(place: Path) -> str:
    """A store with a meter."""
    with metering.connect(place) as store:
        create_meter(store)
    return str(place)


def add_endpoint(receiver: Receiver, *more: str) -> Any:
    url = ["--url", f"{receiver.url}/", "--allow-private"]
    return document("webhooks", "create", *url, *more)


def running_worker(target: str, *arguments: str) -> Program:
    """A worker in a process of its own, killed if the test does not end it."""
    places = [f"--segments={each}" for each in places_of(target).values()]
    return Program(*places, "worker", "--allow-private", "--store", target, *arguments)


def test_an_endpoint_is_made_changed_and_deleted(
    target: str, receiver: Receiver
) -> None:
    assert "No endpoints" in run("webhooks").stdout
    made = add_endpoint(
        receiver,
        *("--event", "billing.alert.triggered", "--description", "Ours"),
        *("--metadata", "team=billing", "--signature", "standard"),
    )
    secret = made.pop("secret")
    assert secret.startswith("whsec_")

    (listed,) = document("webhooks", "list")
    assert document("webhooks", "retrieve", made["id"]) == listed
    changed = document("webhooks", "update", made["id"], "--disable", "--event", "*")
    rotated = document("webhooks", "rotate", made["id"], "--overlap", "0")

    assert {**listed, "secret": None} == {**made, "secret": None}
    assert (made["enabled_events"], made["signature"]) == (
        ["billing.alert.triggered"],
        "standard",
    )
    assert (changed["status"], changed["enabled_events"]) == ("disabled", ["*"])
    assert changed["description"] == "Ours"
    assert rotated["secret"] not in (None, secret)
    assert "disabled" in run("webhooks").stdout
    shown = run("webhooks", "rotate", made["id"]).stdout
    assert "team" in shown
    assert "  whsec_" in shown
    assert run("webhooks", "delete", made["id"]).stdout == f"Deleted {made['id']}\n"
    other = add_endpoint(receiver)["id"]
    assert document("webhooks", "delete", other) == {"id": other, "deleted": True}
    assert document("webhooks", "list") == []


def test_events_are_delivered_once_and_shown(target: str, receiver: Receiver) -> None:
    endpoint = add_endpoint(receiver)
    assert (
        "Nothing was to be sent" in run("webhooks", "deliveries", endpoint["id"]).stdout
    )
    with metering.connect(target) as store:
        create_meter(store, "requests")
    receiver.behaviours["/"] = answering(503)

    failed = run("webhooks", "deliver", "--allow-private").stdout
    nothing_due = document("webhooks", "deliver", "--allow-private")

    assert failed == "0 events delivered, 1 failed attempt\n"
    assert nothing_due == {"enqueued": 0, "delivered": 0, "failed": 0}
    (delivery,) = document("webhooks", "deliveries", endpoint["id"])
    assert delivery["status"] == "pending"
    assert delivery["attempts"][0]["status_code"] == 503
    assert "503" in run("webhooks", "deliveries", endpoint["id"]).stdout
    newest, oldest = document("webhooks", "events")
    assert newest["id"] == delivery["event"]
    assert oldest["data"]["object"]["event_name"] == "tokens"
    assert "requests" in run("webhooks", "events").stdout
    assert document("webhooks", "events", "--type", "billing.alert.triggered") == []


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_works_until_it_is_told_to_stop(
    target: str, receiver: Receiver, stop: signal.Signals
) -> None:
    endpoint = add_endpoint(receiver)
    with metering.connect(target) as store, running_worker(target) as process:
        assert process.stdout.readline().startswith("Working on ")
        (meter,) = store.meters.list()
        store.alerts.create(
            title="Much",
            usage_threshold={"gte": 2, "meter": meter.id, "recurrence": "one_time"},
        )
        create_event(store)
        create_event(store)
        received = receiver.next()

        process.send_signal(stop)
        said = process.stdout.read()
        complaints = process.stderr.read()

        assert (process.wait(), complaints) == (0, "")
        (delivery,) = store.webhook_endpoints.deliveries(endpoint["id"])
    assert delivery.status == "delivered"
    assert said.endswith("1 trigger, 1 new delivery, 1 delivered\nStopped\n")
    assert stripe.Webhook.construct_event(
        received.body, received.headers["Stripe-Signature"], endpoint["secret"]
    )


def test_a_worker_tells_programs_what_it_did(target: str, receiver: Receiver) -> None:
    add_endpoint(receiver)
    with metering.connect(target) as store, running_worker(target, "--json") as process:
        create_meter(store, "requests")
        receiver.next()
        told: dict[str, int] = {"enqueued": 0, "delivered": 0}
        while told["delivered"] == 0:
            receipt = json.loads(process.stdout.readline())
            told = {key: told[key] + receipt[key] for key in told}
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    assert told == {"enqueued": 1, "delivered": 1}


def test_a_worker_of_no_store_ends_with_a_line(tmp_path: Path) -> None:
    with running_worker(str(tmp_path / "none")) as process:
        assert process.wait() == 1
        complaint = process.stderr.read()
    assert complaint.startswith("metering: There is no store at ")
    assert complaint.count("\n") == 1
