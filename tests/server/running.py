"""Own the life of a server process, and how these tests ask it."""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import stripe

import metering
from tests.programs import Program
from tests.segment_places import places_of

FORM, JSON = "application/x-www-form-urlencoded", "application/json"


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


class Askable:
    """What answers HTTP, and a secret key that opens it."""

    key: str

    def ask(
        self,
        method: str,
        target: str,
        body: bytes | str | Mapping[str, str] = b"",
        *,
        key: str | None = None,
        **headers: str,
    ) -> Answered:
        """Ask in plain HTTP; headers by their names with underscores."""
        content = urlencode(body) if isinstance(body, Mapping) else body
        sent = {"Authorization": f"Bearer {key or self.key}", "Content-Type": FORM}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(content, str):
            content = content.encode()
        return self._answered(method, target, content, sent)

    def post_json(self, target: str, body: object, **headers: str) -> Answered:
        """Post what is written in JSON here, or bytes that are sent as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body)
        return self.ask("POST", target, content, **{"Content_Type": JSON, **headers})

    def _answered(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> Answered:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Server(Askable):
    """A running server, and a secret key that opens it."""

    url: str
    key: str
    target: str
    process: Program

    def client(self, key: str | None = None, **keywords: Any) -> stripe.StripeClient:
        """Stripe's own client, pointed here."""
        settings = {"max_network_retries": 0, **keywords}
        return stripe.StripeClient(key or self.key, **addresses(self.url), **settings)

    def store(self, **keywords: Any) -> metering.Metering:
        """The library, on the store that is served."""
        return metering.connect(self.target, **places_of(self.target), **keywords)

    def connect(self) -> http.client.HTTPConnection:
        address = urlsplit(self.url)
        return http.client.HTTPConnection(
            str(address.hostname), address.port, timeout=60
        )

    def _answered(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> Answered:
        with closing(self.connect()) as connection:
            connection.request(method, target, body or None, headers)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answered(status=response.status, headers=found, body=response.read())


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
