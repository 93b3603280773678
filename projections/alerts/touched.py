"""Touched customers: by whom usage was recorded, in memory, since the log began or was sealed.

What unbilled usage leaves of credits becomes less where usage is recorded. So those by
whom some was are looked at, and nobody else for it.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from ledger.usage.columns import numbers_of
from ledger.usage.rows import FewEvents, UsageEvents


class TouchedCustomers:
    """The customers of events, with the last positions of theirs. For one thread at a time.

    Nothing is held before there is an alert that needs it.
    """

    def __init__(self) -> None:
        self._is_wanted = False
        self._since = 0
        self._last: dict[str, int] = {}

    @property
    def is_wanted(self) -> bool:
        """Whether there ever was an alert that needs them."""
        return self._is_wanted

    def restart(self, position: int, *, is_wanted: bool) -> None:
        """Begin anew after a position."""
        self._is_wanted, self._since, self._last = is_wanted, position, {}

    def want(self, position: int) -> None:
        """Hold the customers of all events after a position, unless that is done."""
        if not self._is_wanted:
            self.restart(position, is_wanted=True)

    def take_in(self, first_position: int, events: UsageEvents) -> None:
        """Take in the events of the next commit."""
        if not self._is_wanted:
            return
        if isinstance(events, FewEvents):
            for position, row in enumerate(events.rows, first_position):
                self._last[row.customer] = position
        else:
            self.take_in_columns(events, first_position + len(events) - 1)

    def take_in_columns(self, batch: pa.RecordBatch, last_position: int) -> None:
        """Take in events of the next commits, of which the last has a position."""
        if not self._is_wanted or not len(batch):
            return
        customer = batch.column("customer")
        codes = np.unique(numbers_of(customer.indices))
        names = customer.dictionary.take(pa.array(codes)).to_pylist()
        self._last.update(dict.fromkeys(names, last_position))

    def after(self, position: int) -> Mapping[str, int] | None:
        """Return the customers with an event after a position; None where it is not known."""
        if position < self._since:
            return None
        return {name: last for name, last in self._last.items() if last > position}

    def forget(self, position: int) -> None:
        """Forget events up to a position, which no one asks for again."""
        self._since = max(self._since, position)
        self._last = {name: at for name, at in self._last.items() if at > position}
