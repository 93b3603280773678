"""Differences: what would change if summaries were computed another way."""

import pyarrow as pa

from ledger.usage.arrow import compute as pc
from ledger.usage.quantities import FRACTION_DIGITS, QUANTITY

_ADDED = ("value", "event_count")
# Differences and sums of quantities have more digits than a quantity.
_WIDE = pa.decimal256(60, FRACTION_DIGITS)


def differences(before: pa.Table, after: pa.Table) -> pa.Table:
    """Return the windows in which two re-aggregations differ.

    Args:
        before: from `Metering.reaggregate`.
        after: from another call, with the same windows and keys.

    Returns:
        The columns of both but `value` and `event_count`, and `before`, `after`
        (decimal128(38, 12)) and `difference` (decimal256(60, 12)): a window that one of
        them lacks has 0 there. Sorted as they are; windows that do not differ are left
        out.
    """
    keys = [name for name in before.schema.names if name not in _ADDED]
    sides = pa.concat_tables(
        [_side(before, keys, "before", "after"), _side(after, keys, "after", "before")]
    )
    # Not a join, to which a key that an event lacks is equal to none.
    both = sides.group_by(keys, use_threads=False).aggregate(
        [("before", "sum"), ("after", "sum")]
    )
    old, new = both.column("before_sum"), both.column("after_sum")
    table = both.select(keys)
    for name, values in (
        ("before", old),
        ("after", new),
        ("difference", pc.subtract(new.cast(_WIDE), old.cast(_WIDE)).cast(_WIDE)),
    ):
        table = table.append_column(name, values)
    table = table.filter(pc.not_equal(old, new))
    order = [(name, "ascending", "at_start") for name in keys if name != "window_end"]
    return table.take(pc.sort_indices(table, order))


def _side(table: pa.Table, keys: list[str], name: str, other: str) -> pa.Table:
    """Take one side of a comparison, with nothing on the other."""
    nothing = pa.repeat(pa.scalar(0, pa.int64()).cast(QUANTITY), table.num_rows)
    side = table.select(keys).append_column(name, table.column("value"))
    side = side.append_column(other, nothing)
    return side.select([*keys, "before", "after"])


def by_customer(changes: pa.Table) -> pa.Table:
    """Add up the windows that differ, for each meter and customer.

    Args:
        changes: from `differences`.

    Returns:
        Columns `meter`, `customer`, `windows` (how many differ), `before`, `after` and
        `difference`, sorted by meter and customer.
    """
    for name in ("before", "after"):
        at = changes.schema.get_field_index(name)
        changes = changes.set_column(at, name, changes.column(name).cast(_WIDE))
    sums = [(name, "sum") for name in ("before", "after", "difference")]
    grouped = changes.group_by(["meter", "customer"], use_threads=False).aggregate(
        [("difference", "count"), *sums]
    )
    named = grouped.select(
        ["meter", "customer", "difference_count", "before_sum", "after_sum", "difference_sum"]
    ).rename_columns(
        ["meter", "customer", "windows", "before", "after", "difference"]
    )  # fmt: skip
    return named.sort_by([("meter", "ascending"), ("customer", "ascending")])
