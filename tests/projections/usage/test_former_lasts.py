"""Former lasts are found again whenever something may have happened, else remembered."""

from collections.abc import Iterator

import numpy as np
import pytest

from projections.kernels.usage.series import Series
from projections.usage.former_lasts import FormerLasts
from tests.projections.histories import FIRST_DAY, History, event
from tests.projections.usage_logs import log_directory, open_usage

NAME = "last plain"
HOURS = 5


@pytest.fixture
def history() -> Iterator[History]:
    """Five hours of two events each, the second of which was cancelled."""
    with log_directory() as directory, open_usage(directory) as opened:
        history = History(opened)
        for hour in range(HOURS):
            history.record(event(NAME, f"{hour}", hour=hour))
            history.record(event(NAME, "99", hour=hour, offset=1))
            history.cancel(history.events[-1])
        yield history


def found(history: History, former: FormerLasts) -> list[int]:
    """The values of the former lasts of all hours, in the order of the hours."""
    series = Series(meter=history.definitions[NAME], customer="cus_1")
    view = history.opened.usage.view()
    first = FIRST_DAY * 24
    lasts = view.lasts_of(series, first, first + HOURS)
    assert view.are_cancelled(lasts.position).all()
    former_lasts = former.find(view, series, lasts)
    assert np.array_equal(former_lasts.key, lasts.key)
    return [former_lasts.value_units(at) // 10**12 for at in range(len(former_lasts))]


def test_only_so_many_windows_are_remembered(history: History) -> None:
    former = FormerLasts(history.read, windows_kept=2)

    found(history, former)
    history.read.positions.clear()
    assert found(history, former) == [0, 1, 2, 3, 4]

    # Two of the five hours are remembered, what is left of three is read again.
    assert len(history.read.positions) == 3


def test_an_older_view_is_answered_as_of_then(history: History) -> None:
    former = FormerLasts(history.read)
    series = Series(meter=history.definitions[NAME], customer="cus_1")
    hour = FIRST_DAY * 24
    history.record(event(NAME, "50", offset=0))
    older = history.opened.usage.view()
    history.cancel(history.events[-1])
    newer = history.opened.usage.view()

    answers = [
        former.find(view, series, view.lasts_of(series, hour, hour + 1)).value_units(0)
        for view in (newer, older, newer)
    ]

    assert answers == [0, 50 * 10**12, 0]
