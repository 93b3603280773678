"""Two servers of one store that are asked the same at once do it once, and say so."""

import pytest

import metering
from ledger.records.idempotency import Request
from metering.server.api.metrics import Metrics
from metering.server.api.repetitions import REPLAYED, Repetitions
from metering.server.api.requests import HttpResponse
from metering.server.api.routes import Call
from metering.server.table import ROUTES
from tests.conftest import Connect
from tests.metering.usual_usage import create_meter

ROUTE = next(each for each in ROUTES if each.path.endswith("/deactivate"))


def call(store: metering.Metering, number: int) -> Call:
    request = Request(
        key_id="key_1",
        idempotency_key="again",
        fingerprint=b"\x01" * 32,
        request_id=f"req_{number}",
    )
    return Call(
        m=store,
        ids={},
        given={},
        key_id=request.key_id,
        request_id=request.request_id,
        request=request,
        authorization=None,
        accept="",
        prefer="",
        metrics=Metrics(),
    )


def never(_: str | None) -> HttpResponse | None:
    raise AssertionError("it was answered")


@pytest.mark.dialect
def test_a_request_that_the_other_server_did_meanwhile_is_answered_as_that_one_was(
    connect: Connect,
) -> None:
    ours, theirs = connect(), connect()
    meter = create_meter(ours)
    done = HttpResponse(body=b"done", headers={})

    def deactivate(store: metering.Metering) -> HttpResponse:
        store.meters.deactivate(meter.id)
        return done

    def deactivate_after_the_other_did() -> HttpResponse:
        # Looked for before, in vain.
        repetitions = Repetitions(ours)
        first = repetitions.once(
            call(ours, 1), ROUTE, do=lambda: deactivate(ours), recover=never
        )
        assert first == done
        return deactivate(theirs)

    second = Repetitions(theirs).once(
        call(theirs, 2), ROUTE, do=deactivate_after_the_other_did, recover=never
    )
    third = Repetitions(ours).once(
        call(ours, 3), ROUTE, do=lambda: deactivate(ours), recover=never
    )

    for reply in (second, third):
        assert (reply.status, reply.body) == (200, b"done")
        assert reply.headers == {**REPLAYED, "Original-Request": "req_1"}
