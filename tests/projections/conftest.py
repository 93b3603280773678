"""An empty database, on each backend in turn."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from ledger.database.addresses import open_database
from ledger.database.store import Database


@pytest.fixture
def database(store_target: str) -> Iterator[Database]:
    with closing(open_database(store_target, creates=True)) as opened:
        yield opened
