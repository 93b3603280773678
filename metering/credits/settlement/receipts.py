"""What a billing run and a reinstatement report: on their way, and when they are done."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

import pyarrow as pa

from ledger.usage.columns import rows_table

REJECTIONS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("invoice", pa.string()),
        pa.field("code", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
    ]
)
TRANSACTIONS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("invoice", pa.string(), nullable=False),
        pa.field("line", pa.string(), nullable=False),
        pa.field("credit_grant", pa.string(), nullable=False),
        pa.field("customer", pa.string(), nullable=False),
        pa.field("currency", pa.string(), nullable=False),
        pa.field("amount", pa.int64(), nullable=False),
    ]
)
REINSTATED = TRANSACTIONS.append(pa.field("type", pa.string(), nullable=False))


class InvoiceRejection(NamedTuple):
    """An invoice that nothing was done with, and why; rows count from 0."""

    row: int
    invoice: str | None
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditsProgress:
    """How far a billing run has come, all of it durable.

    `rows` counts lines, the others invoices; `total_rows` is None where the source does
    not say how many it has.
    """

    rows: int
    applied: int
    repeated: int
    rejected: int
    replaced: int = 0
    total_rows: int | None


CreditsProgressCallback = Callable[[CreditsProgress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditsReceipt:
    """What became of the invoices of a billing run.

    Attributes:
        applied: invoices that were settled, also those that found no credit.
        repeated: invoices that had been settled, equal in content.
        replaced: invoices that had been settled with other content, and were settled
            anew.
        rejected: invoices that break a rule, or contradict what was settled.
        transactions: id, invoice, line, credit_grant, customer, currency and amount of
            every draw of the invoices applied, replaced and repeated, in the order of
            the source.
        rejections: row (from 0, the first of the invoice), invoice, code and message of
            each rejected invoice, in the order of the rows.
    """

    applied: int
    repeated: int
    replaced: int = 0
    rejected: int
    transactions: pa.Table
    rejections: pa.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class ReinstatementReceipt:
    """What became of invoices whose credits were to be given back.

    Attributes:
        reinstated: invoices that gave back what they held, also those that held none.
        repeated: invoices that had given it back before.
        rejected: invoices that credits were never applied to, or names of none.
        transactions: id, invoice, line, credit_grant, customer, currency, amount and
            type (``credits_application_invoice_voided``, or ``credits_expired`` for what
            expired at once) of the invoices reinstated and repeated, in the order of the
            source.
        rejections: row (from 0, the first of the invoice), invoice, code and message of
            each rejected invoice, in the order of the rows.
    """

    reinstated: int
    repeated: int
    rejected: int
    transactions: pa.Table
    rejections: pa.Table


@dataclass(slots=True)
class SettlementTally:
    """A receipt in the making."""

    rows: int = 0
    applied: int = 0
    repeated: int = 0
    replaced: int = 0
    transactions: list[pa.Table] = field(default_factory=list)
    rejections: list[InvoiceRejection] = field(default_factory=list)

    def progress(self, total_rows: int | None) -> CreditsProgress:
        """Return how far it has come."""
        return CreditsProgress(
            rows=self.rows,
            applied=self.applied,
            repeated=self.repeated,
            rejected=len(self.rejections),
            replaced=self.replaced,
            total_rows=total_rows,
        )

    def receipt(self) -> CreditsReceipt:
        """Return the receipt."""
        rejections = rejections_table(self.rejections)
        return CreditsReceipt(
            applied=self.applied,
            repeated=self.repeated,
            replaced=self.replaced,
            rejected=rejections.num_rows,
            transactions=pa.concat_tables(
                [TRANSACTIONS.empty_table(), *self.transactions]
            ),
            rejections=rejections,
        )


def rejections_table(rejections: Iterable[InvoiceRejection]) -> pa.Table:
    """Return rejections in the order of the rows."""
    ordered = sorted(rejections, key=attrgetter("row"))
    return rows_table(ordered, REJECTIONS)
