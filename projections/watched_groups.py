"""Watched groups: the steps of usage that adds up, and what it was before them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from projections.calendar import Windows
from projections.kernels.decimals import limbs_of, negated, numbers_of_limbs
from projections.kernels.thresholds import Steps
from projections.kernels.totals import Totals
from projections.series import Series
from projections.summaries import Summaries
from projections.usage_view import UsageView
from projections.watched_questions import Question
from projections.watched_rows import WatchedRows
from projections.windows import END, HOUR

GroupKey = tuple[str, int | None]
"""A customer, and where its window starts; None is all time."""

# More could be counted by index, but in more memory than sorting takes.
_DENSE_GROUPS = 1 << 23


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The groups that some rows belong to.

    Attributes:
        keys: of each group.
        windows: what the starts in the keys are of; None for all time.
        steps: the rows, in their order.
    """

    keys: list[GroupKey]
    windows: Windows | None
    steps: Steps

    def __len__(self) -> int:
        """Count the groups."""
        return len(self.keys)


def group_rows(question: Question, rows: WatchedRows) -> Groups:
    """Group rows, of which there is at least one, by customer and window."""
    windows = question.windows(rows.timestamp)
    code = rows.customer.astype(np.int64)
    words = len(rows.customers)
    starts: list[int | None] = [None]
    if windows is not None:
        boundaries = windows.boundaries()
        window = np.searchsorted(boundaries, rows.timestamp, side="right") - 1
        first = int(window.min())
        code += (window - first) * words
        starts = boundaries[first : int(window.max()) + 1].tolist()
    codes, group = _dense(code, words * len(starts))
    keys = [
        (rows.customers[customer], starts[window])
        for window, customer in (divmod(each, words) for each in codes.tolist())
    ]
    if question.is_counted:
        limbs = limbs_of(np.where(rows.is_event, 1, -1)[np.newaxis])
    else:
        words_added = rows.words
        if not rows.is_event.all():
            words_added = negated(words_added, ~rows.is_event)
        limbs = limbs_of(words_added)
    steps = Steps(
        group=group, position=rows.position, limbs=limbs, is_event=rows.is_event
    )
    return Groups(keys=keys, windows=windows, steps=steps)


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


def _dense(code: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Number the codes that occur; of each the code, and of each row the number."""
    if count > _DENSE_GROUPS:
        codes, group = np.unique(code, return_inverse=True)
        return codes, group
    codes = np.flatnonzero(np.bincount(code, minlength=count))
    numbers = np.zeros(count, np.int64)
    numbers[codes] = np.arange(len(codes))
    return codes, numbers[code]
