"""Webhooks go to public addresses over TLS, however a URL or a name is written."""

import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import metering
from metering.webhooks.addresses import check_url, is_public
from metering.webhooks.delivery.sending import EndpointAnswer, Sender
from tests.metering.refusals import refused
from tests.webhook_receiver import Receiver, answering, running_receiver

ALLOWED = [
    "https://example.com",
    "https://example.com/",
    "https://example.com/webhooks?a=b&c=%20d",
    "https://example.com:443/",
    "https://example.com:8443/",
    "https://example.com./",
    "https://EXAMPLE.com/Path",
    "https://xn--mnchen-3ya.example/",
    "https://8.8.8.8/",
    "https://[2606:4700:4700::1111]/",
    "https://a_b.example.com/",
    "https://example.com//double//slashes",
    "https://example.com:/",
]
REFUSED = [
    # Schemes.
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "//example.com/",
    "example.com",
    "https:example.com",
    "https:///example.com",
    "javascript:alert(1)",
    # Ports.
    "https://example.com:0/",
    "https://example.com:80/",
    "https://example.com:22/",
    "https://example.com:65536/",
    "https://example.com:-1/",
    "https://example.com:4 43/",
    "https://example.com:443:443/",
    # Loopback, private, link-local, the metadata service.
    "https://127.0.0.1/",
    "https://127.255.255.254/",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fd00:ec2::254]/",
    "https://100.64.0.1/",
    "https://198.18.0.1/",
    "https://192.0.2.1/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://[::]/",
    "https://[::1]/",
    "https://[fe80::1]/",
    "https://[fc00::1]/",
    "https://[ff02::1]/",
    # IPv4 within IPv6: mapped, compatible, 6to4, NAT64, ISATAP, Teredo.
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[2002:7f00:1::]/",
    "https://[2002:a9fe:a9fe::1]/",
    "https://[64:ff9b::127.0.0.1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::1]/",
    "https://[2606:4700::5efe:127.0.0.1]/",
    "https://[2606:4700::200:5efe:10.0.0.1]/",
    "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    # Zones, and brackets around something else.
    "https://[fe80::1%25eth0]/",
    "https://[2606:4700:4700::1111%eth0]/",
    "https://[127.0.0.1]/",
    "https://[example.com]/",
    "https://[::1/",
    "https://::1/",
    # User names, and what programs read in different ways.
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://example.com@127.0.0.1/",
    "https://@example.com/",
    "https://example.com\\@127.0.0.1/",
    "https:\\\\example.com/",
    "https://example.com#@127.0.0.1/",
    "https://example.com/#fragment",
    "https://127。0。0。1/",
    "https://ⓛocalhost/",
    "https://①②⑦.0.0.1/",
    "https://münchen.example/",
    "https://example.com/\r\nHost: internal",
    "https://example.com/a b",
    "https://example.com/\t",
    " https://example.com/",
    "https://exa\x00mple.com/",
    "https://%31%32%37.0.0.1/",
    "https://example..com/",
    "https://.example.com/",
    "https://example.com../",
    "https://-example.com/",
    "https://*.example.com/",
    "https://" + "a" * 2048 + ".com/",
    "https://" + "a." * 127 + "com/",
    "",
]
SPELLED_OTHERWISE = [
    "2130706433",
    "0x7f000001",
    "017700000001",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "localhost",
    "localhost.",
    "LOCALHOST",
]


@pytest.mark.parametrize("url", ALLOWED)
def test_a_public_url_is_allowed(url: str) -> None:
    target = check_url(url, allow_private=False)

    assert target.scheme == "https"
    assert target.port in {443, 8443}
    assert target.path.startswith("/")


@pytest.mark.parametrize("url", [*REFUSED, None, 1, b"https://example.com/"])
def test_any_other_url_is_refused_and_named(url: object) -> None:
    with refused("url_invalid", "url", repr(url)[:60], "; must be "):
        check_url(url, allow_private=False)


@pytest.mark.parametrize("host", SPELLED_OTHERWISE)
def test_an_address_that_only_the_system_can_read_is_refused_when_it_has(
    host: str,
) -> None:
    sender = Sender(timeout_seconds=10, allow_private=False)

    answer = sender.send(f"https://{host}/", {}, b"{}")

    assert answer.status_code is None
    assert answer.error in {"address_refused", "host_unknown", "url_refused"}


@pytest.mark.parametrize(
    "port", ["0", "00"], ids=["no port has this number", "nor this"]
)
def test_port_zero_is_refused_also_where_all_addresses_are_allowed(port: str) -> None:
    with pytest.raises(metering.InvalidRequestError, match="1 to 65535"):
        check_url(f"http://example.com:{port}/", allow_private=True)


def test_what_follows_public_is_what_the_registries_say() -> None:
    assert is_public("8.8.8.8")
    assert is_public("2606:4700:4700::1111")
    assert is_public("64:ff9b::808:808")
    assert is_public("2002:808:808::1")
    assert not is_public("fe80::1%eth0")
    assert not is_public("no address")


