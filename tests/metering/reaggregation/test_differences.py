"""What would change is told window by window, also where an event lacks a key."""

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa

from ledger.usage.quantities import QUANTITY
from metering.reaggregation.differences import by_customer, differences

DAY = datetime(2026, 3, 2, tzinfo=UTC)
INSTANT = pa.timestamp("us", "UTC")


def reaggregation(*values: tuple[str | None, str]) -> pa.Table:
    """A day of one customer on one meter, by region."""
    count = len(values)
    return pa.table(
        {
            "meter": ["mtr_1"] * count,
            "customer": ["cus_1"] * count,
            "region": pa.array([region for region, _ in values], pa.string()),
            "window_start": pa.array([DAY] * count, INSTANT),
            "window_end": pa.array([DAY.replace(day=3)] * count, INSTANT),
            "value": pa.array([Decimal(value) for _, value in values], QUANTITY),
            "event_count": [1] * count,
        }
    )


def test_equal_summaries_do_not_differ_whatever_their_keys() -> None:
    table = reaggregation((None, "10"), ("eu", "5"))

    assert differences(table, table).num_rows == 0


def test_a_window_without_the_key_is_one_window() -> None:
    before = reaggregation((None, "10"), ("eu", "5"))
    after = reaggregation((None, "4"), ("eu", "5"), ("us", "1"))

    changes = differences(before, after)

    assert changes.column("region").to_pylist() == [None, "us"]
    assert changes.column("before").to_pylist() == [Decimal(10), Decimal(0)]
    assert changes.column("after").to_pylist() == [Decimal(4), Decimal(1)]
    assert changes.column("difference").to_pylist() == [Decimal(-6), Decimal(1)]
    (row,) = by_customer(changes).to_pylist()
    assert (row["windows"], row["difference"]) == (2, Decimal(-5))
