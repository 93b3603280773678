"""Which Arrow types a column of a source may have, and its values as strings.

A floating-point number stands for its shortest decimal that reads back to it, in the
precision of its column.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal

import numpy as np
import pyarrow as pa

from metering.arguments.numbers import number_text
from metering.errors import SourceError


def require_type(
    field: pa.Field, kind: str, is_allowed: Callable[[pa.DataType], bool], hint: str
) -> None:
    """Check the type of a column.

    Raises:
        SourceError: it is not allowed; names the column and what would be right.
    """
    if not holds(field.type, is_allowed):
        raise SourceError(
            f"Column {field.name!r} has type {field.type}, which cannot hold {kind};"
            f" {hint}",
            param=field.name,
        )


def holds(kind: pa.DataType, is_allowed: Callable[[pa.DataType], bool]) -> bool:
    """Whether a type, or that of its dictionary, is allowed; null always is."""
    kind_of_values = _value_type(kind)
    return is_allowed(kind_of_values) or pa.types.is_null(kind_of_values)


def as_string(column: pa.Array) -> pa.Array:
    """Cast a column of any of Arrow's string types to the usual one."""
    if pa.types.is_dictionary(column.type) and is_text(column.type.value_type):
        return column.cast(pa.dictionary(pa.int32(), pa.string()))
    if pa.types.is_map(column.type) and is_text(column.type.item_type):
        return column.cast(pa.map_(pa.string(), pa.string()))
    return column.cast(pa.string()) if is_text(column.type) else column


def as_text(column: pa.Array) -> pa.Array:
    """Write strings and numbers as strings, a number with all its digits.

    Arrow would write a small number with an exponent, unlike the check of one event.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        return _spelled(column, lambda numbers: map(_shortest, numbers.to_numpy()))
    if pa.types.is_decimal(column.type):
        return _spelled(column, lambda numbers: map(number_text, numbers.to_pylist()))
    return column.cast(pa.string())


def texts_of(column: pa.Array) -> list[str | None]:
    """Read a column of strings; bytes that are no UTF-8 become half surrogate pairs."""
    return [
        None if each is None else each.decode(errors="surrogateescape")
        for each in column.cast(pa.binary()).to_pylist()
    ]


def is_text(kind: pa.DataType) -> bool:
    """Whether values are strings."""
    return any(
        is_kind(kind)
        for is_kind in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
        )
    )


def is_float(kind: pa.DataType) -> bool:
    """Whether values are floating-point numbers, or words of a dictionary of them."""
    return bool(pa.types.is_floating(_value_type(kind)))


def is_word(kind: pa.DataType) -> bool:
    """Whether values can name something."""
    return is_text(kind) or pa.types.is_integer(kind)


def is_customer(kind: pa.DataType) -> bool:
    """Whether values can be customers: strings or whole numbers."""
    return is_word(kind) or (pa.types.is_decimal(kind) and kind.scale <= 0)


def is_value(kind: pa.DataType) -> bool:
    """Whether values are strings or numbers."""
    return is_word(kind) or pa.types.is_decimal(kind) or pa.types.is_floating(kind)


def is_time(kind: pa.DataType) -> bool:
    """Whether values are instants, local times, dates, numbers or strings of them."""
    return any(
        is_kind(kind)
        for is_kind in (
            is_value,
            pa.types.is_timestamp,
            pa.types.is_date,
        )
    )


def is_local_time(kind: pa.DataType) -> bool:
    """Whether values are times or dates that say no zone."""
    kind = _value_type(kind)
    return pa.types.is_date(kind) or (pa.types.is_timestamp(kind) and kind.tz is None)


def is_payload(kind: pa.DataType) -> bool:
    """Whether values are keys and values: a map, a struct, or JSON."""
    if pa.types.is_map(kind):
        return is_text(_value_type(kind.key_type))
    if pa.types.is_struct(kind):
        names: list[str] = kind.names
        return len(set(names)) == len(names)
    return is_text(kind)


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _spelled(column: pa.Array, spell: Callable[[pa.Array], Iterable[str]]) -> pa.Array:
    encoded = column.dictionary_encode()
    return pa.array(spell(encoded.dictionary), pa.string()).take(encoded.indices)


def _shortest(number: np.floating) -> str:
    # As its own type writes it: as a double, 0.1 in 32 bits has 17 digits.
    return number_text(Decimal(str(number)))
