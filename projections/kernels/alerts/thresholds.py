"""Thresholds: at which event the usage of a group first reaches one.

A group is the usage of a customer on a meter, of all time or of one window. It is made
of steps, in the order of positions: an event adds to it, a cancellation takes away. Most
steps come nowhere near a threshold: the usage before them, and all that they add, stays
below it, which is found out for all groups at once. Only the others are gone through.
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
    """What changes usage, as columns of equal length, positions ascending.

    Attributes:
        group: int64, which group it changes, from 0 on.
        position: int64.
        limbs: int64, limbs by steps: what it adds; see `projections.kernels.usage.decimals`.
        is_event: bool; what is none cannot reach a threshold. None where all are.
    """

    group: np.ndarray
    position: np.ndarray
    limbs: np.ndarray
    is_event: np.ndarray | None


MakeSteps = Callable[[np.ndarray | None], Steps]
"""Makes steps anew, which takes less time than keeping them in memory would.

Those of the groups that are wanted (bool by groups), or of all where that is None.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """A threshold of a group, and between which positions it counts, both exclusive.

    `watch` is the caller's number for what seeks it.
    """

    group: int
    watch: int
    threshold: int
    after: int
    before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """The position at which a threshold was reached, and the usage with it."""

    position: int
    usage: int


@dataclass(slots=True)
class StepSums:
    """What steps add up to, group by group, part by part. Limbs by groups.

    Attributes:
        before: usage before all steps.
        after: usage after them.
        reach: usage that no group was ever above: nothing is taken away, all is added.
        sums: of each part what it added, and what without what it took away; none are
            kept where there are very many.
    """

    before: np.ndarray
    after: np.ndarray
    reach: np.ndarray
    sums: list[tuple[np.ndarray, np.ndarray]]


def tally_of(parts: Sequence[MakeSteps], before: np.ndarray) -> StepSums:
    """Add up steps that come part by part.

    Args:
        parts: make the steps of a part, in order.
        before: limbs by groups, their usage before.
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
    """Find at which step each threshold is reached, of those that are.

    Args:
        parts: make the steps of a part, in order.
        tally: of these steps.
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
    """Find at which step of a part those thresholds are reached that may be."""
    for at in hits:
        crossing = _first(steps, number_of_limbs(usage[:, at]), sought[at])
        if crossing is not None:
            yield at, crossing


def _first(steps: Steps, before: int, sought: Sought) -> Crossing | None:
    """Go through the steps of one group."""
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
    """Add up by group all numbers, and those that are not negative."""
    added = sums_by_group(group, limbs, count)
    is_negative = limbs[-1] < 0
    if not is_negative.any():
        return added, added
    return added, sums_by_group(group, np.where(is_negative, 0, limbs), count)


def _are_not_less(limbs: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Tell (bool) which numbers are as great as others, each with its own."""
    return are_at_least(_together(limbs, -others), 0)


def _together(limbs: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Add numbers up, however many limbs each has."""
    widest = max(len(limbs), len(others))
    together = np.zeros((widest, limbs.shape[1]), np.int64)
    together[: len(limbs)] += limbs
    together[: len(others)] += others
    return together
