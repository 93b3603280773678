"""What is wrong with a request is told as Stripe tells it, and nothing comes of it."""

import gzip
import json
from contextlib import suppress
from urllib.parse import urlencode

import pytest

from metering.server.api.requests import FORM_LIMITS
from metering.server.api.routes import Route
from metering.server.grammar.dialects import dialect_at
from metering.server.table import ROUTES
from tests.server.running import FORM, Server
from tests.server.sockets import connected, told
from tests.server.usage import meter_form

METERS = "/v1/billing/meters"
BEFORE_METERS = "2025-02-24.acacia"


def test_every_answer_has_its_headers(server: Server) -> None:
    well = server.ask("GET", METERS, Stripe_Version="2024-06-20")
    refused = server.ask("GET", METERS + "/none")

    for answered in (well, refused):
        assert answered.headers["request-id"].startswith("req_")
        assert answered.headers["content-type"] == "application/json"
        assert answered.headers["cache-control"] == "no-store"
        assert "server" not in answered.headers
    assert well.headers["stripe-version"] == "2024-06-20"
    assert int(well.headers["metering-position"]) >= 0
    assert "stripe-should-retry" not in well.headers
    assert refused.headers["stripe-version"] == "2026-10-28.endive"
    assert refused.headers["stripe-should-retry"] == "false"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/nothing"),
        ("POST", "/"),
        ("POST", "/healthz"),
        ("DELETE", METERS + "/mtr_1"),
        ("GET", "/v1/billing/meter_events"),
        ("POST", METERS + "/"),
        ("OPTIONS", "*"),
    ],
)
def test_what_is_not_served_is_not_found(
    server: Server, method: str, path: str
) -> None:
    answered = server.ask(method, path)

    assert answered.status == 404
    assert answered.error == {
        "type": "invalid_request_error",
        "message": f"Unrecognized request URL ({method}: {path}).",
    }


def test_an_unknown_parameter_is_refused(server: Server) -> None:
    form = {**meter_form(), "default_aggregation[form]": "sum"}

    answered = server.ask("POST", METERS, form)

    assert answered.status == 400
    assert answered.error == {
        "type": "invalid_request_error",
        "code": "parameter_unknown",
        "message": "Received unknown parameter: default_aggregation[form]",
        "param": "default_aggregation[form]",
    }


def test_a_route_has_the_dialect_of_its_prefix() -> None:
    assert [each.path for each in ROUTES if each.dialect != dialect_at(each.path)] == []


@pytest.mark.parametrize(
    "route", ROUTES, ids=lambda route: f"{route.method} {route.path}"
)
def test_no_route_takes_what_it_does_not_know(server: Server, route: Route) -> None:
    method, path = route.method, route.path.replace("{id}", "none")
    is_v2, key = path.startswith("/v2/"), server.key
    if route.credential == "session":
        session = server.client().v2.billing.meter_event_session.create()
        key = session.authentication_token
    in_query, body, kind = "?foo=1", "", FORM
    if method == "POST":
        in_query = ""
        body, kind = ('{"foo":"1"}', "application/json") if is_v2 else ("foo=1", FORM)
    if route.rows is not None:
        in_query, body, kind = "?foo=1", "", "application/x-ndjson"

    headers = {"Content_Type": kind}
    if route.until_version is not None:
        headers["Stripe_Version"] = BEFORE_METERS

    answered = server.ask(method, path + in_query, body, key=key, **headers)

    assert answered.status == 400
    assert answered.error["code"] == "parameter_unknown"
    assert answered.error["message"] == "Received unknown parameter: foo"
    # Errors of v2 have no such field.
    assert answered.error.get("param") == (None if is_v2 else "foo")


def test_parameters_of_a_post_may_be_in_the_url(server: Server) -> None:
    form = meter_form()
    name = form.pop("event_name")

    answered = server.ask("POST", f"{METERS}?event_name={name}", form)

    assert answered.status == 200
    assert answered.json["event_name"] == name


@pytest.mark.parametrize("query", ["event_name=a", "payload[value]=2"])
def test_a_parameter_is_not_taken_from_the_url_and_from_json(
    server: Server, query: str
) -> None:
    event = {"event_name": "b", "payload": {"value": "1"}}

    answered = server.post_json(f"/v2/billing/meter_events?{query}", event)

    name = query.partition("=")[0].partition("[")[0]
    assert answered.status == 400
    assert answered.error["message"] == f"Received parameter twice: {name}"


def test_a_body_is_a_form(server: Server) -> None:
    answered = server.ask(
        "POST", METERS, json.dumps(meter_form()), Content_Type="application/json"
    )

    assert answered.status == 400
    assert "application/x-www-form-urlencoded" in answered.error["message"]
    charset = server.ask(
        "POST", METERS, meter_form(), Content_Type=f"{FORM.upper()}; charset=utf-8"
    )
    assert charset.status == 200


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP", "identity, gzip"])
def test_a_body_may_be_compressed(server: Server, coding: str) -> None:
    form = urlencode(meter_form()).encode()
    members = gzip.compress(form[:9]) + gzip.compress(form[9:]) + bytes(512)

    answered = server.ask("POST", METERS, members, Content_Encoding=coding)

    assert answered.status == 200


@pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "gzip, gzip", "none"])
def test_a_coding_that_is_not_taken_is_refused_with_those_that_are(
    server: Server, coding: str
) -> None:
    answered = server.ask("POST", METERS, meter_form(), Content_Encoding=coding)

    assert (answered.status, answered.headers["accept-encoding"]) == (415, "gzip")
    assert coding in answered.error["message"]


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"a" * (FORM_LIMITS.sent_max + 1), "identity", 413),
        (gzip.compress(b"a" * (FORM_LIMITS.decoded_max + 1), mtime=0), "gzip", 413),
        (b"no gzip", "gzip", 400),
        (gzip.compress(b"a=1", mtime=0)[:-4], "gzip", 400),
        (gzip.compress(b"a=1", mtime=0) + b"more", "gzip", 400),
        (b"", "gzip", 400),
    ],
    ids=["long", "long when decompressed", "no gzip", "half", "more", "nothing"],
)
def test_a_body_that_cannot_be_taken_is_refused(
    server: Server, body: bytes, encoding: str, status: int
) -> None:
    answered = server.ask("POST", METERS, body, Content_Encoding=encoding)

    assert answered.status == status
    assert answered.error["type"] == "invalid_request_error"


def test_a_body_without_a_length_is_bounded_as_well(server: Server) -> None:
    most = FORM_LIMITS.sent_max
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (most + 1, b"a" * (most + 1))

    answered = server.ask("POST", METERS, body, Transfer_Encoding="chunked")

    assert answered.status == 413


def answered(server: Server, sent: bytes) -> bytes:
    """What is answered before the server hangs up."""
    with connected(server.url) as connection:
        connection.sendall(sent)
        return told(connection)


@pytest.mark.parametrize("head", [b"X: ", b"X: y\r\nX: ", b""])
def test_a_head_without_end_is_hung_up_on(server: Server, head: bytes) -> None:
    with connected(server.url) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" + head if head else b"GET /")

        # Far more than any buffer on the way: it ends because the other side ends it.
        with pytest.raises(ConnectionError):
            connection.sendall(b"a" * (64 << 20))

    assert server.ask("GET", "/healthz").status == 200


@pytest.mark.parametrize("end", [b"", b" HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_a_head_that_is_too_large_is_refused_as_all_else_is(
    server: Server, end: bytes
) -> None:
    sent = b"GET /" + b"a" * (65 << 10) + end

    head, _, body = answered(server, sent).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"content-type: application/json" in head
    assert json.loads(body) == {
        "error": {
            "type": "invalid_request_error",
            "code": "invalid_request",
            "message": "The request's head, or its trailer, is too large.",
        }
    }


@pytest.mark.parametrize(
    ("begin", "more"),
    [(b"0\r\n", b"a:b\r\n"), (b"0\r\nX: ", b"a"), (b"1;x=", b"a")],
    ids=["trailers", "a trailer", "an extension"],
)
def test_what_is_beside_a_body_has_a_bound(
    server: Server, begin: bytes, more: bytes
) -> None:
    head = f"POST {METERS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.key}\r\n"
    with connected(server.url) as client:
        client.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + begin)
        # It is refused before all of it is sent.
        with suppress(ConnectionError):
            client.sendall(more * ((512 << 10) // len(more)))

        refused = told(client, b"}}")

    assert refused.startswith(b"HTTP/1.1 400 ")
    assert b"trailer, is too large" in refused


@pytest.mark.parametrize("sent", [b"what?\r\n\r\n", b"GET / HTTP/1.1\r\n:\r\n\r\n"])
def test_what_is_no_http_is_refused_and_hung_up_on(server: Server, sent: bytes) -> None:
    head, _, body = answered(server, sent).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    # Of uvicorn, in plain text: the client does not speak what JSON is framed in.
    assert body == b"Invalid HTTP request received."


def test_requests_sent_ahead_are_answered_in_order(server: Server) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n\r\n" % (
        b"y" * 400
    )
    last = request.replace(b"Host", b"Connection: close\r\nHost").replace(
        b"health", b"no"
    )

    # More than the largest head, of whole heads.
    answers = answered(server, request * 400 + last)

    assert answers.count(b"HTTP/1.1 200 OK") == 400
    assert answers.count(b"HTTP/1.1 404 ") == 1
    assert answers.rindex(b"HTTP/1.1 404 ") > answers.rindex(b"HTTP/1.1 200 OK")


def test_a_length_of_thousands_of_digits_is_too_large(server: Server) -> None:
    fields = b"Connection: close\r\nContent-Length: %s3\r\n" % (b"0" * 5_000)
    sent = b"POST /v1/billing/meters HTTP/1.1\r\nHost: localhost\r\n" + fields

    head, _, _ = answered(server, sent + b"\r\na=b").partition(b"\r\n\r\n")

    assert head.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))


def test_a_long_head_is_taken(server: Server) -> None:
    assert server.ask("GET", "/healthz", X="y" * 30_000).status == 200


def test_a_position_that_the_log_has_reached_is_waited_for(server: Server) -> None:
    made = server.ask("POST", METERS, meter_form())
    position = made.headers["metering-position"]

    answered = server.ask("GET", METERS, Metering_Min_Position=position)

    assert answered.status == 200
    assert int(answered.headers["metering-position"]) >= int(position)


def test_a_position_far_ahead_is_a_conflict_to_be_tried_again(server: Server) -> None:
    answered = server.ask("GET", METERS, Metering_Min_Position="999999999")

    assert answered.status == 409
    assert answered.error["code"] == "position_not_reached"
    assert answered.headers["stripe-should-retry"] == "true"
    malformed = server.ask("GET", METERS, Metering_Min_Position="-1")
    assert malformed.status == 400


def test_no_parameter_breaks_the_server(server: Server) -> None:
    for odd in ("\0", "\ud800", "ä" * 600, "../x", "'", "%", "1e400", "9" * 400):
        encoded = odd.encode("utf-8", "surrogatepass")
        quoted = "".join(f"%{byte:02X}" for byte in encoded)
        for path in (f"{METERS}/{quoted}", f"/v1/events?type={quoted}"):
            assert server.ask("GET", path).status in {400, 404}
        form = f"customer={quoted}&amount[type]=monetary"
        assert server.ask("POST", "/v1/billing/credit_grants", form).status == 400
