"""An empty database, on each backend in turn."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from ledger.database.addresses import open_database
from ledger.database.store import Database
from tests.empty_stores import without_store


@pytest.fixture
def database(store_target: str) -> Iterator[Database]:
    target = without_store(store_target)
    with closing(open_database(target, creates=True)) as opened:
        yield opened
