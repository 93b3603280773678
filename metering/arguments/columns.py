"""Columns of arguments: for each row a value, and whether it plainly obeys the rules.

Every function returns a column of full length and a mask (bool). Where the mask is False
the column holds nothing of meaning, and the row has to be checked by itself: the masks
err on the side of False.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ledger.usage.arrow import compute as pc
from ledger.usage.columns import words
from ledger.usage.quantities import FRACTION_DIGITS, INTEGER_DIGITS, QUANTITY
from metering.arguments.arrow_types import as_text, is_text
from metering.arguments.strings import LONGEST_NAME

_PLAIN_VALUE = rf"^-?[0-9]{{1,{INTEGER_DIGITS}}}(\.[0-9]{{1,{FRACTION_DIGITS}}})?$"
# What a decimal of 76 digits holds, however it is written, and Arrow reads.
_LONG = pa.decimal256(76, 40)
_LONG_VALUE = (
    rf"^-?([0-9]{{1,{INTEGER_DIGITS}}}(\.[0-9]{{1,40}})?"
    r"|[0-9]{1,16}(\.[0-9]{1,20})?[eE][+-]?[01]?[0-9])$"
)


def plain_words(
    column: pa.Array, longest: int
) -> tuple[pa.DictionaryArray, np.ndarray]:
    """Take strings of 1 to `longest` characters, encoded by a dictionary."""
    encoded = words(as_text(column))
    distinct = encoded.dictionary
    good = are_storable(distinct, longest)
    good &= pc.binary_length(distinct).to_numpy() > 0
    # A word more, for the rows that are null.
    good = np.append(good, False)  # an element, not a flag
    codes = encoded.indices
    if codes.null_count:
        codes = codes.fill_null(len(good) - 1)
        padded = pa.concat_arrays([encoded.dictionary, pa.array([""], pa.string())])
        encoded = pa.DictionaryArray.from_arrays(codes, padded)
    return encoded, good[codes.to_numpy()]


def plain_identifiers(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Take identifiers of 1 to 100 characters."""
    texts = column.cast(pa.string())
    is_plain = are_storable(texts, LONGEST_NAME)
    is_plain &= pc.binary_length(texts).fill_null(0).to_numpy() > 0
    return texts.fill_null(""), is_plain


class PlainValues(NamedTuple):
    """A column of quantities.

    Attributes:
        quantities: null where the row is not plain.
        is_plain: bool.
        is_rounded: which have fewer fraction digits than they were given (bool).
    """

    quantities: pa.Array
    is_plain: np.ndarray
    is_rounded: np.ndarray


def plain_values(column: pa.Array, *, rounds: bool = False) -> PlainValues:
    """Take quantities that may be recorded.

    Args:
        column: strings or numbers.
        rounds: whether to round what has too many fraction digits, half to even.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = _digits(column)
    quantities, is_rounded = (
        _read(column, rounds=rounds)
        if is_text(column.type)
        else _exact(column, rounds=rounds)
    )
    return PlainValues(quantities, ~are_null(quantities), is_rounded)


def are_storable(texts: pa.Array, longest: int) -> np.ndarray:
    """Return which strings are there, hold no NUL, and are not too long (bool)."""
    is_storable = ~are_null(texts)
    lengths = pc.binary_length(texts).fill_null(0).to_numpy()
    if len(lengths) and lengths.max() > longest:
        is_storable &= pc.utf8_length(texts).fill_null(0).to_numpy() <= longest
    if not _is_utf8(texts):
        is_storable &= np.array([_is_decodable(each) for each in _bytes(texts)], bool)
    if _may_hold_nul(texts):
        has_nul = pc.match_substring(texts, "\0").fill_null(pa.scalar(value=False))
        is_storable &= ~has_nul.to_numpy(zero_copy_only=False)
    return is_storable


def _may_hold_nul(texts: pa.StringArray) -> bool:
    """Whether a NUL is in or between strings."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return False
    # Of a piece of a long column alone, whose buffers it shares.
    ends = np.frombuffer(offsets, np.int32)[texts.offset :]
    content = np.frombuffer(data, np.uint8)[ends[0] : ends[len(texts)]]
    return bool(len(content)) and int(content.min()) == 0


