"""What a server is told in confidence is nowhere else: not on the disk, nor in what it says."""

import secrets
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.metering.usual_usage import create_meter
from tests.server.running import Server, running_server
from tests.server.usage import unique

pytestmark = pytest.mark.slow

OPEN = ["/", "/openapi.json", "/healthz", "/readyz"]
READ = [
    "/v1/webhook_endpoints",
    "/v1/events",
    "/metering/v1/health",
    "/metrics",
]


def canaries_of(server: Server) -> dict[str, str]:
    """What a server was told, or told once, by what it is."""
    endpoint = _posted(
        server, "/v1/webhook_endpoints", "url=https://example.com/&enabled_events[0]=*"
    )
    session = _posted(server, "/v2/billing/meter_event_session", b"{}")
    with server.store(livemode=True) as store:
        live = store.api_keys.create(name="live")
        rotated = store.webhook_endpoints.rotate_secret(endpoint["id"])
    return {
        "API key": server.key,
        "live API key": str(live.secret),
        "secret of an endpoint": endpoint["secret"],
        "its next secret": str(rotated.secret),
        "token of a session": session["authentication_token"],
    }


def _posted(server: Server, path: str, body: str | bytes) -> Any:
    """Post twice under one idempotency key, as a client does that heard nothing."""
    key = unique("key")
    kind = {"Content_Type": "application/json"} if isinstance(body, bytes) else {}
    first, again = (
        server.ask("POST", path, body, Idempotency_Key=key, **kind) for _ in range(2)
    )
    assert (first.status, again.status) == (200, 200), first.body
    return first.json


def test_no_secret_is_found_where_it_is_not_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = secrets.token_hex(32)
    monkeypatch.setenv("METERING_SECRET_KEY", key)
    target = tmp_path / "usage"
    with running_server(str(target)) as server:
        canaries = {**canaries_of(server), "secret key": key}
        answers = [server.ask("GET", path) for path in (*OPEN, *READ)]
        assert {each.status for each in answers} == {200}
        # Each by mistake where others look: in a path, a query, an event, another header.
        for each in canaries.values():
            server.ask("GET", "/v1/billing/meters", key=f"{each}x")
            server.ask("POST", "/v1/billing/meters", f"{each}=1")
        with server.store() as store:
            create_meter(store)
            store.seal()
        server.process.send_signal(signal.SIGTERM)
        printed = "".join(server.process.communicate())

    stored = {
        str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    }
    places = {
        **stored,
        "screen": printed.encode(),
        "answers": b"".join(each.body for each in answers),
    }
    found = {
        what: [place for place, content in places.items() if each.encode() in content]
        for what, each in canaries.items()
    }

    assert found == {key_0: [] for key_0 in canaries}
    # What may be known of a key is found by the same look.
    assert canaries["API key"][-4:].encode() in b"".join(stored.values())
