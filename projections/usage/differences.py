"""Differences of hourly usage: two folds of one stretch of the log, meter by meter.

A fold may lie in several parts, each with words of its own, mapped or in memory. A meter
is compared at a time, so that not all cells need be in memory, and the first cell that
differs can be named. What is mapped may have been changed meanwhile: nothing is taken for
granted of it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa

from ledger.usage.quantities import quantity_from_units
from projections.kernels.usage.decimals import widened, words_of_limbs
from projections.kernels.usage.dictionaries import WORDS, code_of, merged_words
from projections.kernels.usage.keys import (
    CUSTOMERS,
    HOURS,
    WINDOWED,
    customers_of,
    recode,
    rows_of_meter,
)
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.totals import Totals
from projections.usage.cancellations import Cancellations
from projections.usage.cells import UsageCells
from projections.usage.layers import CellsT, cells_together
from projections.usage.run import UsageRun

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_NO_METER = np.zeros(1, np.int64)
UNREADABLE = (pa.ArrowException, IndexError, ValueError, UnicodeDecodeError)
"""What reading cells may raise that were changed where they are mapped."""


class UsageParts(msgspec.Struct, frozen=True, kw_only=True):
    """All usage up to a position, in the parts in which it lies.

    Attributes:
        position: of the last entry.
        runs: of the sealed part of the log.
        tail: of what comes after it; None in a portion that is runs alone.
    """

    position: int
    runs: tuple[UsageRun, ...]
    tail: UsageCells | None

    def damaged_runs(self) -> Iterator[str]:
        """Yield the names of the runs that are not what was written any more."""
        for run in self.runs:
            if not run.file.is_as_written():
                yield run.file.path.name

    def meters(self) -> set[str]:
        """Return the event names that have usage."""
        names = [_checked(part.names).to_pylist() for part in self._parts]
        return {name for each in names for name in each}

    def of_meter(self, meter: str) -> "MeterFold":
        """Return the cells of a meter."""
        return MeterFold.merge([_of_meter(part, meter) for part in self._parts])

    def cancellations(self) -> Cancellations:
        """Return all cancellations."""
        return Cancellations.together([part.cancellations for part in self._parts])

    def beside(
        self, other: "UsageParts"
    ) -> Iterator[tuple["UsageParts", "UsageParts"]]:
        """Yield portions of both that hold the same stretch of the log.

        Each run that both have is one. What one of several runs holds may be of no
        account to answers now, and be of account later.
        """
        theirs = {run.file.identity: run for run in other.runs}
        ours = {run.file.identity: run for run in self.runs}
        for identity in ours.keys() & theirs.keys():
            yield (
                UsageParts(position=0, runs=(ours.pop(identity),), tail=None),
                UsageParts(position=0, runs=(theirs.pop(identity),), tail=None),
            )
        yield (
            msgspec.structs.replace(self, runs=tuple(ours.values())),
            msgspec.structs.replace(other, runs=tuple(theirs.values())),
        )

    @property
    def _parts(self) -> tuple[UsageRun | UsageCells, ...]:
        return self.runs if self.tail is None else (*self.runs, self.tail)


class MeterFold(msgspec.Struct, frozen=True, kw_only=True):
    """The cells of a meter; the code of the meter in keys is 0.

    Attributes:
        customers: in byte order; the index is the code of the customer.
        totals: one a key, sorted by key.
        lasts: one a key, sorted by key.
    """

    customers: pa.Array
    totals: Totals
    lasts: Lasts

    @classmethod
    def merge(cls, parts: Sequence["MeterFold"]) -> "MeterFold":
        """Return the cells of several parts, added up."""
        customers, recoded = _in_words_of_all(parts)
        return cls(
            customers=customers,
            totals=cells_together(Totals, [each.totals for each in recoded]),
            lasts=cells_together(Lasts, [each.lasts for each in recoded]),
        )

    def __len__(self) -> int:
        """Return how many cells there are."""
        return len(self.totals) + len(self.lasts)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellDifference:
    """A cell that is not what its events add up to.

    Attributes:
        hour: that it counts, or in which the window of a last begins.
        stored: what is stored, such as ``5 in 2 events``; None where there is no cell.
        right: what the events add up to; None where there should be no cell.
    """

    customer: str
    hour: datetime
    stored: str | None
    right: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterComparison:
    """What comparing the cells of a meter came to.

    Attributes:
        cells: how many there should be, or are.
        differing: how many are not what they should be.
        first: of them, by customer and hour; None where there is none.
    """

    cells: int
    differing: int
    first: CellDifference | None


def compared(stored: MeterFold, right: MeterFold) -> MeterComparison:
    """Compare the cells of a meter with those that its events add up to."""
    if (
        stored.customers.equals(right.customers)
        and stored.totals.equals(right.totals)
        and stored.lasts.equals(right.lasts)
    ):
        return MeterComparison(cells=len(right), differing=0, first=None)
    customers, (ours, theirs) = _in_words_of_all([stored, right])
    of_totals = _differing(ours.totals, theirs.totals, _totals_columns)
    of_lasts = _differing(ours.lasts, theirs.lasts, _lasts_columns)
    cells = len(np.union1d(ours.totals.key, theirs.totals.key))
    cells += len(np.union1d(ours.lasts.key, theirs.lasts.key))
    first = None
    if len(of_totals):
        key = int(of_totals[0])
        said = _total_at(ours.totals, key), _total_at(theirs.totals, key)
        first = _named(customers, key, *said)
    elif len(of_lasts):
        key = int(of_lasts[0])
        said = _last_at(ours.lasts, key), _last_at(theirs.lasts, key)
        first = _named(customers, key, *said)
    return MeterComparison(
        cells=cells, differing=len(of_totals) + len(of_lasts), first=first
    )


def _of_meter(part: UsageRun | UsageCells, meter: str) -> MeterFold:
    code = code_of(_checked(part.names), meter)
    if code is None:
        totals, lasts = Totals.none(), Lasts.none()
    else:
        totals = _of_code(Totals, _totals_of(part, code))
        lasts = _of_code(Lasts, _lasts_of(part, code))
    codes = customers_of(np.concatenate([totals.key, lasts.key]))
    used = np.flatnonzero(np.bincount(codes)) if len(codes) else codes
    customers = _checked(part.customers)
    new = np.zeros(len(customers), np.int64)
    new[used] = np.arange(len(used))
    kept = customers.cast(WORDS).take(pa.array(used))
    return _recoded(MeterFold(customers=kept, totals=totals, lasts=lasts), kept, new)


def _totals_of(part: UsageRun | UsageCells, code: int) -> list[Totals]:
    if isinstance(part, UsageCells):
        return [part.totals.pick(rows) for rows in _rows(part.totals.key, code)]
    stored = part.totals
    return [stored.pick(rows, stored.key[rows]) for rows in _rows(stored.key, code)]


def _lasts_of(part: UsageRun | UsageCells, code: int) -> list[Lasts]:
    if isinstance(part, UsageCells):
        return [part.lasts.pick(rows) for rows in _rows(part.lasts.key, code)]
    stored = part.lasts
    return [stored.pick(rows, stored.key[rows]) for rows in _rows(stored.key, code)]


def _rows(keys: np.ndarray, code: int) -> list[slice]:
    return [
        rows_of_meter(keys, code, is_windowed=is_windowed)
        for is_windowed in (False, True)
    ]


def _of_code(kind: type[CellsT], parts: Sequence[CellsT]) -> CellsT:
    """Return the cells of a meter, whose code becomes 0."""
    cells = cells_together(kind, parts)
    return cells.with_key(cells.key & (WINDOWED | CUSTOMERS | HOURS))


def _in_words_of_all(parts: Sequence[MeterFold]) -> tuple[pa.Array, list[MeterFold]]:
    """Return all customers of some parts, and the parts with codes of them."""
    customers, codings = merged_words([part.customers for part in parts])
    return customers, [
        _recoded(part, customers, codes)
        for part, codes in zip(parts, codings, strict=True)
    ]


def _recoded(cells: MeterFold, customers: pa.Array, codes: np.ndarray) -> MeterFold:
    totals, lasts = cells.totals, cells.lasts
    return MeterFold(
        customers=customers,
        totals=totals.with_key(recode(totals.key, _NO_METER, codes)),
        lasts=lasts.with_key(recode(lasts.key, _NO_METER, codes)),
    )


def _checked(words: pa.Array) -> pa.Array:
    """Return words that can be read, wherever their offsets lie.

    Raises:
        ArrowInvalid: they cannot.
    """
    words.validate(full=True)
    return words


# Finding what differs.


def _differing(
    ours: CellsT, theirs: CellsT, columns: Callable[[CellsT], np.ndarray]
) -> np.ndarray:
    """Return the keys (ascending) of cells that differ, or that only one side has."""
    one_sided = np.setxor1d(ours.key, theirs.key, assume_unique=True)
    common, at, there = np.intersect1d(
        ours.key, theirs.key, assume_unique=True, return_indices=True
    )
    left, right = columns(ours.pick(at)), columns(theirs.pick(there))
    widest = max(len(left), len(right))
    differ = (widened(left, widest) != widened(right, widest)).any(axis=0)
    keys: np.ndarray = np.sort(np.concatenate([one_sided, common[differ]]))
    return keys


def _totals_columns(totals: Totals) -> np.ndarray:
    # The count comes first, as the highest row is widened.
    return np.concatenate([totals.count[None, :], words_of_limbs(totals.limbs)])


def _lasts_columns(lasts: Lasts) -> np.ndarray:
    columns = (lasts.count, lasts.timestamp, lasts.position)
    return np.concatenate([np.stack(columns), lasts.words])


def _named(
    customers: pa.Array, key: int, stored: str | None, right: str | None
) -> CellDifference:
    code = int(customers_of(np.array([key], np.uint64))[0])
    return CellDifference(
        customer=customers[code].as_py(),
        hour=_EPOCH + (key & int(HOURS)) * _HOUR,
        stored=stored,
        right=right,
    )


def _total_at(totals: Totals, key: int) -> str | None:
    at = np.flatnonzero(totals.key == np.uint64(key))
    if not len(at):
        return None
    return _counted(totals.sum_units(int(at[0])), int(totals.count[at[0]]))


def _last_at(lasts: Lasts, key: int) -> str | None:
    at = np.flatnonzero(lasts.key == np.uint64(key))
    if not len(at):
        return None
    last = f"the last of them at position {lasts.position[at[0]]}"
    counted = _counted(lasts.value_units(int(at[0])), int(lasts.count[at[0]]))
    return f"{counted}, {last}"


def _counted(units: int, count: int) -> str:
    return f"{quantity_from_units(units).normalize():f} in {count} event{'' if count == 1 else 's'}"
