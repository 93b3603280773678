"""Watched groups: the steps of usage that adds up, and what it was before them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
    widened,
)
from projections.kernels.usage.series import Series
from projections.kernels.usage.totals import Totals
from projections.usage.summaries import Summaries
from projections.usage.view import UsageView
from projections.windows import END, HOUR

GroupKey = tuple[str, int | None]
"""A customer, and where its window starts; None is all time."""

# More could be numbered by index, but in more memory than sorting takes.
_DENSE_GROUPS = 1 << 23


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The groups that some rows belong to, by customer and window.

    Attributes:
        keys: of each group.
        windows: what the starts in the keys are of; None for all time.
    """

    question: UsageQuestion
    rows: PendingRows
    keys: list[GroupKey]
    windows: Windows | None
    _codes: Callable[[CodedPiece], np.ndarray]
    _number: Callable[[np.ndarray], np.ndarray]

    def __len__(self) -> int:
        """Count the groups."""
        return len(self.keys)

    def steps(self) -> list[MakeSteps]:
        """Get what makes the steps, part by part; in the order of positions."""
        if not self.rows.are_events:
            return [self._ordered_steps]
        return [partial(self._steps, piece) for piece in self.rows.pieces]

    def timestamps_at(self, positions: np.ndarray) -> dict[int, int]:
        """Find the timestamps of the events at some positions (int64)."""
        positions = np.unique(positions)
        found: dict[int, int] = {}
        for piece in (each.piece for each in self.rows.pieces):
            if piece.are_events:
                have = piece.position
                rows = np.searchsorted(have, positions)
                rows[rows == len(have)] = 0
                are_here = have[rows] == positions
                timestamps = piece.timestamp[rows[are_here]].tolist()
                at = positions[are_here].tolist()
                found.update(zip(at, timestamps, strict=True))
        return found

    def _steps(self, coded: CodedPiece, wanted: np.ndarray | None) -> Steps:
        group = self._number(self._codes(coded))
        position, words = coded.piece.position, coded.piece.words
        if wanted is not None:
            are_wanted = wanted[group]
            group, position = group[are_wanted], position[are_wanted]
            words = words[:, are_wanted]
        return Steps(
            group=group, position=position, limbs=self._limbs(words), is_event=None
        )

    def _ordered_steps(self, wanted: np.ndarray | None) -> Steps:
        """Put cancellations where they were recorded."""
        pieces = [each.piece for each in self.rows.pieces]
        position = np.concatenate([piece.position for piece in pieces])
        order = np.argsort(position, kind="stable")
        group = np.concatenate([self._codes(each) for each in self.rows.pieces])
        words = np.concatenate([widened(each.words, 2) for each in pieces], axis=1)
        is_event = np.concatenate(
            [np.full(len(piece), piece.are_events) for piece in pieces]
        )
        limbs = self._limbs(words, ~is_event)
        group = self._number(group)
        if wanted is not None:
            order = order[wanted[group[order]]]
        return Steps(
            group=group[order],
            position=position[order],
            limbs=limbs[:, order],
            is_event=is_event[order],
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
    """Group rows, of which there is at least one, by customer and window."""
    words = len(rows.customers)
    windows = None
    starts: list[int | None] = [None]
    codes: Callable[[CodedPiece], np.ndarray] = _customer_of
    if question.recurrence is not Recurrence.ONE_TIME:
        span = rows.time_span()
        windows = question.windows(span)
        assert windows is not None, "time is split"
        boundaries = windows.boundaries()
        first, last = (np.searchsorted(boundaries, span, side="right") - 1).tolist()
        starts = boundaries[first : last + 1].tolist()

        def codes(coded: CodedPiece) -> np.ndarray:
            timestamp = coded.piece.timestamp
            window = np.searchsorted(boundaries, timestamp, side="right")
            of_window: np.ndarray = (window - 1 - first) * words + coded.customer
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


def _customer_of(coded: CodedPiece) -> np.ndarray:
    return coded.customer


def _numbered(
    rows: PendingRows, codes: Callable[[CodedPiece], np.ndarray], count: int
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Number the codes that occur, of so many: the codes, and what numbers them."""
    if count > _DENSE_GROUPS:
        found = np.unique(np.concatenate([codes(piece) for piece in rows.pieces]))
        return found, lambda code: np.searchsorted(found, code)
    do_occur = np.zeros(count, bool)
    for piece in rows.pieces:
        do_occur[codes(piece)] = True
    found = np.flatnonzero(do_occur)
    numbers = np.zeros(count, np.int64)
    numbers[found] = np.arange(len(found))
    return found, lambda code: numbers[code]


def usage_before(
    question: UsageQuestion,
    groups: Groups,
    known: Mapping[GroupKey, int],
    view: UsageView,
    summaries: Summaries,
) -> list[int]:
    """Find the usage of each group as of a view, in what the question counts in.

    Args:
        question: whose meter's events all add up.
        groups: of which to find it.
        known: usage of some groups, found before.
        view: of usage.
        summaries: reads what hourly totals do not tell.
    """
    keys = groups.keys
    found = {key: known[key] for key in keys if key in known} if known else {}
    missing = [key for key in keys if key not in found] if found else keys
    spans = _spans(groups.windows, [start for _, start in missing])
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
    """Find where windows begin and end, within recorded time: two by windows."""
    if windows is None:
        return np.repeat([[0], [END]], len(starts), axis=1)
    begins = np.array(starts, np.int64)
    return np.stack([begins, windows.ends_of(begins)]).clip(0, END)
