"""Payload columns taken apart: the customer, the value, and the rest in canonical form.

As in `metering.arguments.columns`, each row comes with whether it plainly obeys the
rules of a payload; where it does not, the columns hold nothing of meaning.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ledger.usage.columns import PAYLOAD, words
from metering.arguments.arrow_types import as_text, texts_of
from metering.arguments.columns import are_null, are_storable
from metering.arguments.strings import LONGEST_NAME, LONGEST_TEXT, is_storable


class PlainPayload(NamedTuple):
    """What a payload column holds: the customer, the value as a string, and the rest."""

    customer: pa.Array | None
    value: pa.Array | None
    rest: pa.MapArray
    is_plain: np.ndarray


def plain_flat_payload(columns: Mapping[str, pa.Array], rows: int) -> PlainPayload:
    """Gather columns, one for each payload key, into a map for each row.

    A row without a value in a column does not have its key.
    """
    names = sorted(columns)
    is_plain = np.full(rows, all(_is_plain_key(name) for name in names))
    texts = [as_text(columns[name]) for name in names]
    for text in texts:
        is_plain &= are_storable(text, LONGEST_TEXT) | are_null(text)
    if not names:
        empty = pa.array([], pa.string())
        offsets = pa.array(np.zeros(rows + 1, np.int32))
        rest = pa.MapArray.from_arrays(offsets, empty, empty, type=PAYLOAD)
        return PlainPayload(None, None, rest, is_plain)
    # Row by row, the columns in turn.
    at = np.arange(rows * len(names)).reshape(len(names), rows).T.ravel()
    code = np.tile(np.arange(len(names)), rows)
    present = ~np.stack([are_null(text) for text in texts], axis=1)
    kept = present.ravel()
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(present.sum(axis=1), out=offsets[1:])
    rest = pa.MapArray.from_arrays(
        pa.array(offsets),
        pa.array(names, pa.string()).take(pa.array(code[kept])),
        pa.concat_arrays(texts).take(pa.array(at[kept])),
        type=PAYLOAD,
    )
    return PlainPayload(None, None, rest, is_plain)


def plain_map_payload(
    column: pa.MapArray, customer_key: str, value_key: str | None
) -> PlainPayload:
    """Take the customer and the value out of maps, and put the rest in order."""
    rows = len(column)
    offsets = column.offsets.to_numpy()
    row = np.repeat(np.arange(rows), np.diff(offsets))
    names = words(column.keys[offsets[0] : offsets[-1]])
    texts = as_text(column.items[offsets[0] : offsets[-1]])
    is_plain = ~are_null(column)
    is_plain[row[~are_storable(texts, LONGEST_TEXT)]] = False
    distinct = [name or "" for name in texts_of(names.dictionary)]
    plain_names = np.array([_is_plain_key(name) for name in distinct], bool)
    codes = names.indices.to_numpy()
    is_plain[row[~plain_names[codes]]] = False
    rank = np.empty(len(distinct), np.int64)
    rank[np.array(sorted(range(len(distinct)), key=distinct.__getitem__), int)] = (
        np.arange(len(distinct))
    )
    order = np.argsort(row * max(len(distinct), 1) + rank[codes], kind="stable")
    row, codes = row[order], codes[order]
    is_plain[row[1:][(row[1:] == row[:-1]) & (codes[1:] == codes[:-1])]] = False

    def pick(key: str) -> pa.Array:
        at = np.full(rows, -1)
        found = codes == distinct.index(key) if key in distinct else codes < 0
        at[row[found]] = order[found]
        return texts.take(pa.array(at, mask=at < 0))

    others = np.array(
        [name not in (customer_key, value_key) for name in distinct], bool
    )
    kept = others[codes]
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(np.bincount(row[kept], minlength=rows), out=offsets[1:])
    rest = pa.MapArray.from_arrays(
        pa.array(offsets),
        names.dictionary.take(pa.array(codes[kept])),
        texts.take(pa.array(order[kept])),
        type=PAYLOAD,
    )
    value = None if value_key is None else pick(value_key)
    return PlainPayload(pick(customer_key), value, rest, is_plain)


def have_key(payload: pa.MapArray, key: str) -> np.ndarray:
    """Return (bool) which payloads have a key."""
    is_key = pc.equal(payload.keys, key).to_numpy(zero_copy_only=False)
    entries = np.flatnonzero(is_key)
    have = np.zeros(len(payload), bool)
    have[np.searchsorted(payload.offsets.to_numpy(), entries, side="right") - 1] = True
    return have


def _is_plain_key(name: str) -> bool:
    return len(name) <= LONGEST_NAME and is_storable(name)
