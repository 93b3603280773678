"""Columns of arguments: for each row a value, and whether it plainly obeys the rules.

Every function returns a column of full length and a mask (bool). Where the mask is False
the column holds nothing of meaning, and the row has to be checked by itself: the masks
err on the side of False.
"""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ledger.usage.columns import words
from ledger.usage.quantities import FRACTION_DIGITS, INTEGER_DIGITS, QUANTITY
from metering.arguments.arrow_types import as_text, texts_of
from metering.arguments.strings import LONGEST_NAME
from metering.arguments.times import Time

_PLAIN_VALUE = rf"^-?[0-9]{{1,{INTEGER_DIGITS}}}(\.[0-9]{{1,{FRACTION_DIGITS}}})?$"
_PLAIN_TIME = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$"
_OFFSET = re.compile(r"(Z|[+-]\d\d:\d\d)$")
_PER_MICROSECOND = {"s": 1_000_000, "ms": 1_000, "us": 1}
# Beyond these, multiplying seconds would leave the range of int64.
_MOST_SECONDS = 1 << 42


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


def plain_timestamps(
    column: pa.Array, earliest: int, latest: int
) -> tuple[np.ndarray, np.ndarray]:
    """Take timestamps in ``[earliest, latest]``, as int64 microseconds since 1970."""
    instants, is_plain = _instants(column)
    is_plain &= (instants >= earliest) & (instants <= latest)
    return instants, is_plain


def plain_values(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Take quantities that are written without an exponent, or are numbers already."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        matches = pc.match_substring_regex(column, _PLAIN_VALUE).fill_null(
            pa.scalar(value=False)
        )
        if not pc.all(matches).as_py():
            column = pc.if_else(matches, column, pa.scalar(None, column.type))
    try:
        values = column.cast(QUANTITY)
    except pa.ArrowInvalid:
        # At least one number has too many digits; the check of one event finds which.
        return pa.nulls(len(column), QUANTITY), np.zeros(len(column), bool)
    return values, values.is_valid().to_numpy(zero_copy_only=False)


def times_of(column: pa.Array) -> list[Time | None]:
    """Read times as strings with all their digits, or as whole seconds."""
    if pa.types.is_integer(column.type):
        return list(column.to_pylist())
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        # In UTC, since the last hours of the year 9999 are in no year of other zones.
        column = column.cast(pa.timestamp(column.type.unit, "UTC"))
    return list(texts_of(column.cast(pa.string())))


def are_storable(texts: pa.Array, longest: int) -> np.ndarray:
    """Return which strings are there, hold no NUL, and are not too long (bool)."""
    is_storable = ~are_null(texts)
    lengths = pc.binary_length(texts).fill_null(0).to_numpy()
    if len(lengths) and lengths.max() > longest:
        is_storable &= pc.utf8_length(texts).fill_null(0).to_numpy() <= longest
    if not _is_utf8(texts):
        is_storable &= np.array([_is_decodable(each) for each in _bytes(texts)], bool)
    data = texts.buffers()[2]
    if data is not None and b"\0" in memoryview(data).tobytes():
        has_nul = pc.match_substring(texts, "\0").fill_null(pa.scalar(value=False))
        is_storable &= ~has_nul.to_numpy(zero_copy_only=False)
    return is_storable


def are_null(column: pa.Array) -> np.ndarray:
    """Return which rows hold nothing (bool)."""
    if column.null_count == 0:
        return np.zeros(len(column), bool)
    is_null: np.ndarray = column.is_null().to_numpy(zero_copy_only=False)
    return is_null


def _instants(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    nothing = np.zeros(len(column), np.int64), np.zeros(len(column), bool)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        parsed = _parsed(column)
        if parsed is None:
            return nothing
        column = parsed
    is_plain = ~are_null(column)
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    if pa.types.is_integer(column.type):
        seconds = column.cast(pa.int64(), safe=False).fill_null(0).to_numpy()
        is_plain &= (seconds >= 0) & (seconds < _MOST_SECONDS)
        return np.where(is_plain, seconds, 0) * 1_000_000, is_plain
    counts = column.view(pa.int64()).fill_null(0).to_numpy()
    if column.type.unit == "ns":
        is_plain &= counts % 1000 == 0
        return counts // 1000, is_plain
    factor = _PER_MICROSECOND[column.type.unit]
    is_plain &= (counts >= 0) & (counts < _MOST_SECONDS * (1_000_000 // factor))
    return np.where(is_plain, counts, 0) * factor, is_plain


def _parsed(texts: pa.Array) -> pa.Array | None:
    """Parse ISO 8601 strings that are all in UTC, or all carry an offset."""
    # Arrow reads more than the check of one event does, such as an hour without minutes.
    is_usual = pc.match_substring_regex(texts, _PLAIN_TIME).fill_null(
        pa.scalar(value=False)
    )
    if not pc.all(is_usual).as_py():
        texts = pc.if_else(is_usual, texts, pa.scalar(None, pa.string()))
    kinds = [pa.timestamp("ns"), pa.timestamp("ns", "UTC")]
    # A cast that fails takes ten times as long as one that does not.
    if len(texts) and _OFFSET.search(texts[0].as_py() or ""):
        kinds.reverse()
    for kind in kinds:
        try:
            return texts.cast(kind)
        except pa.ArrowInvalid:
            continue
    return None


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
