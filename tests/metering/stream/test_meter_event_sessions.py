"""Sessions: tokens that are told once, known by a hash, and expire."""

from datetime import timedelta

import pytest

import metering
from metering.access.api_keys import digest_of
from tests.conftest import Connect
from tests.metering.usual_usage import NOW


@pytest.fixture
def opened(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    return connect(clock=clock)


def token(session: metering.MeterEventSession) -> str:
    assert session.authentication_token is not None
    return session.authentication_token


def found(
    store: metering.Metering, session: metering.MeterEventSession
) -> metering.MeterEventSession | None:
    digest = digest_of(token(session))
    return store.internals.sessions_by_digest([digest]).get(digest)


def test_a_session_lives_for_a_quarter_of_an_hour(
    connect: Connect, opened: metering.Metering, clock: metering.FixedClock
) -> None:
    key = opened.api_keys.create(name="gateway")

    session = opened.meter_event_sessions.create(key_id=key.id)

    assert (session.created, session.expires_at) == (NOW, NOW + timedelta(minutes=15))
    assert (session.key_id, session.livemode) == (key.id, False)
    clock.advance(timedelta(minutes=15) - timedelta(microseconds=1))
    known = found(connect(clock=clock), session)
    assert known is not None
    assert (known.id, known.is_expired) == (session.id, False)
    assert known.authentication_token is None
    clock.advance(timedelta(microseconds=1))
    expired = found(opened, session)
    assert expired is not None
    assert expired.is_expired


@pytest.mark.dialect
def test_a_session_ends_with_its_key(opened: metering.Metering) -> None:
    key = opened.api_keys.create(name="gateway")
    session = opened.meter_event_sessions.create(key_id=key.id)

    opened.api_keys.revoke(key.id)

    assert found(opened, session) is None


def test_a_session_of_the_other_mode_is_none(
    connect: Connect, opened: metering.Metering, clock: metering.FixedClock
) -> None:
    live = connect(clock=clock, livemode=True)
    key = live.api_keys.create(name="live")
    session = live.meter_event_sessions.create(key_id=key.id)

    assert found(live, session) is not None
    assert found(opened, session) is None


@pytest.mark.dialect
def test_a_session_is_forgotten_a_day_after_it_expired(
    opened: metering.Metering, clock: metering.FixedClock
) -> None:
    key = opened.api_keys.create(name="gateway")
    session = opened.meter_event_sessions.create(key_id=key.id)
    clock.advance(timedelta(hours=24, minutes=15))
    opened.meter_event_sessions.create(key_id=key.id)
    assert found(opened, session) is not None

    clock.advance(timedelta(microseconds=1))
    opened.meter_event_sessions.create(key_id=key.id)

    assert found(opened, session) is None


def test_sessions_stay_when_all_else_is_made_anew(opened: metering.Metering) -> None:
    key = opened.api_keys.create(name="gateway")
    session = opened.meter_event_sessions.create(key_id=key.id)

    opened.rebuild()

    assert opened.position == 0
    assert found(opened, session) is not None
