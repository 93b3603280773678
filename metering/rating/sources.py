"""Usage to be rated, as callers pass it: Arrow tables and streams, checked by column."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ledger.usage.columns import words
from ledger.usage.quantities import QUANTITY
from metering.arguments.arrow_types import is_text, require_type
from metering.errors import SourceError

ADDED = ("amount", "is_negative", "tiers")
"""The columns that rating adds in every case."""
_QUANTITY = ("quantity", "value")


@dataclass(frozen=True, slots=True)
class UsageToRate:
    """Usage, of which every row has a quantity and what its price is found by.

    Attributes:
        rows: as they came.
        quantity: decimal128(38, 12) without nulls.
        key: the column that prices are found by, ``price`` or ``meter``.
        keys: its distinct strings.
        codes: int64, of each row, which of them it has.
        currencies: the currency of each row, None where the rows have none.
    """

    rows: pa.Table
    quantity: pa.Array
    key: str
    keys: list[str]
    codes: np.ndarray
    currencies: pa.DictionaryArray | None


def usage_to_rate(source: object) -> UsageToRate:
    """Read usage.

    Raises:
        SourceError: it is no Arrow data, lacks a column, or has one of a wrong type, or
            a row lacks a value.
    """
    rows = _table(source)
    names = rows.schema.names
    if repeated := sorted({each for each in names if names.count(each) > 1}):
        raise _refused(f"has two columns {repeated[0]!r}", repeated[0])
    key = next((each for each in ("price", "meter") if each in names), None)
    if key is None:
        raise _refused("has neither a column 'price' nor a column 'meter'")
    if taken := [each for each in ADDED if each in names]:
        reason = f"has a column {taken[0]!r}, which rating adds; give it another name"
        raise _refused(reason, taken[0])
    name = next((each for each in _QUANTITY if each in names), None)
    if name is None:
        raise _refused("has neither a column 'quantity' nor a column 'value'")
    encoded = words(_column(rows, key, "ids", is_text, "give strings"))
    currencies = None
    if "currency" in names:
        hint = "give ISO 4217 codes, such as usd"
        currencies = words(_column(rows, "currency", "currencies", is_text, hint))
    return UsageToRate(
        rows=rows,
        quantity=_quantities(rows, name),
        key=key,
        keys=encoded.dictionary.to_pylist(),
        codes=encoded.indices.to_numpy().astype(np.int64),
        currencies=currencies,
    )


def _table(source: object) -> pa.Table:
    try:
        match source:
            case pa.Table():
                return source
            case pa.RecordBatch():
                return pa.Table.from_batches([source])
            case _ if hasattr(source, "__arrow_c_stream__"):
                return pa.RecordBatchReader.from_stream(source).read_all()
            case _:
                kind = type(source).__name__
                raise SourceError(
                    f"Cannot rate {kind}: give an Arrow table or stream", param="usage"
                )
    except (pa.ArrowException, OSError) as error:
        raise _refused(f"cannot be read: {error}") from error


def _column(
    rows: pa.Table,
    name: str,
    kind: str,
    is_allowed: Callable[[pa.DataType], bool],
    hint: str,
) -> pa.Array:
    """Return a column in one piece, which has a value in every row."""
    require_type(rows.schema.field(name), kind, is_allowed, hint)
    column = rows.column(name).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks or [pa.array([], column.type)])
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        raise _refused(f"has no {name} in row {row}", name)
    return column


def _quantities(rows: pa.Table, name: str) -> pa.Array:
    hint = "give integers or decimals, which are exact"
    column = _column(rows, name, "quantities", _is_exact, hint)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        return column.cast(QUANTITY)
    except pa.ArrowInvalid as error:
        reason = f"has a {name} with too many digits; at most 12 are fractions"
        raise _refused(f"{reason}: {error}", name) from error


def _is_exact(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_decimal(kind))


def _refused(reason: str, column: str | None = None) -> SourceError:
    param = "usage" if column is None else f"usage[{column}]"
    return SourceError(f"The usage {reason}", param=param)
