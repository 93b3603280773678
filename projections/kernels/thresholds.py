"""Thresholds: at which event the usage of a group first reaches one.

A group is the usage of a customer on a meter, of all time or of one window. It is made
of steps, in the order of positions: an event adds to it, a cancellation takes away. Most
steps come nowhere near a threshold: the usage before them, and all that they add, stays
below it, which is found out for all groups at once. Only the others are gone through.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from projections.kernels.decimals import (
    are_at_least,
    limbs_of_numbers,
    number_of_limbs,
    sums_by_group,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What changes usage, as columns of equal length, positions ascending.

    Attributes:
        group: int64, which group it changes, from 0 on.
        position: int64.
        limbs: int64, limbs by steps: what it adds; see `projections.kernels.decimals`.
        is_event: bool; what is none cannot reach a threshold. None where all are.
    """

    group: np.ndarray
    position: np.ndarray
    limbs: np.ndarray
    is_event: np.ndarray | None


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


def usage_with(
    parts: Iterable[Steps], before: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add steps up, and bound the usage at any of them from above.

    Args:
        parts: the steps, part by part.
        before: limbs by groups, their usage before.

    Returns:
        The usage of each group after all steps, and a usage that it has never been
        above: nothing is taken away, all is added. Limbs by groups.
    """
    after = reach = before
    for steps in parts:
        added, gained = _sums(steps.group, steps.limbs, before.shape[1])
        after = _together(after, added)
        reach = _together(reach, gained)
    return after, reach


def first_crossings(
    parts: Iterable[Steps], before: np.ndarray, sought: Sequence[Sought]
) -> Iterator[tuple[Sought, Crossing]]:
    """Find at which step each threshold is reached, of those that are.

    Args:
        parts: the steps, part by part, in order.
        before: limbs by groups, their usage before.
        sought: the thresholds.
    """
    if not sought:
        return
    groups = np.unique([each.group for each in sought])
    number_of = np.full(before.shape[1], len(groups))
    number_of[groups] = np.arange(len(groups))
    numbers = number_of[[each.group for each in sought]]
    thresholds = limbs_of_numbers([each.threshold for each in sought])
    is_open = np.ones(len(sought), bool)
    usage = before[:, groups]
    for steps in parts:
        number = number_of[steps.group]
        # What belongs to no group that matters is added up to be thrown away.
        added, gained = (
            sums[:, :-1] for sums in _sums(number, steps.limbs, len(groups) + 1)
        )
        reach = _together(usage, gained)[:, numbers]
        may_reach = is_open & _are_not_less(reach, thresholds)
        for at in np.flatnonzero(may_reach).tolist():
            rows = np.flatnonzero(number == numbers[at])
            crossing = _first(steps, rows, usage[:, [numbers[at]]], sought[at])
            if crossing is not None:
                is_open[at] = False
                yield sought[at], crossing
        usage = _together(usage, added)


def _first(
    steps: Steps, rows: np.ndarray, before: np.ndarray, sought: Sought
) -> Crossing | None:
    """Go through the steps of one group."""
    limbs = np.cumsum(steps.limbs[:, rows], axis=1)
    usage = _together(limbs, np.repeat(before, len(rows), axis=1))
    position = steps.position[rows]
    has_reached = are_at_least(usage, sought.threshold) & (position > sought.after)
    if sought.before is not None:
        has_reached &= position < sought.before
    if steps.is_event is not None:
        has_reached &= steps.is_event[rows]
    if not has_reached.any():
        return None
    at = int(has_reached.argmax())
    return Crossing(position=int(position[at]), usage=number_of_limbs(usage[:, at]))


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
