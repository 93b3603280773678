"""The difference of two stores: the figures that are not the same in both."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from ledger.usage.arrow import compute as pc
from metering.comparing.rows import FIGURES, KINDS
from metering.reaggregation.differences import differences

_NAMED = {"before": "a", "after": "b"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How the figures of a store, `b`, differ from those of another one, `a`.

    Attributes:
        position_a: of the last entry of the one when it was read.
        position_b: of the other.
        table: a row for each figure that differs, with the columns `kind` (`usage`,
            `statement`, `statement_line`, `alert` or `balance`), `customer`, `subject`
            (the event name of a meter, or the id of a statement or an alert), `detail`
            (the price of a line, the title of an alert, or which balance: `ledger`,
            `available` or `held`), `window_start`, `window_end`, `currency`, `a`, `b`
            (decimal128(38, 12)) and `difference` (decimal256(60, 12)): `b` less `a`. Money
            is in minor units. A figure that a store lacks is 0 there. Sorted.
    """

    position_a: int
    position_b: int
    table: pa.Table

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.table.num_rows)

    def counts(self) -> dict[str, int]:
        """Count the figures that differ, by kind; those of which none does are 0."""
        kinds = pc.value_counts(self.table.column("kind")).to_pylist()
        found = {each["values"]: each["counts"] for each in kinds}
        return {kind: found.get(kind, 0) for kind in KINDS}

    def customers(self) -> list[str]:
        """Return the customers of whom anything differs, sorted."""
        return sorted(pc.unique(self.table.column("customer")).to_pylist())


def difference_of(
    positions: tuple[int, int],
    ours: Sequence[pa.Table],
    theirs: Sequence[pa.Table],
) -> Difference:
    """Return the difference of two stores, given the figures of each."""
    sides = [
        pa.concat_tables([FIGURES.empty_table(), *tables]) for tables in (ours, theirs)
    ]
    table = differences(*sides)
    names = [_NAMED.get(name, name) for name in table.column_names]
    return Difference(
        position_a=positions[0],
        position_b=positions[1],
        table=table.rename_columns(names),
    )
