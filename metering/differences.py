"""Differences: what would change if summaries were computed another way."""

import pyarrow as pa
import pyarrow.compute as pc

from ledger.quantities import FRACTION_DIGITS, QUANTITY

_ADDED = ("value", "event_count")
# Differences and sums of quantities have more digits than a quantity.
_WIDE = pa.decimal256(60, FRACTION_DIGITS)


def differences(before: pa.Table, after: pa.Table) -> pa.Table:
    """Find the windows in which two re-aggregations differ.

    Args:
        before: from `Metering.reaggregate`.
        after: likewise, of the same windows and keys.

    Returns:
        The columns of both but `value` and `event_count`, and `before`, `after`
        (decimal128(38, 12)) and `difference` (decimal256(60, 12)): a window that one of
        them lacks has 0 there. Sorted as they are; windows that do not differ are left
        out.
    """
    keys = [name for name in before.schema.names if name not in _ADDED]
    both = before.select([*keys, "value"]).join(
        after.select([*keys, "value"]), keys, join_type="full outer",
        left_suffix=" before", right_suffix=" after",
    )  # fmt: skip
    nothing = pa.scalar(0, pa.int64()).cast(QUANTITY)
    old, new = (
        pc.fill_null(both.column(f"value {when}"), nothing)
        for when in ("before", "after")
    )
    table = both.select(keys)
    for name, values in (
        ("before", old),
        ("after", new),
        ("difference", pc.subtract(new.cast(_WIDE), old.cast(_WIDE)).cast(_WIDE)),
    ):
        table = table.append_column(name, values)
    table = table.filter(pc.not_equal(old, new))
    order = [(name, "ascending") for name in keys if name != "window_end"]
    return table.sort_by(order)


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
