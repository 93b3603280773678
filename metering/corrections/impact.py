"""What a correction changes beyond events: usage, statements, alerts, balances."""

from dataclasses import dataclass

import pyarrow as pa

from ledger.usage.columns import TIMESTAMP

CHANGED_STATEMENTS = pa.schema(
    [
        pa.field("statement", pa.string(), nullable=False),
        pa.field("customer", pa.string(), nullable=False),
        pa.field("line", pa.string(), nullable=False),
        pa.field("currency", pa.string(), nullable=False),
        pa.field("stated", pa.int64(), nullable=False),
        pa.field("before", pa.int64(), nullable=False),
        pa.field("after", pa.int64(), nullable=False),
    ]
)
NEW_TRIGGERS = pa.schema(
    [
        pa.field("alert", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("customer", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("timestamp", TIMESTAMP, nullable=False),
    ]
)
CHANGED_BALANCES = pa.schema(
    [
        pa.field("customer", pa.string(), nullable=False),
        pa.field("currency", pa.string(), nullable=False),
        pa.field("balance", pa.string(), nullable=False),
        pa.field("before", pa.int64(), nullable=False),
        pa.field("after", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What a correction would change. Money is in minor units.

    Attributes:
        position: of the log, up to which everything counted.
        cancelled: how many events would not count any more, replaced ones among them.
        replaced: how many of them would be replaced.
        usage: a row for each window whose usage would differ: `meter`, `event_name`,
            `customer`, `window_start`, `window_end`, `before`, `after` and `difference`.
        statements: a row for each line of a finalised statement that would drift, or
            drift by another amount: `statement`, `customer`, `line`, `currency`; the
            amount that is `stated`, and what it would be by what is known `before` and
            `after`.
        alerts: a row for each alert that would trigger: `alert`, `title`, `customer`,
            `value`, `timestamp` of the event.
        balances: a row for each credit balance that would differ: `customer`, `currency`,
            which `balance` (``available``, without what unbilled usage will draw;
            ``unbilled``, what it will; ``uncovered``, what no credits cover), `before`
            and `after`.
    """

    position: int
    cancelled: int
    replaced: int
    usage: pa.Table
    statements: pa.Table
    alerts: pa.Table
    balances: pa.Table

    @property
    def customers(self) -> list[str]:
        """The customers of whom anything would differ, sorted."""
        tables = (self.usage, self.statements, self.alerts, self.balances)
        return sorted(
            {name for table in tables for name in table.column("customer").to_pylist()}
        )
