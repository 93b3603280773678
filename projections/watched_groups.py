"""Watched groups: the steps of usage that adds up, and what it was before them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ledger.alerts import Recurrence
from projections.calendar import Windows
from projections.kernels.decimals import limbs_of, negated, numbers_of_limbs
from projections.kernels.thresholds import Steps
from projections.kernels.totals import Totals
from projections.series import Series
from projections.summaries import Summaries
from projections.usage_view import UsageView
from projections.watched_questions import Question
from projections.watched_rows import Piece, WatchedRows
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

    question: Question
    rows: WatchedRows
    keys: list[GroupKey]
    windows: Windows | None
    _codes: Callable[[Piece], np.ndarray]
    _number: Callable[[np.ndarray], np.ndarray]

    def __len__(self) -> int:
        """Count the groups."""
        return len(self.keys)

    def steps(self) -> Iterator[Steps]:
        """Make the steps, piece by piece, anew each time; in the order of positions."""
        if not self.rows.are_events:
            yield self._ordered_steps()
            return
        for piece in self.rows.pieces:
            yield Steps(
                group=self._number(self._codes(piece)),
                position=piece.position,
                limbs=self._limbs(piece.words),
                is_event=None,
            )

    def timestamp_at(self, position: int) -> int:
        """Find the timestamp of the event at a position."""
        for piece in self.rows.pieces:
            part = piece.part
            at = int(np.searchsorted(part.position, position))
            if at < len(part.position) and part.position[at] == position:
                return int(part.timestamp[at])
        raise AssertionError("the position is that of a row")

    def _ordered_steps(self) -> Steps:
        """Put cancellations where they were recorded."""
        pieces = self.rows.pieces
        position = np.concatenate([piece.position for piece in pieces])
        order = np.argsort(position, kind="stable")
        group = np.concatenate([self._codes(piece) for piece in pieces])
        words = np.concatenate([piece.words for piece in pieces], axis=1)
        is_event = np.concatenate(
            [np.full(len(piece), piece.part.are_events) for piece in pieces]
        )
        limbs = self._limbs(words, ~is_event)
        return Steps(
            group=self._number(group[order]),
            position=position[order],
            limbs=limbs[:, order],
            is_event=is_event[order],
        )

    def _limbs(
        self, words: np.ndarray, are_cancelled: np.ndarray | None = None
    ) -> np.ndarray:
        if self.question.is_counted:
            words = np.stack([np.ones(words.shape[1], np.int64), words[1] * 0])
        if are_cancelled is not None:
            words = negated(words, are_cancelled)
        return limbs_of(words)


def group_rows(question: Question, rows: WatchedRows) -> Groups:
    """Group rows, of which there is at least one, by customer and window."""
    words = len(rows.customers)
    windows = None
    starts: list[int | None] = [None]
    codes: Callable[[Piece], np.ndarray] = _customer_of
    if question.recurrence is not Recurrence.ONE_TIME:
        span = rows.time_span()
        windows = question.windows(span)
        assert windows is not None, "time is split"
        boundaries = windows.boundaries()
        first, last = (np.searchsorted(boundaries, span, side="right") - 1).tolist()
        starts = boundaries[first : last + 1].tolist()

        def codes(piece: Piece) -> np.ndarray:
            window = np.searchsorted(boundaries, piece.timestamp, side="right")
            of_window: np.ndarray = (window - 1 - first) * words + piece.customer
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


def _customer_of(piece: Piece) -> np.ndarray:
    return piece.customer


def _numbered(
    rows: WatchedRows, codes: Callable[[Piece], np.ndarray], count: int
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
    question: Question,
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
    found = {key: known[key] for key in groups.keys if key in known}
    missing = [key for key in groups.keys if key not in found]
    spans = [_span(groups.windows, start) for _, start in missing]
    whole = [at for at, span in enumerate(spans) if _is_of_hours(span)]
    if whole:
        hours = np.array([spans[at] for at in whole], np.int64).T // HOUR
        totals = view.totals_of_many(
            question.meter.event_name, [missing[at][0] for at in whole], hours
        )
        found |= dict.fromkeys((missing[at] for at in whole), 0)
        for at, usage in zip(
            totals.key.tolist(), _usage(question, totals), strict=True
        ):
            found[missing[whole[at]]] = usage
    for key, span in zip(missing, spans, strict=True):
        if key not in found:
            series = Series(meter=question.meter, customer=key[0])
            units = summaries.units(view, series, *span)
            found[key] = question.counted(units)
    return [found[key] for key in groups.keys]


def _usage(question: Question, totals: Totals) -> list[int]:
    if question.is_counted:
        counts: list[int] = totals.count.tolist()
        return counts
    return numbers_of_limbs(totals.limbs)


def _span(windows: Windows | None, start: int | None) -> tuple[int, int]:
    """Find where a window begins and ends, within recorded time."""
    if windows is None or start is None:
        return 0, END
    end = int(windows.ends_of(np.array([start]))[0])
    return max(0, start), min(end, END)


def _is_of_hours(span: Sequence[int]) -> bool:
    return all(bound % HOUR == 0 for bound in span)
