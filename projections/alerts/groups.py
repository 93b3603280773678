"""Groups of pending rows by customer and window, and their usage before."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ledger.facts.alerts import Recurrence
from projections.alerts.questions import UsageQuestion
from projections.alerts.rows import CodedPiece, PendingRows
from projections.calendar import Windows
from projections.kernels.alerts.thresholds import MakeSteps, Steps
from projections.kernels.usage.decimals import (
    limbs_of,
    negated,
    numbers_of_limbs,
)
from projections.kernels.usage.series import Series
from projections.kernels.usage.totals import Totals
from projections.usage.summaries import Summaries
from projections.usage.view import UsageView
from projections.windows import END, HOUR

GroupKey = tuple[str, int | None]
"""A customer, and where the window starts; None is all time."""

_CodesOfGroups = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Returns the codes of groups, given codes of customers and timestamps (int64)."""

# More could be numbered by index, but in more memory than sorting takes.
_DENSE_GROUPS = 1 << 23
_GROUPS_KEPT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The groups of pending rows, by customer and window.

    Attributes:
        keys: of each group.
        windows: the windows that start at the keys' instants; None for all time.
    """

    question: UsageQuestion
    rows: PendingRows
    keys: list[GroupKey]
    windows: Windows | None
    _codes: _CodesOfGroups
    _number: Callable[[np.ndarray], np.ndarray]

    def __len__(self) -> int:
        """Return how many groups there are."""
        return len(self.keys)

    def steps(self) -> list[MakeSteps]:
        """Return what makes the steps, part by part, in the order of positions."""
        if not self.rows.are_events:
            return [self._ordered_steps]
        return [partial(self._steps, piece) for piece in self.rows.pieces]

    def places(self) -> list[tuple[int, int, int]]:
        """Return of each part its first position, its last one, and how many rows it has."""
        found = [
            (piece.first, int(piece.position[-1]), len(piece))
            for piece in (each.piece for each in self.rows.pieces)
        ]
        if self.rows.are_events:
            return found
        firsts, lasts, counts = zip(*found, strict=True)
        return [(min(firsts), max(lasts), sum(counts))]

    def _steps(self, coded: CodedPiece, wanted: np.ndarray | None) -> Steps:
        piece = coded.piece
        group = self._number(self._codes(coded.customer, piece.timestamp))
        position, words = piece.position, piece.words
        if wanted is not None:
            are_wanted = wanted[group]
            group, position = group[are_wanted], position[are_wanted]
            words = words[:, are_wanted]
        return Steps(
            group=group, position=position, limbs=self._limbs(words), is_event=None
        )

    def _ordered_steps(self, wanted: np.ndarray | None) -> Steps:
        """Return the steps with cancellations where they were recorded."""
        rows = self.rows.in_order()
        group = self._number(self._codes(rows.customer, rows.timestamp))
        if wanted is not None:
            at = np.flatnonzero(wanted[group])
            group, rows = group[at], rows.pick(at)
        return Steps(
            group=group,
            position=rows.position,
            limbs=self._limbs(rows.words, rows.is_taken),
            is_event=rows.is_event,
        )

    def _limbs(
        self, words: np.ndarray, are_cancelled: np.ndarray | None = None
    ) -> np.ndarray:
        if self.question.is_counted:
            words = np.stack([np.ones(words.shape[1], np.int64), words[0] * 0])
        if are_cancelled is not None:
            words = negated(words, are_cancelled)
        return limbs_of(words)


def group_rows(question: UsageQuestion, rows: PendingRows) -> Groups:
    """Group at least one row by customer and window."""
    words = len(rows.customers)
    windows = None
    starts: list[int | None] = [None]
    codes: _CodesOfGroups = _customers_alone
    if question.recurrence is not Recurrence.ONE_TIME:
        span = rows.time_span()
        windows = question.windows(span)
        assert windows is not None, "time is split"
        boundaries = windows.boundaries()
        first, last = (np.searchsorted(boundaries, span, side="right") - 1).tolist()
        starts = boundaries[first : last + 1].tolist()

        def codes(customer: np.ndarray, timestamp: np.ndarray) -> np.ndarray:
            window = np.searchsorted(boundaries, timestamp, side="right")
            of_window: np.ndarray = (window - 1 - first) * words + customer
            return of_window

    found, number = _numbered(rows, codes, words * len(starts))
    return Groups(
        question=question,
        rows=rows,
        keys=[
            (rows.customers[customer], starts[window])
            for window, customer in (divmod(each, words) for each in found.tolist())
        ],
        windows=windows,
        _codes=codes,
        _number=number,
    )


def groups_of_named(
    keys: Sequence[GroupKey], customers: Collection[str | None]
) -> dict[str, list[int]]:
    """Return the groups of each customer that is named, by index of their keys."""
    found: dict[str, list[int]] = {each: [] for each in customers if each is not None}
    if found:
        for group, (customer, _) in enumerate(keys):
            if customer in found:
                found[customer].append(group)
    return found


def _customers_alone(customer: np.ndarray, timestamp: np.ndarray) -> np.ndarray:
    del timestamp
    return customer


def _numbered(
    rows: PendingRows, codes: _CodesOfGroups, count: int
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Number the codes that occur, of `count`; return them and what numbers them."""
    occurring = (codes(each.customer, each.piece.timestamp) for each in rows.pieces)
    if count > _DENSE_GROUPS:
        found = np.unique(np.concatenate(list(occurring)))
        return found, lambda code: np.searchsorted(found, code)
    do_occur = np.zeros(count, bool)
    for code in occurring:
        do_occur[code] = True
    found = np.flatnonzero(do_occur)
    numbers = np.zeros(count, np.int64)
    numbers[found] = np.arange(len(found))
    return found, lambda code: numbers[code]


