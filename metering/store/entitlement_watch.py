"""Whose entitlements change next: up to where this process has looked.

It saves looking again and decides nothing: what changed is found by comparing what a
customer has with what was recorded of it. A process that begins looks at everybody who may
be concerned, once.
"""

import threading
from collections.abc import Iterable

import msgspec

from projections.test_clocks.clocked import ClockedCustomers

_AT_ONCE = 0


class EntitlementWatch(msgspec.Struct, kw_only=True):
    """What is to be looked at, and when.

    Attributes:
        lock: held by the thread that looks.
        position: of the last fact that was looked at; 0 before any.
        correction: of the log's time, the last one, by which the instants are.
        clock: the last fact about a test clock.
        due: when a customer's entitlements change next, as its facts are.
    """

    lock: threading.Lock = msgspec.field(default_factory=threading.Lock)
    position: int = 0
    correction: int | None = None
    clock: int | None = None
    due: dict[str, int] = msgspec.field(default_factory=dict)

    def look_at(self, customers: Iterable[str]) -> None:
        """Have customers looked at, whatever the time is."""
        self.due.update(dict.fromkeys(customers, _AT_ONCE))

    def looked(self, customer: str, next_change: int | None) -> None:
        """Say that a customer was looked at, and when it changes next."""
        if next_change is None:
            self.due.pop(customer, None)
        else:
            self.due[customer] = next_change

    def due_by(self, now: int, clocked: ClockedCustomers) -> list[str]:
        """Return the customers who are to be looked at now, each by its own time."""
        return [
            each for each, at in self.due.items() if at <= clocked.now_of(each, now)
        ]
