"""Own the words of a history: what can be done to a store, as plain data.

Nothing here acts. An operation names events by their text or by how long ago they
were sent, so that a history stays meaningful when parts of it are taken out.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Literal, get_args

from tests.oracles.usage import OracleMeter, Row, Span
from tests.property.sources import Form
from tests.property.two_connections import Upkeep

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)

Change = Literal[
    "nothing", "timestamp omitted", "value respelled", "customer", "timestamp",
    "value", "payload", "everything",
]  # fmt: skip
Grouping = Literal["", "hour", "day"]
CHANGES: tuple[Change, ...] = get_args(Change)


@dataclass(frozen=True, kw_only=True)
class Fresh:
    """A new event; `from_now` replaces its timestamp by one that the clock decides."""

    row: Row
    from_now: timedelta | None = None

    def at(self, now: datetime) -> Row:
        if self.from_now is None:
            return self.row
        return replace(self.row, timestamp=now + self.from_now)


@dataclass(frozen=True, kw_only=True)
class Again:
    """The event sent `back` events ago once more, changed or not."""

    back: int
    change: Change


@dataclass(frozen=True, kw_only=True)
class Create:
    item: Fresh | Again


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """A batch; `cuts` are the sizes of its record batches, repeated as needed."""

    items: tuple[Fresh | Again, ...]
    form: Form
    cuts: tuple[int, ...]
    backfill: bool


@dataclass(frozen=True, kw_only=True)
class Cancel:
    event_name: str
    identifier: str


@dataclass(frozen=True, kw_only=True)
class CancelSent:
    """Cancel the event sent `back` events ago."""

    back: int


@dataclass(frozen=True, kw_only=True)
class SetActive:
    event_name: str
    active: bool


@dataclass(frozen=True, kw_only=True)
class Rename:
    event_name: str


@dataclass(frozen=True, kw_only=True)
class Define:
    meter: OracleMeter


@dataclass(frozen=True, kw_only=True)
class Read:
    event_name: str
    customer: str
    span: Span
    grouping: Grouping
    fill: bool


@dataclass(frozen=True, kw_only=True)
class Advance:
    by: timedelta


@dataclass(frozen=True, kw_only=True)
class LetAClockBeWrong:
    """What is recorded next is by a clock that is ahead."""

    by: timedelta


@dataclass(frozen=True, kw_only=True)
class CorrectTime:
    """Set the clock right, and bring the log's time back to between its bounds."""

    share: Fraction


@dataclass(frozen=True, kw_only=True)
class CompareEverything:
    pass


Operation = (
    Create
    | Ingest
    | Cancel
    | CancelSent
    | SetActive
    | Rename
    | Define
    | Read
    | Advance
    | LetAClockBeWrong
    | CorrectTime
    | CompareEverything
    | Upkeep
)


@dataclass(frozen=True, kw_only=True)
class History:
    """Meters that exist from the start, and what which connection does then."""

    meters: tuple[OracleMeter, ...]
    steps: tuple[tuple[int, Operation], ...]


def changed(row: Row, change: Change, meter: OracleMeter) -> Row:
    """The event as a mistaken, or a correct, second attempt would send it."""
    value = str(row.payload.get(meter.value_key, ""))
    sign = "-" if value.startswith("-") else ""
    other_customer = {**row.payload, meter.customer_key: "cus_changed"}
    other_value = {**row.payload, meter.value_key: "424242"}
    respelled = {**row.payload, meter.value_key: f"{sign}0{value.lstrip('-')}"}
    later = (row.timestamp or EPOCH) + timedelta(microseconds=1)
    attempts: dict[Change, Row] = {
        "nothing": row,
        "timestamp omitted": replace(row, timestamp=None),
        "value respelled": replace(row, payload=respelled),
        "customer": replace(row, payload=other_customer),
        "timestamp": replace(row, timestamp=later),
        "value": replace(row, payload=other_value),
        "payload": replace(row, payload={**row.payload, "model": "changed"}),
        "everything": replace(
            row,
            payload={**other_customer, **other_value, "model": "changed"},
            timestamp=later,
        ),
    }
    return attempts[change]