@dataclass(slots=True, kw_only=True)
class KnownUsage:
    """Usage of groups at a position, kept for the next evaluation.

    Attributes:
        customers: whose usage was counted; None is every customer's.
    """

    position: int
    customers: frozenset[str] | None
    usage: dict[GroupKey, int] = field(default_factory=dict)

    def put(self, keys: Sequence[GroupKey], usage: Sequence[int]) -> None:
        """Keep the usage of groups, and forget others if there are very many."""
        if len(self.usage) > _GROUPS_KEPT:
            self.usage.clear()
        self.usage.update(zip(keys, usage, strict=True))


def known_at(
    position: int, customers: frozenset[str] | None, known: KnownUsage | None
) -> KnownUsage:
    """Return known usage to go on from, empty unless it is that of a position."""
    if known is not None and (known.position, known.customers) == (position, customers):
        return known
    return KnownUsage(position=position, customers=customers)


def usage_before(  # what is asked, what is known, and where the rest is
    question: UsageQuestion,
    keys: Sequence[GroupKey],
    windows: Windows | None,
    known: Mapping[GroupKey, int],
    view: UsageView,
    summaries: Summaries,
) -> list[int]:
    """Return the usage of each group in a view, in the question's unit.

    Args:
        question: on a meter whose events all add up.
        keys: of the groups.
        windows: the windows that start at the keys' instants; None for all time.
        known: usage of some groups in the same view.
        view: of usage.
        summaries: reads usage of windows that are no whole hours.
    """
    found = {key: known[key] for key in keys if key in known} if known else {}
    missing = [key for key in keys if key not in found] if found else keys
    spans = _spans(windows, [start for _, start in missing])
    are_whole = (spans % HOUR == 0).all(axis=0)
    whole = np.flatnonzero(are_whole).tolist()
    if whole:
        totals = view.totals_of_many(
            question.meter.event_name,
            [missing[at][0] for at in whole],
            spans[:, are_whole] // HOUR,
        )
        found |= dict.fromkeys((missing[at] for at in whole), 0)
        for at, usage in zip(
            totals.key.tolist(), _usage(question, totals), strict=True
        ):
            found[missing[whole[at]]] = usage
    for at in np.flatnonzero(~are_whole).tolist():
        series = Series(meter=question.meter, customer=missing[at][0])
        units = summaries.units(view, series, *spans[:, at].tolist())
        found[missing[at]] = question.counted(units)
    return [found[key] for key in keys]


def _usage(question: UsageQuestion, totals: Totals) -> list[int]:
    if question.is_counted:
        counts: list[int] = totals.count.tolist()
        return counts
    return numbers_of_limbs(totals.limbs)


def _spans(windows: Windows | None, starts: Sequence[int | None]) -> np.ndarray:
    """Return where windows begin and end, within recorded time: two by windows."""
    if windows is None:
        return np.repeat([[0], [END]], len(starts), axis=1)
    begins = np.array(starts, np.int64)
    return np.stack([begins, windows.ends_of(begins)]).clip(0, END)
