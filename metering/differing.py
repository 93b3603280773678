"""How two stores differ, customer by customer: what a rehearsal comes to."""

import pyarrow as pa

from ledger.sealing import StepCallback
from metering.arguments.refusals import invalid
from metering.arguments.words import UsageWindowName
from metering.comparing.difference import Difference, difference_of
from metering.comparing.rows import KINDS
from metering.connection import Metering


def diff(
    a: Metering,
    b: Metering,
    *,
    window: UsageWindowName | None = "month",
    timezone: str = "UTC",
    progress: StepCallback | None = None,
) -> Difference:
    """Compare usage, statements, alerts and credit balances of two stores.

    They are compared as they are now: usage by customer, meter and window; statements by
    their ids, and their lines by price and period; that an alert triggered, by the event's
    time; and what is left of each customer's credits. Meters go by event names. The second
    is as a rule a branch of the first, or both are of one store.

    Both are read. Alerts are as they were evaluated, in a branch up to now.

    Args:
        a: a connection to the one store.
        b: a connection to the other.
        window: of usage: hour, day, week (from Monday) or month; None is one for all.
        timezone: IANA name of the zone whose clocks the windows follow.
        progress: is called with how many of the kinds of figures were read, of both, and
            with how many there are.

    Raises:
        InvalidRequestError: an argument breaks a rule.
        SummaryTooLargeError: a sum has too many digits; names meters and customers.
        StoreError, SegmentStoreError: one of them cannot be read.
    """
    for name, given in (("a", a), ("b", b)):
        if not isinstance(given, Metering):
            raise invalid(name, given, "a connection, from metering.connect or branch")
    positions = a.position, b.position
    steps = 2 * (len(KINDS) - 1)
    sides: list[list[pa.Table]] = []
    for store in (a, b):
        tables: list[pa.Table] = []
        for table in store.internals.figures(window, timezone):
            tables.append(table)
            if progress is not None:
                progress(len(sides) * steps // 2 + len(tables), steps)
        sides.append(tables)
    return difference_of(positions, *sides)
