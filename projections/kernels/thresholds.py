"""Thresholds: at which event the usage of a group first reaches one.

A group is the usage of a customer on a meter, of all time or of one window. It is made
of steps, in the order of positions: an event adds to it, a cancellation takes away. Most
steps come nowhere near a threshold: the usage before them, and all that they add, stays
below it, which is found out for all groups at once. Only the others are gone through.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from projections.kernels.decimals import (
    are_at_least,
    gather_limbs,
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
        is_event: bool; what is none cannot reach a threshold.
    """

    group: np.ndarray
    position: np.ndarray
    limbs: np.ndarray
    is_event: np.ndarray

    def __len__(self) -> int:
        """Count the steps."""
        return len(self.group)


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
    """The step at which a threshold was reached, and the usage with it."""

    step: int
    usage: int


def reach_of(steps: Steps, before: np.ndarray) -> np.ndarray:
    """Bound the usage of groups from above: nothing is taken away, all is added.

    Args:
        steps: of all groups.
        before: limbs by groups, their usage before the steps.

    Returns:
        Limbs by groups.
    """
    limbs = steps.limbs
    is_negative = limbs[-1] < 0
    if is_negative.any():
        limbs = np.where(is_negative, 0, limbs)
    return _together(before, sums_by_group(steps.group, limbs, before.shape[1]))


def usage_after(steps: Steps, before: np.ndarray) -> np.ndarray:
    """Add up all steps of each group; limbs by groups."""
    return _together(before, sums_by_group(steps.group, steps.limbs, before.shape[1]))


def first_crossings(
    steps: Steps, before: np.ndarray, sought: Sequence[Sought]
) -> Iterator[tuple[Sought, Crossing]]:
    """Find at which step each threshold is reached, of those that are.

    Args:
        steps: of all groups.
        before: limbs by groups, their usage before the steps.
        sought: thresholds, in the order of groups.
    """
    if not sought:
        return
    is_sought = np.zeros(before.shape[1], bool)
    is_sought[[each.group for each in sought]] = True
    rows = np.flatnonzero(is_sought[steps.group])
    rows = rows[np.argsort(steps.group[rows], kind="stable")]
    groups = steps.group[rows]
    known: int | None = None
    run = _Run(steps, before, rows[:0], 0)
    for each in sought:
        if each.group != known:
            bounds = np.searchsorted(groups, [each.group, each.group + 1])
            run = _Run(steps, before, rows[slice(*bounds.tolist())], each.group)
            known = each.group
        crossing = run.first(each)
        if crossing is not None:
            yield each, crossing


class _Run:
    """The steps of one group, with the usage after each."""

    def __init__(
        self, steps: Steps, before: np.ndarray, rows: np.ndarray, group: int
    ) -> None:
        self._rows = rows
        self._position = steps.position[rows]
        self._is_event = steps.is_event[rows]
        running = np.cumsum(steps.limbs[:, rows], axis=1)
        start = np.broadcast_to(before[:, [group]], (len(before), len(rows)))
        self._usage = _together(running, start)

    def first(self, sought: Sought) -> Crossing | None:
        has_reached = are_at_least(self._usage, sought.threshold) & self._is_event
        has_reached &= self._position > sought.after
        if sought.before is not None:
            has_reached &= self._position < sought.before
        if not has_reached.any():
            return None
        at = int(has_reached.argmax())
        usage = number_of_limbs(self._usage[:, at])
        return Crossing(step=int(self._rows[at]), usage=usage)


def _together(limbs: np.ndarray, others: np.ndarray) -> np.ndarray:
    both = gather_limbs([limbs, others])
    count = limbs.shape[1]
    together: np.ndarray = both[:, :count] + both[:, count:]
    return together
