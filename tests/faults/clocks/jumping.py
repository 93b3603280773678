"""Own what a process does whose clock jumps: all that is judged by time, and how it fares.

Each kind of thing is a generator. It begins while the clock is right, says after that
what became of it while the clock is wrong, and at last when it was set right.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

import metering
from ledger.records.idempotency import Request
from metering.access.api_keys import digest_of
from tests.metering.usual_credits import balance, grant, line, money
from tests.metering.usual_usage import PAYLOAD, create_event, create_meter
from tests.segment_places import places_of
from tests.server.in_process import served
from tests.system_calls.interposer import shift_clock

DAY = timedelta(days=1)
DONE, HELD, KNOWN = "done", "held", "known"
# Nothing listens there.
_NOWHERE = "http://127.0.0.1:9/"

Fate = Iterator[object]


def outcome(call: Callable[..., object], *args: object, **named: object) -> str:
    """What becomes of a call: done, or the code of its error."""
    try:
        call(*args, **named)
    except metering.MeteringError as error:
        return error.code
    return DONE


def event(m: metering.Metering) -> Fate:
    yield None
    yield outcome(create_event, m)
    yield outcome(create_event, m)


def event_with_a_timestamp(m: metering.Metering) -> Fate:
    """It is not refused for good as too old or too new."""
    right = m.now()
    yield None
    yield outcome(create_event, m, timestamp=right)
    yield outcome(create_event, m, timestamp=right)


def batch(m: metering.Metering) -> Fate:
    rows = [
        {"event_name": "tokens", "timestamp": m.now(), "payload": PAYLOAD}
        for _ in range(3_000)
    ]
    yield None
    yield outcome(m.meter_events.ingest, rows)
    yield outcome(m.meter_events.ingest, rows)


def facts(m: metering.Metering) -> Fate:
    yield None
    yield outcome(create_meter, m, "while_wrong")
    yield outcome(create_meter, m, "set_right")


def cancellation(m: metering.Metering) -> Fate:
    """The window in which it is allowed is neither over nor endless."""
    create_event(m, identifier="cancelled")

    def cancel() -> None:
        m.meter_event_adjustments.create(
            event_name="tokens", type="cancel", cancel={"identifier": "cancelled"}
        )

    yield None
    yield outcome(cancel)
    yield outcome(cancel)


def identifier(m: metering.Metering) -> Fate:
    """Its retention of a day is not over."""
    position = create_event(m, identifier="kept").position

    def repeat() -> str:
        try:
            repeated = create_event(m, identifier="kept")
        except metering.ClockSkewError:
            return KNOWN  # It is not recorded, at least.
        return KNOWN if repeated.position == position else "recorded again"

    yield None
    yield repeat()
    yield repeat()


def credit(m: metering.Metering) -> Fate:
    """It does not expire, and an invoice draws nothing by a wrong time."""
    grant(m, expires_at=m.now() + 30 * DAY)
    billed_at = m.now()

    def bill() -> None:
        m.credits.apply(
            invoice="in_1",
            customer="cus_1",
            period_end=billed_at,
            lines=[line(amount=100)],
        )

    yield None
    yield outcome(bill)
    bill()
    # After a worker has looked for what expired.
    yield balance(m)


def expiry_alert(m: metering.Metering) -> Fate:
    limit = {"balance_type": "monetary", "monetary": money(50)["monetary"]}
    threshold: Any = {"lte": limit}
    alert = m.alerts.create(
        title="credits end",
        alert_type="credit_balance_threshold",
        credit_balance_threshold=threshold,
    )
    yield None
    with suppress(metering.ClockSkewError):
        m.catch_up()
    yield len(m.alerts.triggered(alert=alert.id))
    m.catch_up()
    yield len(m.alerts.triggered(alert=alert.id))


def request(m: metering.Metering) -> Fate:
    """It is not forgotten after 24 hours that did not pass."""
    made, another = (
        Request(
            key_id="key_1",
            idempotency_key=key,
            fingerprint=key.encode(),
            request_id=f"req_{key}",
        )
        for key in ("made", "another")
    )
    requests = m.internals.requests
    with requests.on_behalf_of(made):
        create_meter(m, "made_once")
    requests.answer(made, 200, b"{}")

    def known() -> str:
        # Each that is written down forgets what is old.
        requests.answer(another, 400, b"{}")
        return KNOWN if requests.find(made) is not None else "forgotten"

    yield None
    yield known()
    yield known()


def delivery(m: metering.Metering) -> Fate:
    """Its next attempt is not put off, and it is not given up."""
    endpoint = m.webhook_endpoints.create(url=_NOWHERE, enabled_events=["*"])
    create_meter(m, "delivered")
    m.deliver()

    def put_off() -> str:
        with suppress(metering.ClockSkewError):
            m.deliver()
        [sent] = m.webhook_endpoints.deliveries(endpoint.id, limit=1).data
        at = sent.next_attempt_at
        return HELD if at and at - sent.created < DAY else f"{sent.status}, {at}"

    yield None
    yield put_off()
    yield put_off()


def session(m: metering.Metering) -> Fate:
    """It is open still, or where its clock stepped back, another one is."""
    key = m.api_keys.create(name="tests")

    def opened() -> bytes:
        made = m.meter_event_sessions.create(key_id=key.id)
        return digest_of(str(made.authentication_token))

    def is_open(token: bytes) -> bool:
        return not m.internals.sessions_by_digest([token])[token].is_expired

    token = opened()
    yield None
    yield is_open(token) or is_open(opened())
    yield is_open(token)


def recorder(m: metering.Metering) -> Fate:
    """What is held while nothing can be appended is of about now."""
    recording = m.recorder()
    yield None
    recording.record(event_name="tokens", payload=PAYLOAD, identifier="recorded")
    yield outcome(recording.flush, timedelta(seconds=30))
    recording.flush()
    recording.close()
    [recorded] = [
        each for each in m.meter_events.list() if each.identifier == "recorded"
    ]
    yield abs(recorded.timestamp - m.now()) < timedelta(minutes=5)


def http(m: metering.Metering) -> Fate:
    with served(m) as server:

        def post() -> tuple[int, object]:
            sent = {"event_name": "tokens"}
            sent |= {f"payload[{name}]": value for name, value in PAYLOAD.items()}
            answered = server.ask("POST", "/v1/billing/meter_events", sent)
            code = None if answered.status == 200 else answered.error["code"]
            return answered.status, code

        yield None
        yield post()
        yield post()


KINDS = (
    event,
    event_with_a_timestamp,
    batch,
    facts,
    cancellation,
    identifier,
    credit,
    expiry_alert,
    request,
    delivery,
    session,
    recorder,
    http,
)


def open_store(target: str, **settings: Any) -> metering.Metering:
    return metering.connect(
        target,
        **places_of(target),
        cancel_window=DAY,
        identifier_retention=DAY,
        allow_private_webhooks=True,
        **settings,
    )


def jump(target: str, by: timedelta, pipe: Connection) -> None:
    """Say how each kind fares in a process whose clock jumps, and jumps back."""
    with open_store(target) as m:
        create_meter(m)
        begun = {kind.__name__: kind(m) for kind in KINDS}
        for fate in begun.values():
            next(fate)
        with m.worker() as worker:
            shift_clock(by)
            while_wrong = {name: next(fate) for name, fate in begun.items()}
            pipe.send(("while wrong", while_wrong))
            assert not worker.has_ended
            shift_clock(timedelta(0))
        pipe.send(("set right", {name: next(fate) for name, fate in begun.items()}))
        pipe.send(("the store", (m.verify().ok, m.status().ahead_seconds)))


def begin(target: str, by: timedelta, pipe: Connection) -> None:
    """Say what becomes of the first append of a process whose clock is wrong."""
    with open_store(target) as m:
        create_meter(m)
    shift_clock(by)
    with open_store(target) as m:
        pipe.send(("while wrong", outcome(create_event, m)))
        shift_clock(timedelta(0))
        pipe.send(("set right", outcome(create_event, m)))
    with open_store(target) as m:
        pipe.send(("opened again", outcome(create_event, m)))
        if m.log_time.repair(dry_run=True).was_wrong:
            m.log_time.repair(to=m.now(), reason="its clock was wrong")
        pipe.send(("repaired", outcome(create_event, m)))
        pipe.send(("the store", m.verify().ok))
