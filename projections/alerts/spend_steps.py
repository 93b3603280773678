"""Steps of spend: the usage of several meters after each event of a customer.

A group is a customer in one window, and its steps are the events and cancellations on all
meters. Where every event adds up, usage is a running sum over the steps. Where events
replace each other, they are replayed one by one.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from projections.alerts.groups import GroupKey, Groups, usage_before
from projections.alerts.questions import UsageQuestion, window_finder
from projections.alerts.replays import begin_replay, replay_of
from projections.alerts.rows import PendingRows
from projections.calendar import Windows
from projections.kernels.alerts.thresholds import MakeSteps
from projections.kernels.usage.decimals import (
    gather_limbs,
    limbs_of_numbers,
    numbers_of_words,
)
from projections.kernels.usage.series import Series
from projections.usage.summaries import Summaries
from projections.usage.view import UsageView

# Few enough that what is made of them fits into little memory.
_STEPS_AT_A_TIME = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendMeter:
    """A meter whose usage costs something.

    Attributes:
        view: of usage before the rows.
        rows: None where there are none.
    """

    question: UsageQuestion
    view: UsageView
    rows: PendingRows | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendSteps:
    """Steps in the order of groups, and of positions within each.

    Attributes:
        keys: of the groups.
        group: int64, index of the key.
        position: int64.
        is_event: bool; only events trigger.
        usage: of each meter, limbs by steps: its usage in the group after the step.
    """

    keys: Sequence[GroupKey]
    group: np.ndarray
    position: np.ndarray
    is_event: np.ndarray
    usage: Sequence[np.ndarray]

    def rows_of(self, groups: Sequence[int]) -> np.ndarray:
        """Return the rows (int64) of the steps of some groups."""
        starts = np.searchsorted(self.group, groups, side="left").tolist()
        ends = np.searchsorted(self.group, groups, side="right").tolist()
        found = [np.arange(*each) for each in zip(starts, ends, strict=True)]
        return np.concatenate([np.zeros(0, np.int64), *found])


def windows_of(meters: Sequence[SpendMeter]) -> Windows | None:
    """Return the windows of at least one row; None where all time is one."""
    spans = [each.rows.time_span() for each in meters if each.rows is not None]
    return meters[0].question.windows(np.concatenate(spans))


class _StepPart(NamedTuple):
    """Some steps on a meter, by its number, and where they lie in the log."""

    first: int
    last: int
    rows: int
    meter: int
    make: MakeSteps


class SummedUsage:
    """Usage of groups where every event adds up, as it goes on from portion to portion.

    Args:
        keys: of all groups.
        groups: of each meter, which are some of them; None without rows.
        before: of each meter, limbs by keys: usage before all steps.
    """

    def __init__(
        self,
        keys: Sequence[GroupKey],
        groups: Sequence[Groups | None],
        before: Sequence[np.ndarray],
    ) -> None:
        number = {key: at for at, key in enumerate(keys)}
        self._keys = keys
        self._numbers = [
            np.array([number[key] for key in each.keys] if each else [], np.int64)
            for each in groups
        ]
        self._groups = groups
        self._usage = list(before)

    def portions(self) -> Iterator[list[_StepPart]]:
        """Yield the steps in portions, in the order of positions."""
        parts = [
            _StepPart(*place, meter, make)
            for meter, of_meter in enumerate(self._groups)
            if of_meter is not None
            for place, make in zip(of_meter.places(), of_meter.steps(), strict=True)
        ]
        portion: list[_StepPart] = []
        for part in sorted(parts, key=lambda each: each.first):
            is_much = sum(each.rows for each in portion) >= _STEPS_AT_A_TIME
            if is_much and part.first > max(each.last for each in portion):
                yield portion
                portion = []
            portion.append(part)
        yield portion

    def steps(
        self, portion: Sequence[_StepPart], are_wanted: np.ndarray
    ) -> SpendSteps | None:
        """Return the next steps of wanted groups (bool by keys); None if there are none."""
        made = []
        for part in portion:
            numbers = self._numbers[part.meter]
            steps = part.make(are_wanted[numbers])
            if len(steps.group):
                made.append((part.meter, steps, numbers[steps.group]))
        if not made:
            return None
        group = np.concatenate([numbers for _, _, numbers in made])
        position = np.concatenate([steps.position for _, steps, _ in made])
        order = np.lexsort((position, group))
        group = group[order]
        counts = [len(numbers) for _, _, numbers in made]
        meter_of = np.repeat([meter for meter, _, _ in made], counts)[order]
        limbs = gather_limbs([steps.limbs for _, steps, _ in made])[:, order]
        is_event = np.concatenate(
            [
                np.ones(len(group), bool) if steps.is_event is None else steps.is_event
                for _, steps, group in made
            ]
        )
        usage = [
            _running(group, np.where(meter_of == meter, limbs, 0), known)
            for meter, known in enumerate(self._usage)
        ]
        self._go_on_from(group, usage)
        return SpendSteps(
            keys=self._keys,
            group=group,
            position=position[order],
            is_event=is_event[order],
            usage=usage,
        )

    def _go_on_from(self, group: np.ndarray, usage: Sequence[np.ndarray]) -> None:
        """Know the usage of groups after their last steps."""
        lasts = np.flatnonzero(np.diff(group, append=-1))
        for meter, after in enumerate(usage):
            known = self._usage[meter]
            wide = np.zeros((max(len(known), len(after)), known.shape[1]), np.int64)
            wide[: len(known)] = known
            wide[:, group[lasts]] = 0
            wide[: len(after), group[lasts]] = after[:, lasts]
            self._usage[meter] = wide


def _running(group: np.ndarray, limbs: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return the sums of each group up to each step, and of what was before.

    Args:
        group: int64, ascending, of each step.
        limbs: what each step adds.
        before: limbs by groups.
    """
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    begun_at = np.repeat(starts, np.diff(starts, append=len(group)))
    sums = np.zeros((max(len(limbs), len(before)), len(group)), np.int64)
    np.cumsum(limbs, axis=1, out=sums[: len(limbs)])
    # What was added before the group began is of other groups.
    sums[: len(limbs)] -= (sums[: len(limbs)] - limbs)[:, begun_at]
    sums[: len(before)] += before[:, group]
    return sums


