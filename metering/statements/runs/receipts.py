"""What a billing run of statements reports, when it is done."""

from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from ledger.usage.columns import TIMESTAMP, rows_table

STATED = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("subscription", pa.string(), nullable=False),
        pa.field("customer", pa.string(), nullable=False),
        pa.field("currency", pa.string(), nullable=False),
        pa.field("period_start", TIMESTAMP, nullable=False),
        pa.field("period_end", TIMESTAMP, nullable=False),
        pa.field("subtotal", pa.int64(), nullable=False),
        pa.field("credits_applied", pa.int64(), nullable=False),
        pa.field("amount_due", pa.int64(), nullable=False),
    ]
)
NOT_STATED = pa.schema(
    [
        pa.field("subscription", pa.string(), nullable=False),
        pa.field("customer", pa.string(), nullable=False),
        pa.field("period_end", TIMESTAMP, nullable=False),
        pa.field("code", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
    ]
)


class StatedRow(NamedTuple):
    """A statement that was finalised; the columns of `STATED`."""

    id: str
    subscription: str
    customer: str
    currency: str
    period_start: int
    period_end: int
    subtotal: int
    credits_applied: int
    amount_due: int


class NotStatedRow(NamedTuple):
    """A period that was not stated, and why; the columns of `NOT_STATED`."""

    subscription: str
    customer: str
    period_end: int
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementsReceipt:
    """What a billing run came to.

    Attributes:
        finalized: how many statements were made.
        repeated: how many there were already.
        rejected: how many could not be made.
        position: everything up to it was counted.
        statements: those that were made, a row each, with what they come to.
        rejections: those that could not be, with code and message.
    """

    finalized: int
    repeated: int
    rejected: int
    position: int
    statements: pa.Table
    rejections: pa.Table


@dataclass(slots=True)
class StatementsTally:
    """What a billing run has come to so far."""

    repeated: int = 0
    stated: list[StatedRow] = field(default_factory=list)
    not_stated: list[NotStatedRow] = field(default_factory=list)

    def receipt(self, position: int) -> StatementsReceipt:
        """Return the receipt of a run that counted up to a position."""
        return StatementsReceipt(
            finalized=len(self.stated),
            repeated=self.repeated,
            rejected=len(self.not_stated),
            position=position,
            statements=rows_table(self.stated, STATED),
            rejections=rows_table(self.not_stated, NOT_STATED),
        )
