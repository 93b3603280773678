"""The rows of a billing run, gathered to invoices wherever they lie.

Invoices come in the order in which they begin, and the lines of each in the order of
its rows. An invoice that comes again whole is a further one, so that it is answered as
a repetition; one that comes again in part is a single invoice with a line twice, which
the rules of an invoice refuse.
"""

import numpy as np
import pyarrow as pa

from ledger.usage.arrow import compute as pc


def invoices_of(invoices: pa.ChunkedArray, lines: pa.ChunkedArray) -> np.ndarray:
    """Return of each row the first row of its invoice (int64).

    Args:
        invoices: the name of each row's invoice (string). A row without one, or with an
            empty one, is an invoice by itself.
        lines: the id of each row's line (string).
    """
    begins = _first_of_each(_codes(invoices))
    is_nameless = pc.equal(invoices.fill_null(""), "").to_numpy()
    begins[is_nameless] = np.flatnonzero(is_nameless)
    if are_together(begins):
        return begins
    return _repetitions_apart(begins, _codes(lines))


def are_together(begins: np.ndarray) -> bool:
    """Whether the rows of each invoice are neighbours."""
    return bool((begins[1:] >= begins[:-1]).all())


def _repetitions_apart(begins: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Begin an invoice anew where it comes again whole."""
    times = _times_before(begins, lines)
    if not times.any():
        return begins
    times[~_comes_whole(begins, lines, times)[begins]] = 0
    return _first_rows(begins * (int(times.max()) + 1) + times)


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    """Return a number (int64) for each string, the same for equal ones."""
    chunks = column.fill_null("").dictionary_encode().chunks
    codes = [chunk.indices.to_numpy().astype(np.int64) for chunk in chunks]
    return np.concatenate([np.empty(0, np.int64), *codes])


def _first_of_each(codes: np.ndarray) -> np.ndarray:
    """Return of each row the first one of the same code; codes are few and not negative."""
    firsts = np.zeros(int(codes.max(initial=-1)) + 1, np.int64)
    # Of several rows, the one that is assigned last stays.
    firsts[codes[::-1]] = np.arange(len(codes))[::-1]
    first: np.ndarray = firsts[codes]
    return first


def _first_rows(names: np.ndarray) -> np.ndarray:
    """Return of each row the first one of the same name."""
    _, firsts, places = np.unique(names, return_index=True, return_inverse=True)
    return firsts[places].astype(np.int64)


def _times_before(begins: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Return of each row how many rows before it have the same invoice and line."""
    order = np.lexsort((lines, begins))
    is_other = np.ones(len(order), bool)
    is_other[1:] = (np.diff(begins[order]) != 0) | (np.diff(lines[order]) != 0)
    places = np.arange(len(order))
    times = np.empty(len(order), np.int64)
    times[order] = places - np.maximum.accumulate(np.where(is_other, places, 0))
    return times


def _comes_whole(
    begins: np.ndarray, lines: np.ndarray, times: np.ndarray
) -> np.ndarray:
    """Return (bool) by first row whether all lines of an invoice come equally often.

    A line twice among neighbours is no repetition of the invoice.
    """
    size = len(begins)
    rows = np.bincount(begins, minlength=size)
    different = np.bincount(begins[times == 0], minlength=size)
    most = np.zeros(size, np.int64)
    np.maximum.at(most, begins, times)
    is_whole: np.ndarray = rows == different * (most + 1)
    begins_stretch = np.ones(size, bool)
    begins_stretch[1:] = begins[1:] != begins[:-1]
    stretch = np.cumsum(begins_stretch)
    is_whole[begins[_times_before(stretch, lines) > 0]] = False
    return is_whole
