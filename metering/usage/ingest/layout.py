"""Which columns of a source mean what: sources are seldom made for us."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import NoneType

import numpy as np
import pyarrow as pa

from ledger.usage.columns import renumbered, words
from metering.arguments.arrow_types import as_string
from metering.arguments.refusals import invalid
from metering.arguments.strings import is_storable


@dataclass(frozen=True, slots=True)
class Constant:
    """A string that stands in every row.

    Raises:
        InvalidRequestError: it is no string, or has half a surrogate pair or a NUL.
    """

    text: str

    def __post_init__(self) -> None:
        """Check the string."""
        given: object = self.text
        if not isinstance(given, str) or not is_storable(given):
            raise invalid("columns", given, "a string that can be stored")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns hold what; a `Constant` stands for a column of one string.

    Attributes:
        event_name: the event name.
        identifier: the identifier; need not exist.
        timestamp: the timestamp; need not exist where rows without one happen now.
        customer: the customer; None is the payload key that the meter names.
        value: the value; None is the payload key that the meter names.
        payload: a map, a struct or JSON of all payload keys; where the source has no
            such column, every column not named here is a payload key.
        payload_keys: the only columns that are payload keys, those that the meter names
            for `customer` and `value` among them where these are None; None is all
            others.

    Raises:
        InvalidRequestError: one of them is neither a string nor what else it can be.
    """

    event_name: str | Constant = "event_name"
    identifier: str = "identifier"
    timestamp: str | Constant = "timestamp"
    customer: str | Constant | None = None
    value: str | Constant | None = None
    payload: str = "payload"
    payload_keys: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check that each is of its type."""
        for kinds, names in _KINDS.items():
            for name in names:
                if not isinstance(given := getattr(self, name), kinds):
                    raise invalid("columns", given, f"the name of the {name} column")
        for key in self.payload_keys or ():
            if not isinstance(key, str):
                raise invalid("columns", key, "the name of a payload key's column")


_KINDS = {
    (str,): ("identifier", "payload"),
    (str, Constant): ("event_name", "timestamp"),
    (str, Constant, NoneType): ("customer", "value"),
    (tuple, NoneType): ("payload_keys",),
}


def columns_given(columns: object) -> Columns:
    """Return which columns a caller names; the usual ones where that is None.

    Raises:
        InvalidRequestError: it is something else.
    """
    if columns is None:
        return Columns()
    if not isinstance(columns, Columns):
        raise invalid("columns", columns, "metering.Columns")
    return columns


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedColumns:
    """The columns of one piece of a source, found; all have one length.

    Attributes:
        numbers: number of each row in the source, from 0 (int64, ascending).
        payload: one column of all keys (map, struct or JSON), or a column a key.
        left_out: the names of other columns, which are left out and counted.
        may_lack_value: whether a null in the column of values says nothing, so that
            a value may be in the payload.
    """

    numbers: np.ndarray
    event_name: pa.Array | Constant
    identifier: pa.Array | None
    timestamp: pa.Array | Constant | None
    customer: pa.Array | Constant | None
    value: pa.Array | Constant | None
    payload: pa.Array | Mapping[str, pa.Array]
    left_out: tuple[str, ...] = ()
    may_lack_value: bool = False

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.numbers)

    def with_encoded_names(self) -> "LocatedColumns":
        """Encode the event names, once for finding their meters and for the events."""
        if not isinstance(self.event_name, pa.Array):
            return self
        return replace(self, event_name=words(self.event_name))

    def names(self) -> pa.DictionaryArray:
        """Return the event names, once encoded, as usage has them; none is null."""
        if isinstance(self.event_name, Constant):
            return words(pa.repeat(pa.scalar(self.event_name.text), len(self)))
        return renumbered(self.event_name)

    def take(self, rows: np.ndarray) -> "LocatedColumns":
        """Pick rows by index."""
        at = pa.array(rows)

        def pick(column: pa.Array | Constant | None) -> pa.Array | Constant | None:
            return column.take(at) if isinstance(column, pa.Array) else column

        return LocatedColumns(
            numbers=self.numbers[rows],
            event_name=pick(self.event_name),
            identifier=pick(self.identifier),
            timestamp=pick(self.timestamp),
            customer=pick(self.customer),
            value=pick(self.value),
            payload=self.payload.take(at)
            if isinstance(self.payload, pa.Array)
            else {name: column.take(at) for name, column in self.payload.items()},
            left_out=self.left_out,
            may_lack_value=self.may_lack_value,
        )


def locate(
    columns: Columns, batch: pa.RecordBatch, numbers: np.ndarray
) -> LocatedColumns:
    """Find the columns of a batch whose names have been checked."""
    by_name = {
        name: as_string(column)
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
        # A column of nothing says nothing of any row.
        if not pa.types.is_null(column.type)
    }

    nothing = pa.nulls(batch.num_rows, pa.string())

    def find(column: str | Constant | None) -> pa.Array | Constant | None:
        return by_name.get(column, nothing) if isinstance(column, str) else column

    payload = by_name.get(columns.payload)
    if payload is None:
        payload = {name: by_name[name] for name in payload_keys_among(columns, by_name)}
    elif pa.types.is_struct(payload.type):
        fields = map(as_string, payload.flatten())
        payload = dict(zip(payload.type.names, fields, strict=True))
    return LocatedColumns(
        numbers=numbers,
        event_name=find(columns.event_name),
        identifier=by_name.get(columns.identifier),
        timestamp=find(columns.timestamp),
        customer=find(columns.customer),
        value=find(columns.value),
        payload=payload,
    )


def named_columns(columns: Columns) -> frozenset[str]:
    """Name the columns that are no payload keys; each row of a source asks."""
    return _names_among(
        columns.event_name,
        columns.identifier,
        columns.timestamp,
        columns.customer,
        columns.value,
        columns.payload,
    )


# By what they are, and not by all columns: some have tens of thousands of payload keys.
@lru_cache(maxsize=64)
def _names_among(*given: str | Constant | None) -> frozenset[str]:
    return frozenset(name for name in given if isinstance(name, str))


def payload_keys_among(columns: Columns, names: Iterable[str]) -> Iterator[str]:
    """Yield those of the names of columns, or of the keys of a row, that are payload keys."""
    named = named_columns(columns)
    # Of tens of thousands, each would be looked for among all.
    kept = None if columns.payload_keys is None else frozenset(columns.payload_keys)
    for name in names:
        if name not in named and (kept is None or name in kept):
            yield name
