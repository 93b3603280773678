"""The kernel of thresholds finds the step that a plain loop finds."""

from functools import partial

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from projections.kernels.alerts.thresholds import (
    Sought,
    Steps,
    first_crossings,
    tally_of,
)
from projections.kernels.usage.decimals import limbs_of_numbers, numbers_of_limbs

GROUPS = 3
NUMBERS = st.one_of(st.integers(-9, 9), st.integers(-(10**37), 10**37))
Step = tuple[int, int, bool]
"""A group, what is added to it, and whether it is an event."""
STEPS = st.lists(st.tuples(st.integers(0, GROUPS - 1), NUMBERS, st.booleans()))


def made(part: list[tuple[int, Step]], wanted: np.ndarray | None) -> Steps:
    if wanted is not None:
        part = [each for each in part if wanted[each[1][0]]]
    return Steps(
        group=np.array([group for _, (group, _, _) in part], np.int64),
        position=np.array([position for position, _ in part], np.int64),
        limbs=limbs_of_numbers([number for _, (_, number, _) in part]),
        is_event=np.array([is_event for _, (_, _, is_event) in part], bool),
    )


@example([(0, 5, True), (0, 5, True)], 1, [5, 0, 0], 5, (0, None))
@example([(0, -3, True), (0, 2, False), (0, 2, True)], 2, [9, 0, 0], 10, (0, 9))
@given(
    STEPS,
    st.integers(1, 5),
    st.lists(NUMBERS, min_size=GROUPS, max_size=GROUPS),
    st.one_of(st.integers(1, 9), st.integers(1, 10**37)),
    st.tuples(st.integers(0, 4), st.one_of(st.none(), st.integers(0, 9))),
)
def test_the_first_step_at_a_threshold_is_found(
    steps: list[Step],
    size: int,
    before: list[int],
    threshold: int,
    bounds: tuple[int, int | None],
) -> None:
    numbered = list(enumerate(steps, 1))
    parts = [
        partial(made, numbered[at : at + size]) for at in range(0, len(steps), size)
    ]
    sought = [
        Sought(
            group=group,
            watch=0,
            threshold=threshold,
            after=bounds[0],
            before=bounds[1],
        )
        for group in range(GROUPS)
    ]

    tally = tally_of(parts, limbs_of_numbers(before))
    found = {
        each.group: (crossing.position, crossing.usage)
        for each, crossing in first_crossings(parts, tally, sought)
    }

    expected: dict[int, tuple[int, int]] = {}
    usage = list(before)
    greatest = list(before)
    for position, (group, number, is_event) in numbered:
        usage[group] += number
        greatest[group] = max(greatest[group], usage[group])
        is_within = bounds[0] < position and (bounds[1] is None or position < bounds[1])
        if is_event and is_within and usage[group] >= threshold:
            expected.setdefault(group, (position, usage[group]))
    assert found == expected
    assert numbers_of_limbs(tally.after) == usage
    reach = numbers_of_limbs(tally.reach)
    assert all(top >= each for top, each in zip(reach, greatest, strict=True))
