"""Thresholds: the event at which the usage of a group first reaches one.

A group is the usage of a customer on a meter, of all time or of one window. Its steps
come in the order of positions: an event adds to it, a cancellation takes away. Most
groups stay below a threshold even with all that their steps add, which is computed for
all groups at once. Only the others are followed step by step.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from projections.kernels.usage.decimals import (
    are_at_least,
    limbs_of_numbers,
    number_of_limbs,
    sums_by_group,
)

_SUMS_KEPT = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Changes of usage: columns of equal length, positions ascending.

    Attributes:
        group: int64, of the group, from 0.
        position: int64.
        limbs: of what each step adds; see `projections.kernels.usage.decimals`.
        is_event: bool; only events reach thresholds. None where all steps are events.
    """

    group: np.ndarray
    position: np.ndarray
    limbs: np.ndarray
    is_event: np.ndarray | None


MakeSteps = Callable[[np.ndarray | None], Steps]
"""Makes the steps of wanted groups (bool by groups; None is all).

Making them again takes less time than keeping them in memory would.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """A threshold of a group, sought between two positions, both exclusive.

    `watch` is the caller's number of the alert.
    """

    group: int
    watch: int
    threshold: int
    after: int
    before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """The position at which a threshold was reached, and the usage there."""

    position: int
    usage: int


@dataclass(slots=True)
class StepSums:
    """Sums of steps by group and part, as limbs by groups.

    Attributes:
        before: usage before all steps.
        after: usage after all steps.
        reach: an upper bound of usage: all that is added, without what is taken away.
        sums: what each part changed, and what it added; empty where there are very
            many.
    """

    before: np.ndarray
    after: np.ndarray
    reach: np.ndarray
    sums: list[tuple[np.ndarray, np.ndarray]]


def tally_of(parts: Sequence[MakeSteps], before: np.ndarray) -> StepSums:
    """Add up steps part by part.

    Args:
        parts: make the steps of a part, in order.
        before: limbs by groups, of usage before.
    """
    count = before.shape[1]
    tally = StepSums(before, before, before, [])
    for make in parts:
        steps = make(None)
        added, gained = _sums(steps.group, steps.limbs, count)
        tally.after = _together(tally.after, added)
        tally.reach = _together(tally.reach, gained)
        if len(parts) * count <= _SUMS_KEPT:
            tally.sums.append((added, gained))
    return tally


def first_crossings(
    parts: Sequence[MakeSteps], tally: StepSums, sought: Sequence[Sought]
) -> Iterator[tuple[Sought, Crossing]]:
    """Yield the thresholds that are reached, and the first step that reaches each.

    Args:
        parts: make the steps of a part, in order.
        tally: sums of the steps.
        sought: the thresholds.
    """
    if not sought:
        return
    groups = np.array([each.group for each in sought])
    thresholds = limbs_of_numbers([each.threshold for each in sought])
    is_open = np.ones(len(sought), bool)
    usage = tally.before[:, groups]
    for number, make in enumerate(parts):
        added, gained = (sums[:, groups] for sums in _kept_sums(tally, number, make))
        may_reach = is_open & _are_not_less(_together(usage, gained), thresholds)
        hits = np.flatnonzero(may_reach).tolist()
        if hits:
            is_wanted = np.zeros(tally.before.shape[1], bool)
            is_wanted[groups[hits]] = True
            for at, crossing in _in_part(make(is_wanted), usage, sought, hits):
                is_open[at] = False
                yield sought[at], crossing
        usage = _together(usage, added)


def _kept_sums(
    tally: StepSums, number: int, make: MakeSteps
) -> tuple[np.ndarray, np.ndarray]:
    if tally.sums:
        return tally.sums[number]
    steps = make(None)
    return _sums(steps.group, steps.limbs, tally.before.shape[1])


def _in_part(
    steps: Steps, usage: np.ndarray, sought: Sequence[Sought], hits: Sequence[int]
) -> Iterator[tuple[int, Crossing]]:
    """Yield the candidates whose thresholds are reached in a part, and where."""
    for at in hits:
        crossing = _first(steps, number_of_limbs(usage[:, at]), sought[at])
        if crossing is not None:
            yield at, crossing


def _first(steps: Steps, before: int, sought: Sought) -> Crossing | None:
    """Return the first step of one group that reaches its threshold."""
    rows = np.flatnonzero(steps.group == sought.group)
    limbs = np.cumsum(steps.limbs[:, rows], axis=1)
    position = steps.position[rows]
    has_reached = are_at_least(limbs, sought.threshold - before)
    has_reached &= position > sought.after
    if sought.before is not None:
        has_reached &= position < sought.before
    if steps.is_event is not None:
        has_reached &= steps.is_event[rows]
    if not has_reached.any():
        return None
    at = int(has_reached.argmax())
    usage = before + number_of_limbs(limbs[:, at])
    return Crossing(position=int(position[at]), usage=usage)


def _sums(
    group: np.ndarray, limbs: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums by group of all numbers, and of those that are not negative."""
    added = sums_by_group(group, limbs, count)
    is_negative = limbs[-1] < 0
    if not is_negative.any():
        return added, added
    return added, sums_by_group(group, np.where(is_negative, 0, limbs), count)


def _are_not_less(limbs: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return (bool) which numbers are at least the others at the same index."""
    return are_at_least(_together(limbs, -others), 0)


def _together(limbs: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the sums of two columns of numbers with any number of limbs."""
    widest = max(len(limbs), len(others))
    together = np.zeros((widest, limbs.shape[1]), np.int64)
    together[: len(limbs)] += limbs
    together[: len(others)] += others
    return together