class Names:
    """A resolver that answers as it is told, one answer after the other."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = iter(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:
        del port
        self.asked.append(host)
        return next(self._answers)


@pytest.mark.parametrize(
    "addresses",
    [
        ["8.8.8.8", "127.0.0.1"],
        ["127.0.0.1", "8.8.8.8"],
        ["2606:4700:4700::1111", "::1"],
        ["8.8.8.8", "fe80::1%1"],
        ["169.254.169.254"],
    ],
)
def test_a_name_with_one_private_address_is_refused(addresses: list[str]) -> None:
    names = Names(addresses)

    answer = Sender(timeout_seconds=10, allow_private=False, resolve=names).send(
        "https://example.com/", {}, b"{}"
    )

    assert answer.error == "address_refused"
    assert names.asked == ["example.com"]


def test_a_name_that_resolves_to_nothing_is_unknown() -> None:
    sender = Sender(timeout_seconds=10, allow_private=False, resolve=Names([]))

    assert sender.send("https://example.com/", {}, b"{}").error == "host_unknown"


def port_of(receiver: Receiver) -> str:
    return receiver.url.rpartition(":")[2]


def test_each_attempt_goes_to_the_address_that_was_checked_in_it(
    receiver: Receiver,
) -> None:
    names = Names(["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"])
    sender = Sender(timeout_seconds=10, allow_private=True, resolve=names)
    url = f"http://rebound.example:{port_of(receiver)}/"

    errors = [sender.send(url, {}, b"{}").error for _ in range(3)]

    # The receiver is at the first address only.
    assert errors == [None, "connection_refused", None]
    assert names.asked == ["rebound.example"] * 3
    hosts = [each.headers["Host"] for each in receiver.received]
    assert hosts == [f"rebound.example:{port_of(receiver)}"] * 2


def test_who_cannot_be_reached_at_one_address_is_tried_at_the_next(
    receiver: Receiver,
) -> None:
    names = Names(["127.0.0.2", "127.0.0.1"])
    sender = Sender(timeout_seconds=10, allow_private=True, resolve=names)

    answer = sender.send(f"http://two.example:{port_of(receiver)}/", {}, b"{}")

    assert answer.status_code == 204


def test_who_was_reached_is_not_sent_it_at_the_next_address(
    receiver: Receiver,
) -> None:
    receiver.behaviours["/"] = answering(500)
    names = Names(["127.0.0.1", "127.0.0.1"])
    sender = Sender(timeout_seconds=10, allow_private=True, resolve=names)

    answer = sender.send(f"http://two.example:{port_of(receiver)}/", {}, b"{}")

    assert answer.status_code == 500
    assert len(receiver.received) == 1


def test_no_proxy_of_the_environment_is_asked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    sender = Sender(timeout_seconds=10, allow_private=True)

    assert sender.send(receiver.url, {}, b"{}").status_code == 204


def test_a_resolver_that_does_not_answer_is_left_behind() -> None:
    answered = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        del host, port
        answered.wait(60)
        return ["127.0.0.1"]

    sender = Sender(timeout_seconds=0.01, allow_private=True, resolve=resolve)
    try:
        errors = {
            sender.send("http://example.com:1/", {}, b"{}").error for _ in range(40)
        }
        left_behind = [
            each
            for each in threading.enumerate()
            if each.name == "metering-webhooks-resolver"
        ]
    finally:
        answered.set()

    assert errors == {"host_timeout"}
    assert len(left_behind) == 32
    for each in left_behind:
        each.join()
    patient = Sender(timeout_seconds=10, allow_private=True, resolve=resolve)
    assert patient.send("http://x.example:1/", {}, b"").error == "connection_refused"


class Trickle:
    """A server on the loopback that talks on and on, a byte at a time, never to the end."""

    def __init__(self, first: bytes) -> None:
        self._first = first
        self._over = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            connection, _ = self._listening.accept()
            with connection:
                connection.sendall(self._first)
                while not self._over.wait(0.02):
                    connection.sendall(b"x")
        except OSError:
            pass

    def close(self) -> None:
        self._over.set()
        self._listening.close()
        self._thread.join()


@pytest.mark.parametrize("first", [b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\nX-Long: "])
def test_who_answers_a_byte_at_a_time_is_hung_up_on(first: bytes) -> None:
    server = Trickle(first)
    sender = Sender(timeout_seconds=0.2, allow_private=True)
    try:
        answer = sender.send(f"http://127.0.0.1:{server.port}/", {}, b"{}")
    finally:
        server.close()

    assert (answer.status_code, answer.error) == (None, "timeout")


def certificate(directory: Path, name: str) -> Path:
    """Make a key and a certificate for a name, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)  # noqa: TID251  # TLS looks at the real time
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.9"))]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = directory / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def send_over_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., EndpointAnswer]:
    """Send to a name, at a server that has the certificate of `hooks.example`."""
    path = certificate(tmp_path, "hooks.example")

    def send(name: str, *, is_trusted: bool = True) -> EndpointAnswer:
        if is_trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(path))
        with running_receiver(certificate=path) as receiver:
            sender = Sender(
                timeout_seconds=10, allow_private=True, resolve=Names(["127.0.0.1"])
            )
            return sender.send(f"https://{name}:{port_of(receiver)}/", {}, b"{}")

    return send


@pytest.mark.parametrize("name", ["hooks.example", "hooks.example.", "HOOKS.example"])
def test_the_certificate_is_that_of_the_name(
    send_over_tls: Callable[..., EndpointAnswer], name: str
) -> None:
    assert send_over_tls(name).status_code == 204


def test_the_certificate_of_another_name_is_refused(
    send_over_tls: Callable[..., EndpointAnswer],
) -> None:
    assert send_over_tls("other.example").error == "tls_failed"


def test_a_certificate_that_nobody_vouches_for_is_refused(
    send_over_tls: Callable[..., EndpointAnswer],
) -> None:
    assert send_over_tls("hooks.example", is_trusted=False).error == "tls_failed"
