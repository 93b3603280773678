"""A server process for each module of these tests, with a store of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import stripe

from tests.server.running import Server, running_server

pytest.register_assert_rewrite(
    "tests.server.bulk",
    "tests.server.shapes",
    "tests.server.usage",
    "tests.server.witness",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server; its store has whatever the tests of the module put there."""
    target = Path(tmp_path_factory.mktemp("server")) / "usage"
    options = ("--no-worker", "--allow-private", "--rate-limit=0")
    with running_server(str(target), *options) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> stripe.StripeClient:
    """Stripe's own client of that server."""
    return server.client()
