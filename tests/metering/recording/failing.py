"""A store that cannot be used for a while, since a test says so."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import metering
from ledger.database.connections import STATEMENT


class _Fault:
    """Whether statements that add something fail, in this process."""

    def __init__(self) -> None:
        self.is_on = False
        sys.addaudithook(self._on_audit)

    def _on_audit(self, name: str, arguments: tuple[object, ...]) -> None:
        is_insert = name == STATEMENT and "INSERT" in str(arguments[0])
        if self.is_on and is_insert:
            store = "usage"
            raise metering.StoreUnavailableError(store, "it is being tested")


# Nothing takes a hook of this kind away again.
_fault = cache(_Fault)


@contextmanager
def store_that_fails() -> Iterator[None]:
    """Let no usage be recorded."""
    _fault().is_on = True
    try:
        yield
    finally:
        _fault().is_on = False
