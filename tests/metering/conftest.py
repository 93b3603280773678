"""What these tests ask for besides a database: a clock that stands still, a store."""

from collections.abc import Iterator

import pytest

import metering
from tests.conftest import Connect
from tests.empty_stores import empty_store
from tests.metering.usual_usage import NOW, create_meter
from tests.webhook_receiver import Receiver, running_receiver


@pytest.fixture
def clock() -> metering.FixedClock:
    """Noon of the first of March 2026, UTC."""
    return metering.FixedClock(NOW)


@pytest.fixture
def store(clock: metering.FixedClock) -> Iterator[metering.Metering]:
    """An empty store in memory."""
    with empty_store(clock=clock) as opened:
        yield opened


@pytest.fixture
def tokens(store: metering.Metering) -> metering.Meter:
    """A meter of that store that adds up the values of `tokens`."""
    return create_meter(store)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server on this machine that webhooks can be sent to."""
    with running_receiver() as running:
        yield running


@pytest.fixture
def sending(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    """An empty store, on each backend in turn, that may send to this machine."""
    return connect(clock=clock, allow_private_webhooks=True)