def are_null(column: pa.Array) -> np.ndarray:
    """Return which rows hold nothing (bool)."""
    if column.null_count == 0:
        return np.zeros(len(column), bool)
    is_null: np.ndarray = column.is_null().to_numpy(zero_copy_only=False)
    return is_null


def _digits(column: pa.Array) -> pa.Array:
    """Write floats as strings, with an exponent or without one."""
    # Arrow writes the shortest digits, but of 16 bits those of more.
    is_short = not pa.types.is_float16(column.type)
    return column.cast(pa.string()) if is_short else as_text(column)


def _read(texts: pa.Array, *, rounds: bool) -> tuple[pa.Array, np.ndarray]:
    """Return strings as quantities, null where one is not plain; and which are rounded."""
    is_usual = _match(texts, _PLAIN_VALUE)
    if pc.all(is_usual).as_py():
        return texts.cast(QUANTITY), np.zeros(len(texts), bool)
    is_long = pc.and_not(_match(texts, _LONG_VALUE), is_usual)
    long = pc.if_else(is_long, texts, None).cast(_LONG)
    found, is_rounded = _nearest(long, rounds=rounds)
    usual = pc.if_else(is_usual, texts, None).cast(QUANTITY)
    return pc.coalesce(usual, found), is_rounded


def _exact(numbers: pa.Array, *, rounds: bool) -> tuple[pa.Array, np.ndarray]:
    """Return integers or decimals as `_read` returns strings."""
    try:
        return _small(numbers).cast(QUANTITY), np.zeros(len(numbers), bool)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _nearest(numbers, rounds=rounds)


def _nearest(numbers: pa.Array, *, rounds: bool) -> tuple[pa.Array, np.ndarray]:
    """Return decimals as quantities, rounded half to even where that is asked for."""
    try:
        wide = _small(numbers).cast(pa.decimal256(76, numbers.type.scale))
        nearest = pc.round(wide, FRACTION_DIGITS, "half_to_even")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        # Of 76 digits or a scale of -20: the check of one event takes any number.
        return pa.nulls(len(numbers), QUANTITY), np.zeros(len(numbers), bool)
    changes = pc.not_equal(nearest, wide).fill_null(pa.scalar(value=False))
    if not rounds:
        nearest = pc.if_else(changes, None, nearest)
    is_rounded = changes.to_numpy(zero_copy_only=False)
    # Rounded up, a number may have a digit more.
    return _small(nearest).cast(QUANTITY), is_rounded


def _small(numbers: pa.Array) -> pa.Array:
    """Return integers or decimals, null where one has too many integer digits."""
    kind = numbers.type
    if pa.types.is_decimal(kind):
        digits = kind.precision - kind.scale
    else:
        digits = len(str(2**kind.bit_width))
    if digits <= INTEGER_DIGITS:
        return numbers
    limit = pa.scalar(10**INTEGER_DIGITS, pa.decimal128(38)).cast(kind)
    is_small = pc.less(numbers, limit)
    if not pa.types.is_unsigned_integer(kind):
        is_small = pc.and_(is_small, pc.greater(numbers, pc.negate(limit)))
    if pc.all(is_small).as_py():
        return numbers
    return pc.if_else(is_small, numbers, None)


def _match(texts: pa.Array, pattern: str) -> pa.Array:
    return pc.match_substring_regex(texts, pattern).fill_null(pa.scalar(value=False))


def _is_utf8(texts: pa.Array) -> bool:
    """Whether all is UTF-8: readers of Parquet and Arrow do not look."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _bytes(texts: pa.Array) -> list[bytes | None]:
    return list(texts.cast(pa.binary()).to_pylist())


def _is_decodable(text: bytes | None) -> bool:
    try:
        (text or b"").decode()
    except UnicodeDecodeError:
        return False
    return True
