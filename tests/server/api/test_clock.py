"""The server goes by the clock of its store, not by that of its machine."""

from datetime import UTC, datetime, timedelta

import metering
from tests.metering.usual_usage import NOW, create_event, create_meter
from tests.server.in_process import served
from tests.server.usage import event_form, grant_form

THEN = datetime(2031, 5, 6, 7, 8, 9, 750_000, tzinfo=UTC)


def test_a_grant_takes_effect_at_the_start_of_the_second_on_the_clock() -> None:
    clock = metering.FixedClock(THEN)

    with metering.connect(":memory:", clock=clock) as store, served(store) as server:
        grant = server.ask("POST", "/v1/billing/credit_grants", grant_form()).json

    # Callers give times in whole seconds: an invoice of this second draws on it.
    assert grant["effective_at"] == grant["created"] == int(THEN.timestamp())


def test_a_cancellation_of_v2_is_created_when_the_clock_says() -> None:
    clock = metering.FixedClock(THEN)
    cancelled = {"identifier": "one"}
    body = {"event_name": "tokens", "type": "cancel", "cancel": cancelled}

    with metering.connect(":memory:", clock=clock) as store, served(store) as server:
        create_meter(store)
        create_event(store, identifier="one")
        clock.advance(timedelta(hours=1))
        adjustment = server.post_json("/v2/billing/meter_event_adjustments", body).json

    assert adjustment["created"] == "2031-05-06T08:08:09.750Z"


def test_a_key_is_free_for_another_event_after_a_day() -> None:
    # What is forgotten follows no clock beyond the real time.
    clock = metering.FixedClock(NOW)
    events = "/v1/billing/meter_events"

    def form(value: str) -> dict[str, str]:
        return event_form(
            "tokens", identifier=f"event-{value}", **{"payload[value]": value}
        )

    with metering.connect(":memory:", clock=clock) as store, served(store) as server:
        create_meter(store)
        first = server.ask("POST", events, form("1"), Idempotency_Key="daily")
        clock.advance(timedelta(hours=24) - timedelta(microseconds=1))
        refused = server.ask("POST", events, form("2"), Idempotency_Key="daily")
        clock.advance(timedelta(microseconds=1))
        second = server.ask("POST", events, form("2"), Idempotency_Key="daily")

    assert first.status == second.status == 200
    assert refused.error["type"] == "idempotency_error"
