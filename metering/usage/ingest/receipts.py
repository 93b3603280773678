"""What an ingestion reports: while it goes on, and when it is done."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from metering.arguments.strings import LONGEST_NAME

NAMES_MAX = 100
"""Names of labels that a receipt tells apart, the rest are counted under `OTHER_NAMES`."""

OTHER_NAMES = "…"

# All messages at once may exceed what a column of strings holds.
_TAKEN_AT_A_TIME = 1 << 20

REJECTIONS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("identifier", pa.string()),
        pa.field("code", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
    ]
)


class Rejection(NamedTuple):
    """A row that was not recorded, and why; rows count from 0."""

    row: int
    identifier: str | None
    code: str
    message: str


class CancelledRow(NamedTuple):
    """A row of an export that was left aside, as its event had been cancelled."""

    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestProgress:
    """How far an ingestion has come, all of it durable.

    `total_rows` is None where the source does not say how many it has.
    """

    rows: int
    accepted: int
    duplicates: int
    rejected: int
    total_rows: int | None


ProgressCallback = Callable[[IngestProgress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReceipt:
    """What became of the rows of a source.

    Attributes:
        accepted: rows recorded as new events.
        duplicates: rows whose event had been recorded, equal in content.
        rejected: rows that broke a rule, or contradict an event recorded before.
        cancelled: rows of an export whose event had been cancelled. They were left aside.
        first_position: position of the first event recorded, None where there is none.
        last_position: that of the last; events of others may lie between.
        unnamed: how many of all these rows came without an identifier.
        rejections: row (from 0), identifier, code and message of each rejected row,
            in the order of the rows.
        rounded: how many of the accepted rows have a value that was rounded.
        left_out: payload keys, and from how many of the accepted rows each was left out,
            since its value is too long or has no string, it is no key, or a store wrote
            it when it exported the event. The most frequent first, else by name; all
            beyond 100 are counted under ``…``.
    """

    accepted: int
    duplicates: int
    rejected: int
    cancelled: int
    first_position: int | None
    last_position: int | None
    unnamed: int
    rejections: pa.Table
    rounded: int
    left_out: Mapping[str, int]


@dataclass(slots=True)
class ReceiptTally:
    """A receipt in the making."""

    rows: int = 0
    accepted: int = 0
    duplicates: int = 0
    cancelled: int = 0
    first_position: int | None = None
    last_position: int | None = None
    rounded: int = 0
    unnamed: int = 0
    rejected: int = 0
    rejections: list[pa.Table] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def reject(self, rejections: Iterable[Rejection]) -> None:
        """Take down rows that were rejected, as columns: there may be millions."""
        if rows := list(rejections):
            columns = [
                pa.array(column, declared.type)
                for column, declared in zip(
                    zip(*rows, strict=True), REJECTIONS, strict=True
                )
            ]
            self.rejections.append(pa.table(columns, schema=REJECTIONS))
            self.rejected += len(rows)

    def leave_out(self, name: str, rows: int) -> None:
        """Count rows from which a label was left out."""
        shown = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
        shown = shown.encode(errors="replace").decode()
        if shown not in self.left_out and len(self.left_out) >= NAMES_MAX:
            shown = OTHER_NAMES
        if rows:
            self.left_out[shown] += rows

    def progress(self, total_rows: int | None) -> IngestProgress:
        """Return how far it has come."""
        return IngestProgress(
            rows=self.rows,
            accepted=self.accepted,
            duplicates=self.duplicates,
            rejected=self.rejected,
            total_rows=total_rows,
        )

    def receipt(self) -> IngestReceipt:
        """Close the receipt."""
        taken = self.accepted + self.duplicates
        accounted_for = taken + self.rejected + self.cancelled
        assert accounted_for == self.rows, "every row has one outcome"
        return IngestReceipt(
            accepted=self.accepted,
            duplicates=self.duplicates,
            rejected=self.rejected,
            cancelled=self.cancelled,
            first_position=self.first_position,
            last_position=self.last_position,
            rounded=self.rounded,
            unnamed=self.unnamed,
            rejections=_in_order_of_rows(
                pa.concat_tables([REJECTIONS.empty_table(), *self.rejections])
            ),
            left_out=dict(
                sorted(self.left_out.items(), key=lambda each: (-each[1], each[0]))
            ),
        )


def _in_order_of_rows(rejections: pa.Table) -> pa.Table:
    rows = rejections.column("row").to_numpy()
    if (rows[1:] > rows[:-1]).all():
        return rejections
    order = np.argsort(rows, kind="stable")
    parts = (
        rejections.take(pa.array(order[start : start + _TAKEN_AT_A_TIME]))
        for start in range(0, len(order), _TAKEN_AT_A_TIME)
    )
    return pa.concat_tables(parts)