class _SpendRow(NamedTuple):
    """An event, or a cancellation of one, on a meter, by its number."""

    position: int
    event_position: int
    timestamp: int
    units: int
    is_event: bool
    is_taken: bool
    meter: int


def replayed_steps(
    meters: Sequence[SpendMeter], windows: Windows | None, summaries: Summaries
) -> SpendSteps:
    """Return the events of all groups, where those of some meter replace each other.

    Args:
        meters: of which at least one has rows.
        windows: of all rows.
        summaries: reads the events before.
    """
    window_of = window_finder(windows)
    rows_of = _rows_by_customer(meters)
    starts_of = {
        customer: list(dict.fromkeys(window_of(row.timestamp) for row in rows))
        for customer, rows in rows_of.items()
    }
    keys = [(customer, at) for customer, starts in starts_of.items() for at in starts]
    number = {key: at for at, key in enumerate(keys)}
    before = [
        dict(
            zip(
                keys,
                usage_before(each.question, keys, windows, {}, each.view, summaries),
                strict=True,
            )
        )
        if each.question.is_additive
        else {}
        for each in meters
    ]
    found: list[tuple[int, int, list[int]]] = []
    for customer, rows in rows_of.items():
        replays = []
        for at, each in enumerate(meters):
            replay = replay_of(each.question, window_of)
            if each.question.is_additive:
                for start in starts_of[customer]:
                    replay.start(start, before[at][customer, start])
            else:
                begin_replay(
                    replay,
                    Series(meter=each.question.meter, customer=customer),
                    each.view,
                    summaries,
                    are_events=all(row.is_event for row in rows if row.meter == at),
                )
            replays.append(replay)
        for row in rows:
            replay = replays[row.meter]
            if row.is_taken:
                replay.cancel(row.event_position, row.timestamp, row.units)
                continue
            replay.add(row.event_position, row.timestamp, row.units)
            if not row.is_event:
                continue
            window_start = window_of(row.timestamp)
            used = [each.usage(window_start) for each in replays]
            found.append((number[customer, window_start], row.position, used))
    found.sort(key=lambda each: each[:2])
    return SpendSteps(
        keys=keys,
        group=np.array([group for group, _, _ in found], np.int64),
        position=np.array([position for _, position, _ in found], np.int64),
        is_event=np.ones(len(found), bool),
        usage=[
            limbs_of_numbers([used[at] for _, _, used in found])
            for at in range(len(meters))
        ],
    )


def _rows_by_customer(meters: Sequence[SpendMeter]) -> dict[str, list[_SpendRow]]:
    """Return all rows by customer, in the order of positions."""
    found: dict[str, list[_SpendRow]] = defaultdict(list)
    for at, each in enumerate(meters):
        if each.rows is not None:
            ordered = each.rows.in_order()
            columns = (
                ordered.position.tolist(),
                ordered.event_position.tolist(),
                ordered.timestamp.tolist(),
                numbers_of_words(ordered.words),
                ordered.is_event.tolist(),
                ordered.is_taken.tolist(),
                [at] * len(ordered.position),
            )
            customers = [
                each.rows.customers[code] for code in ordered.customer.tolist()
            ]
            for customer, row in zip(
                customers, zip(*columns, strict=True), strict=True
            ):
                found[customer].append(_SpendRow(*row))
    for rows in found.values():
        rows.sort()
    return found
