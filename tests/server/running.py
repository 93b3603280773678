"""Own the life of a server process, and how these tests ask it."""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import stripe

import metering
from tests.programs import Program
from tests.segment_places import places_of

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server, and a secret key that opens it."""

    url: str
    key: str
    target: str
    process: Program

    def client(self, key: str | None = None, **keywords: Any) -> stripe.StripeClient:
        """Stripe's own client, pointed here."""
        settings = {"max_network_retries": 0, **keywords}
        return stripe.StripeClient(key or self.key, **addresses(self.url), **settings)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str | Mapping[str, str] = b"",
        *,
        key: str | None = None,
        **headers: str,
    ) -> Answered:
        """Ask in plain HTTP; headers by their names with underscores."""
        if isinstance(body, Mapping):
            body = urlencode(body)
        sent = {"Authorization": f"Bearer {key or self.key}", "Content-Type": FORM}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(
            str(address.hostname), address.port, timeout=60
        )
        try:
            connection.request(method, path, body or None, sent)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answered(status=response.status, headers=found, body=response.read())
        finally:
            connection.close()


def addresses(url: str) -> dict[str, Any]:
    return {"base_addresses": {"api": url, "meter_events": url}}


@contextmanager
def running_server(target: str, *arguments: str) -> Iterator[Server]:
    """A server in a process of its own, killed if the test does not end it."""
    with metering.connect(target) as store:
        key = store.api_keys.create(name="tests").secret
    assert key is not None
    with server_process(target, *arguments) as process:
        line = process.stdout.readline()
        assert line, f"it does not serve: {process.stderr.read()}"
        yield Server(
            url=json.loads(line)["url"], key=key, target=target, process=process
        )


def server_process(target: str, *arguments: str) -> Program:
    places = [f"--segments={each}" for each in places_of(target).values()]
    serve = ["serve", "--port=0", "--json", "--store", target]
    return Program(*places, *serve, *arguments)
