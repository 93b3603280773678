"""Payload columns taken apart: the customer, the value, and the labels in canonical form.

As in `metering.arguments.columns`, each row comes with whether it plainly obeys the
rules of a payload; where it does not, the columns hold nothing of meaning.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ledger.usage.arrow import compute as pc
from ledger.usage.columns import PAYLOAD, words
from metering.arguments.arrow_types import texts_of
from metering.arguments.columns import are_null
from metering.usage.ingest.labels import is_key, labels_of


class PlainPayload(NamedTuple):
    """What a payload column holds: the customer, the value as a string, and the rest.

    Attributes:
        left_out: by name, the indices of the rows that lack this label.
    """

    customer: pa.Array | None
    value: pa.Array | None
    rest: pa.MapArray
    is_plain: np.ndarray
    left_out: Mapping[str, np.ndarray]


def no_plain_payload(rows: int) -> PlainPayload:
    """Return payloads none of which is plain."""
    nothing = np.zeros(rows, bool)
    return PlainPayload(None, None, _map_of({}, rows), nothing, {})


def plain_flat_payload(
    columns: Mapping[str, pa.Array], rows: int, customer_key: str, value_key: str | None
) -> PlainPayload:
    """Gather columns, one for each payload key, into a map for each row.

    A row without a value in a column does not have its key.
    """
    left_out: dict[str, np.ndarray] = {}
    texts: dict[str, pa.Array] = {}
    for name in sorted(columns.keys() - {customer_key, value_key}):
        if not is_key(name):
            left_out[name] = np.flatnonzero(~are_null(columns[name]))
            continue
        labels = labels_of(columns[name])
        texts[name] = labels.texts
        if labels.are_left_out is not None:
            left_out[name] = np.flatnonzero(labels.are_left_out)
    customer = columns.get(customer_key)
    value = None if value_key is None else columns.get(value_key)
    is_plain = np.ones(rows, bool)
    return PlainPayload(customer, value, _map_of(texts, rows), is_plain, left_out)


def plain_map_payload(
    column: pa.MapArray, customer_key: str, value_key: str | None
) -> PlainPayload:
    """Take the customer and the value out of maps, and put the labels in order."""
    rows = len(column)
    offsets = column.offsets.to_numpy()
    row = np.repeat(np.arange(rows), np.diff(offsets))
    names = words(column.keys[offsets[0] : offsets[-1]])
    items = column.items[offsets[0] : offsets[-1]]
    texts, are_left_out = labels_of(items)
    are_absent = are_null(texts)
    is_plain = ~are_null(column)
    distinct = [name or "" for name in texts_of(names.dictionary)]
    codes = names.indices.to_numpy()
    rank = np.empty(len(distinct), np.int64)
    rank[np.array(sorted(range(len(distinct)), key=distinct.__getitem__), int)] = (
        np.arange(len(distinct))
    )
    order = np.argsort(row * max(len(distinct), 1) + rank[codes], kind="stable")
    row, codes, are_absent = row[order], codes[order], are_absent[order]
    is_plain[row[1:][(row[1:] == row[:-1]) & (codes[1:] == codes[:-1])]] = False

    def pick(key: str) -> pa.Array:
        at = np.full(rows, -1)
        found = codes == distinct.index(key) if key in distinct else codes < 0
        is_plain[row[found & are_absent]] = False
        at[row[found]] = order[found]
        return texts.take(pa.array(at, mask=at < 0))

    customer = pick(customer_key)
    value = None if value_key is None else pick(value_key)
    are_keys = np.array([is_key(name) for name in distinct], bool)
    others = np.array(
        [name not in (customer_key, value_key) for name in distinct], bool
    )
    kept = (others & are_keys)[codes] & ~are_absent
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(np.bincount(row[kept], minlength=rows), out=offsets[1:])
    rest = pa.MapArray.from_arrays(
        pa.array(offsets),
        names.dictionary.take(pa.array(codes[kept])),
        texts.take(pa.array(order[kept])),
        type=PAYLOAD,
    )
    lost = ~are_keys[codes] & ~are_absent
    if are_left_out is not None:
        lost |= are_left_out[order]
    left_out = {
        distinct[code]: row[lost & (codes == code)] for code in np.unique(codes[lost])
    }
    return PlainPayload(customer, value, rest, is_plain, left_out)


def have_key(payload: pa.MapArray, key: str) -> np.ndarray:
    """Return (bool) which payloads have a key."""
    is_key = pc.equal(payload.keys, key).to_numpy(zero_copy_only=False)
    entries = np.flatnonzero(is_key)
    have = np.zeros(len(payload), bool)
    have[np.searchsorted(payload.offsets.to_numpy(), entries, side="right") - 1] = True
    return have


def _map_of(texts: Mapping[str, pa.Array], rows: int) -> pa.MapArray:
    """Gather columns of strings, sorted by name, into a map for each row."""
    if not texts:
        empty = pa.array([], pa.string())
        offsets = pa.array(np.zeros(rows + 1, np.int32))
        return pa.MapArray.from_arrays(offsets, empty, empty, type=PAYLOAD)
    # Row by row, the columns in turn.
    at = np.arange(rows * len(texts)).reshape(len(texts), rows).T.ravel()
    code = np.tile(np.arange(len(texts)), rows)
    present = ~np.stack([are_null(each) for each in texts.values()], axis=1)
    kept = present.ravel()
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(present.sum(axis=1), out=offsets[1:])
    items = pa.concat_arrays(list(texts.values()))
    if len(texts) > 1 or not kept.all():
        items = items.take(pa.array(at[kept]))
    return pa.MapArray.from_arrays(
        pa.array(offsets),
        pa.array(list(texts), pa.string()).take(pa.array(code[kept])),
        items,
        type=PAYLOAD,
    )
