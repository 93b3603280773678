"""Rows: values of a class in a table, each attribute in the column of its name."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from operator import attrgetter, itemgetter
from types import MappingProxyType, ModuleType, NoneType
from typing import Any, Generic, TypeVar, get_args, get_type_hints

import msgspec
from sqlalchemy import Column, Connection, Row, Select, Table, select, tuple_, update

from ledger.errors import StoreDamagedError

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")

# What decoding a value that was changed may raise.
_UNREADABLE = (ValueError, TypeError, ArithmeticError, msgspec.MsgspecError)


class Codec(msgspec.Struct, frozen=True):
    """How a column stores what databases have no type for; None is NULL."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


FLAG = Codec(int, bool)
WORDS = Codec(" ".join, lambda written: tuple(written.split()))


def enum_codec(kind: type[Enum]) -> Codec:
    """Return a codec that stores members of an enum by their values."""
    return Codec(attrgetter("value"), kind)


def packed_codec(kind: Any, form: ModuleType = msgspec.msgpack) -> Codec:
    """Return a codec that stores values of a type as bytes in a form of msgspec."""
    return Codec(form.Encoder(order="deterministic").encode, form.Decoder(kind).decode)


def decoded(column: Column[Any], codec: Codec, stored: Any) -> Any:
    """Return the value of what a column stores; None of NULL.

    Raises:
        StoreDamagedError: it is not what the codec encodes.
    """
    if stored is None:
        return None
    try:
        return codec.decode(stored)
    except _UNREADABLE as error:
        raise damaged_value(column, str(error)) from error


class RowsByKey(dict[KeyT, ValueT]):
    """Rows that others name, by the key that they are named by.

    Each that is asked for was there once, and no row is ever deleted by a store.

    Args:
        table: of the rows.
        rows: by key.
    """

    def __init__(self, table: Table, rows: Iterable[tuple[KeyT, ValueT]]) -> None:
        super().__init__(rows)
        self._table = table

    def __missing__(self, key: KeyT) -> ValueT:
        """Say that a row is missing.

        Raises:
            StoreDamagedError: always.
        """
        raise missing_row(self._table, key)


def without_null(row: Row[Any], *columns: Column[Any]) -> Row[Any]:
    """Return a row of these columns, of which none is NULL.

    A definition that was edited lets NULL in where no release writes it.

    Raises:
        StoreDamagedError: one is.
    """
    if None in tuple(row):
        for column, value in zip(columns, row, strict=True):
            if value is None:
                raise damaged_value(column, "it is NULL")
    return row


def damaged_value(
    column: Column[Any], reason: str, key: Mapping[str, object] = MappingProxyType({})
) -> StoreDamagedError:
    """Return the error of a value that no release writes.

    Args:
        column: holds it.
        reason: what is wrong with it.
        key: what identifies its row, by column, as far as that is known.
    """
    row = ", ".join(f"{name} = {value!r}" for name, value in key.items())
    places = f"table {column.table.name}", f"row {row}", f"column {column.name}"
    return StoreDamagedError(", ".join(places if key else places[::2]), reason)


def missing_row(table: Table, key: object) -> StoreDamagedError:
    """Return the error of a row that others name, and that is not there."""
    return StoreDamagedError(f"table {table.name}", f"the row {key!r} is missing")


def row_of(connection: Connection, column: Column[str], key: str) -> Row[Any]:
    """Return the row of a column's table that has a key there.

    Raises:
        StoreDamagedError: it is missing, which no store deletes.
    """
    row = connection.execute(select(column.table).where(column == key)).first()
    if row is None:
        raise missing_row(column.table, key)
    return row


def change_row(
    connection: Connection, column: Column[str], key: str, row: Mapping[str, Any]
) -> None:
    """Write anew the row of a column's table that has a key there; see `row_of`."""
    connection.execute(update(column.table).where(column == key), row)


class RowFormat(Generic[ValueT]):
    """Reads and writes values of a class as rows of a table.

    Attributes:
        table: of the rows.

    Args:
        table: has a column for each attribute, and may have more.
        kind: a dataclass or struct that takes its attributes as keyword arguments.
        codecs: of columns, by name.
        joined: columns of other tables that follow those of the table where rows are
            read.
    """

    def __init__(
        self,
        table: Table,
        kind: type[ValueT],
        codecs: Mapping[str, Codec] = MappingProxyType({}),
        joined: Sequence[Column[Any]] = (),
    ) -> None:
        self._kind = kind
        kinds = get_type_hints(kind)
        self._all = {each.name: each for each in (*table.columns, *joined)}
        self._columns = list(self._all)
        self._names = [name for name in self._columns if name in kinds]
        self._others = [name for name in self._columns if name not in self._names]
        self._of_value = attrgetter(*self._names)
        self._of_row = itemgetter(*map(self._columns.index, self._names))
        self._in_order = itemgetter(
            *map([*self._names, *self._others].index, table.columns.keys())
        )
        self._codecs = [
            (at, codecs[name]) for at, name in enumerate(self._names) if name in codecs
        ]
        self.table = table
        self._required = [
            at
            for at, name in enumerate(self._names)
            if NoneType not in get_args(kinds[name])
        ]

    def read(self, row: Row[Any]) -> ValueT:
        """Return the value of a row that begins with the table's columns.

        Raises:
            StoreDamagedError: the row holds what `row` never writes.
        """
        values = list(self._of_row(row))
        if None in values and any(values[at] is None for at in self._required):
            missing = next(at for at in self._required if values[at] is None)
            raise self._damaged(row, self._names[missing], "it is NULL")
        for at, codec in self._codecs:
            if values[at] is not None:
                try:
                    values[at] = codec.decode(values[at])
                except _UNREADABLE as error:
                    raise self._damaged(row, self._names[at], str(error)) from error
        return self._kind(**dict(zip(self._names, values, strict=True)))

    def _damaged(self, row: Row[Any], name: str, reason: str) -> StoreDamagedError:
        primary = self.table.primary_key
        key = {each.name: row[self._columns.index(each.name)] for each in primary}
        return damaged_value(self._all[name], reason, key)

    def row(self, value: ValueT, **others: Any) -> tuple[Any, ...]:
        """Return a row with every column in the table's order.

        Args:
            value: the value.
            others: columns that it has no attribute for; NULL where left out.
        """
        values = list(self._of_value(value))
        for at, codec in self._codecs:
            if values[at] is not None:
                values[at] = codec.encode(values[at])
        values += map(others.get, self._others)
        in_order: tuple[Any, ...] = self._in_order(values)
        return in_order

    def named(self, value: ValueT) -> dict[str, Any]:
        """Return the columns of a row by name; see `row`."""
        return dict(zip(self.table.columns.keys(), self.row(value), strict=True))


def newest_first(
    connection: Connection,
    wanted: Select[Any],
    place: Sequence[Column[Any]],
    limit: int,
    *,
    before: tuple[Any, ...] | None,
    after: tuple[Any, ...] | None,
) -> list[Row[Any]]:
    """Return rows of a statement, those at the greatest places first.

    Args:
        connection: to the tables.
        wanted: the statement, without an order.
        place: the columns that order the rows.
        limit: how many rows at most.
        before: only rows at smaller places; None is no bound.
        after: only rows at greater places, and the least of them.
    """
    at = tuple_(*place)
    if before is not None:
        wanted = wanted.where(at < before)
    if after is None:
        ordered = wanted.order_by(*(each.desc() for each in place))
    else:
        ordered = wanted.where(at > after).order_by(*place)
    rows = list(connection.execute(ordered.limit(limit)))
    return rows if after is None else rows[::-1]
