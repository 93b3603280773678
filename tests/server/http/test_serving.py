"""The process: it starts safely, answers what it accepted, and keeps what it said."""

import json
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
import stripe
from typer.testing import CliRunner, Result

import metering
from metering.cli.app import app
from tests.metering import usual_usage
from tests.segment_places import places_of
from tests.server.running import Server, running_server, server_process
from tests.server.usage import (
    DAY,
    create_alert,
    create_event,
    create_meter,
    event_form,
    grant_form,
    unique,
)
from tests.waiting import eventually

pytestmark = pytest.mark.slow

EVENTS = "/v1/billing/meter_events"


@pytest.fixture
def target(tmp_path: Path) -> str:
    return str(tmp_path / "usage")


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def document(*arguments: str) -> Any:
    result = invoke(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_keys_are_made_listed_and_revoked_at_the_command_line(target: str) -> None:
    made = document("keys", "create", "--store", target, "--name", "billing")
    restricted = document(
        "keys", "create", "--store", target, "--scope", "read", "--scope", "ingest"
    )
    shown = invoke("keys", "create", "--store", target, "--live").stdout

    assert made["secret"].startswith("sk_test_")
    assert restricted["secret"].startswith("rk_test_")
    assert restricted["scopes"] == ["ingest", "read"]
    assert "sk_live_" in shown
    revoked = document("keys", "revoke", made["id"], "--store", target)
    assert revoked["revoked_at"] is not None
    listed = document("keys", "list", "--store", target)
    assert {each["secret"] for each in listed} == {None}
    table = invoke("keys", "--store", target).stdout
    assert made["id"] in table
    assert "revoked" in table
    assert made["secret"] not in table


def test_a_store_without_keys_says_how_to_make_one(target: str) -> None:
    metering.connect(target).close()

    assert "keys create" in invoke("keys", "--store", target).stdout


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_a_public_address_needs_tls_in_front(target: str, host: str) -> None:
    metering.connect(target).close()

    result = invoke("serve", "--store", target, "--host", host, "--port", "0")

    assert result.exit_code == 1
    assert "--behind-tls" in result.stderr


def test_behind_tls_any_address_is_served(target: str) -> None:
    with running_server(target, "--host=0.0.0.0", "--behind-tls") as server:
        assert server.url.startswith("http://0.0.0.0:")
        for path in ("/healthz", "/readyz"):
            answered = server.ask("GET", path, Authorization="")
            assert (answered.status, answered.json) == (200, {"status": "ok"})
        for path in ("/openapi.json", "/"):
            assert server.ask("GET", path, Authorization="").status == 200


def test_a_store_that_is_not_there_is_not_served(target: str) -> None:
    result = invoke("serve", "--store", target)

    assert result.exit_code == 1
    assert "There is no store" in result.stderr


def test_a_port_that_is_taken_is_one_clear_line(target: str) -> None:
    with running_server(target) as server:
        port = server.url.rpartition(":")[2]
        with server_process(target, "--port", port) as second:
            _, told = second.communicate()

    assert second.returncode == 1
    assert told.startswith(f"metering: Cannot serve on 127.0.0.1:{port}: Address")
    assert "in use; give another --port" in told
    assert len(told.splitlines()) == 1


def test_live_mode_says_so_of_itself(target: str) -> None:
    key = document("keys", "create", "--store", target, "--live")["secret"]
    with running_server(target, "--live") as server:
        meter = create_meter(server.client(key))

        assert meter.livemode is True
        assert meter.id.startswith("mtr_")
        assert not meter.id.startswith("mtr_test_")
        assert server.ask("GET", "/v1/billing/meters").status == 401


@pytest.mark.dialect
def test_either_database_is_served(store_target: str) -> None:
    with running_server(store_target) as server:
        client, other = server.client(), server.client()
        meter = create_meter(client)
        options: Any = {"idempotency_key": "once"}
        params: Any = {
            "event_name": meter.event_name,
            "payload": {"stripe_customer_id": "cus_1", "value": "2.5"},
            "identifier": "one",
        }
        first = client.v1.billing.meter_events.create(params, options)

        again = other.v1.billing.meter_events.create(params, options)

        assert again == first
        with pytest.raises(stripe.InvalidRequestError):
            other.v1.billing.meter_events.create(params)


def test_a_key_makes_so_many_requests_a_second(target: str) -> None:
    with running_server(target, "--rate-limit=3") as server:
        answers = [server.ask("GET", "/v1/billing/meters") for _ in range(40)]

    limited = [each for each in answers if each.status != 200]
    assert len(limited) < 40
    assert {each.status for each in limited} == {429}
    assert limited[0].error["code"] == "rate_limit"
    assert int(limited[0].headers["retry-after"]) >= 1
    # Left to the client, whose limit it is: Stripe's own then raises.
    assert "stripe-should-retry" not in limited[0].headers


def test_an_event_is_cancelled_within_a_day(target: str) -> None:
    now = metering.SystemClock().now()
    for hours, identifier in ((25, "old"), (23, "young")):
        clock = metering.FixedClock(now - timedelta(hours=hours))
        with metering.connect(target, clock=clock, **places_of(target)) as store:
            if identifier == "old":
                usual_usage.create_meter(store)
            usual_usage.create_event(store, identifier=identifier)
    path, form = (
        "/v1/billing/meter_event_adjustments",
        {"type": "cancel", "event_name": "tokens"},
    )
    with running_server(target) as server:
        old, young = (
            server.ask("POST", path, {**form, "cancel[identifier]": identifier})
            for identifier in ("old", "young")
        )

    assert young.status == 200
    assert old.status == 400
    assert old.error["code"] == "out_of_window"


def has_triggered(server: Server) -> bool:
    path = "/v1/events?type=billing.alert.triggered"
    return len(server.ask("GET", path).json["data"]) == 1


@pytest.mark.parametrize("options", [(), ("--no-worker",)], ids=str)
def test_the_server_works_as_well_unless_told_not_to(
    target: str, options: tuple[str, ...]
) -> None:
    with running_server(target, *options) as server:
        client = server.client()
        meter = create_meter(client)
        create_alert(client, meter)
        create_event(client, meter, "11")

        if options:
            assert not has_triggered(server)
        else:
            eventually(lambda: has_triggered(server))


class Sender(threading.Thread):
    """Sends events until the server is gone; remembers which were acknowledged."""

    def __init__(self, server: Server, event_name: str) -> None:
        super().__init__()
        self.acknowledged: list[str] = []
        self.unanswered: list[str] = []
        self._server = server
        self._event_name = event_name

    def run(self) -> None:
        while True:
            identifier = unique("event")
            form = event_form(self._event_name, identifier=identifier)
            try:
                answered = self._server.ask("POST", EVENTS, form)
            except ConnectionRefusedError:
                return
            except (OSError, HTTPException):
                # Also where the head of an answer came, and its body no more.
                self.unanswered.append(identifier)
                return
            assert answered.status == 200, answered.body
            self.acknowledged.append(identifier)


@pytest.fixture
def loaded(target: str) -> Iterator[tuple[Server, list[Sender]]]:
    """A server at work for eight senders."""
    options = ("--rate-limit=0", "--no-worker")
    with running_server(target, *options) as server:
        meter = create_meter(server.client(), event_name="tokens")
        senders = [Sender(server, meter.event_name) for _ in range(8)]
        for sender in senders:
            sender.start()
        eventually(lambda: all(len(each.acknowledged) >= 5 for each in senders))
        yield server, senders


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_what_was_acknowledged_is_recorded(
    loaded: tuple[Server, list[Sender]], stop: signal.Signals
) -> None:
    server, senders = loaded

    server.process.send_signal(stop)
    for sender in senders:
        sender.join()
    returned = server.process.wait()

    with server.store() as store:
        recorded = {each.identifier for each in store.meter_events.list()}
    acknowledged = {each for sender in senders for each in sender.acknowledged}
    unanswered = {each for sender in senders for each in sender.unanswered}
    assert acknowledged <= recorded <= acknowledged | unanswered
    if stop is not signal.SIGKILL:
        assert returned == 0


class Granter(threading.Thread):
    """Grants credits under idempotency keys until the server is gone."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.answered: dict[str, str] = {}
        """By its key, the id of what was granted."""
        self._server = server

    def run(self) -> None:
        while True:
            key = unique("key")
            self.asked.append(key)
            try:
                self.answered[key] = grant(self._server, key)
            except (OSError, HTTPException):
                return


def grant(server: Server, key: str) -> str:
    answered = server.ask(
        "POST", "/v1/billing/credit_grants", grant_form(key), Idempotency_Key=key
    )
    assert answered.status == 200, answered.body
    return str(answered.json["id"])


def test_a_server_that_was_killed_does_nothing_twice(target: str) -> None:
    options = ("--rate-limit=0", "--no-worker")
    with running_server(target, *options) as server:
        granters = [Granter(server) for _ in range(4)]
        for granter in granters:
            granter.start()
        eventually(lambda: all(len(each.answered) >= 5 for each in granters))
        server.process.kill()
        for granter in granters:
            granter.join()

    asked, same_key = [key for each in granters for key in each.asked], server.key
    with running_server(target, *options) as restarted:
        # The keys are of the API key that they came with.
        same = replace(restarted, key=same_key)
        again = {key: grant(same, key) for key in asked}

    with metering.connect(target, **places_of(target)) as store:
        recorded = {key: store.credit_grants.list(key) for key in asked}
    assert {key: [each.id for each in found] for key, found in recorded.items()} == {
        key: [grant_id] for key, grant_id in again.items()
    }
    for granter in granters:
        assert granter.answered.items() <= again.items()


def test_secrets_are_never_told(target: str) -> None:
    with running_server(target) as server:
        server.ask("GET", f"/v1/billing/meters?key={server.key}")
        server.ask("POST", EVENTS, f"event_name={server.key}")
        server.ask("GET", f"/v1/{server.key}", key=server.key + "x")
        server.process.send_signal(signal.SIGTERM)
        told, complained = server.process.communicate()

    assert server.key not in told + complained
    stored = b"".join(
        path.read_bytes() for path in Path(target).rglob("*") if path.is_file()
    )
    assert server.key.encode() not in stored


def test_what_serves_is_loaded_by_the_command_that_serves() -> None:
    names = "starlette", "uvicorn", "metering.server"
    program = (
        "import sys, metering, metering.cli.app\n"
        "metering.connect\n"
        f"sys.exit(any(name in sys.modules for name in {names!r}))"
    )

    loaded = subprocess.run([sys.executable, "-c", program], check=False)

    assert loaded.returncode == 0


def test_a_server_that_is_not_installed_is_named(target: str) -> None:
    program = (
        "import sys\n"
        "sys.modules['uvicorn'] = None\n"
        f"sys.argv = ['metering', 'serve', '--store', {target!r}]\n"
        "from metering.cli.entry import main\n"
        "main()"
    )

    told = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )

    assert told.returncode == 1
    assert "uvicorn" in told.stderr
    assert "pip install 'metering-engine[server]'" in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_a_store_that_fails_is_an_error_to_be_tried_again(target: str) -> None:
    def alter(statement: str) -> None:
        database = sqlite3.connect(Path(target) / "log.db")
        database.execute(statement)
        database.close()

    with running_server(target, "--no-worker") as server:
        create_meter(server.client())
        alter("ALTER TABLE log_head RENAME TO gone")
        failed = [
            server.ask("GET", "/v1/billing/meters"),
            server.ask("POST", EVENTS, "event_name=a&payload[value]=1"),
        ]
        unready = server.ask("GET", "/readyz")
        alive = server.ask("GET", "/healthz")
        alter("ALTER TABLE gone RENAME TO log_head")

        assert server.ask("GET", "/v1/billing/meters").status == 200
        eventually(lambda: server.ask("GET", "/readyz").status == 200)

    for each in failed:
        assert each.status == 500
        assert each.error["type"] == "api_error"
        assert each.headers["stripe-should-retry"] == "true"
        assert target not in each.body.decode()
    assert (unready.status, alive.status) == (503, 200)


def test_another_server_of_the_store_tells_what_was_just_recorded(target: str) -> None:
    with running_server(target) as one, running_server(target) as other:
        meter = create_meter(one.client())
        event = create_event(one.client(), meter, "2.5")
        assert event.last_response is not None
        path = f"/v1/billing/meters/{meter.id}/event_summaries"
        day = event.timestamp // DAY * DAY

        answered = other.ask(
            "GET",
            f"{path}?customer=cus_1&start_time={day}&end_time={day + DAY}",
            key=one.key,
            Metering_Min_Position=event.last_response.headers["metering-position"],
        )

    assert answered.json["data"][0]["aggregated_value"] == 2.5
