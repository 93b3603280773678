"""A clock that jumps spoils nothing that is judged by time, either way, on either database.

The clock of a process is wrong here, and nothing is injected: its library says another
time. The server of PostgreSQL, and the time since the machine started, are right.
"""

from datetime import timedelta
from multiprocessing.context import ForkServerContext

import pytest

from tests.conftest import StoreTargets
from tests.faults.clocks.jumping import DONE, HELD, KINDS, KNOWN, begin, jump
from tests.processes import Child, said

YEAR = timedelta(days=365)
JUMPS = {"ahead": YEAR, "back": -YEAR}
REFUSED = "clock_skew"
FATES: dict[str, tuple[object, object]] = {
    # what is judged by time: (while the clock is wrong, when it was set right)
    "event": (REFUSED, DONE),
    "event_with_a_timestamp": (REFUSED, DONE),
    "batch": (REFUSED, DONE),
    "facts": (REFUSED, DONE),
    "cancellation": (REFUSED, DONE),
    "identifier": (KNOWN, KNOWN),
    "credit": (REFUSED, {"usd": (900, 900)}),
    "expiry_alert": (0, 0),
    "request": (KNOWN, KNOWN),
    "delivery": (HELD, HELD),
    "session": (True, True),
    "recorder": (REFUSED, True),
    "http": ((503, REFUSED), (200, None)),
}


@pytest.fixture(scope="module", params=JUMPS)
def fates(
    request: pytest.FixtureRequest,
    store_targets: StoreTargets,
    interposed: ForkServerContext,
) -> dict[str, object]:
    """What a process says whose clock jumps, for each kind of thing."""
    with store_targets() as target:
        return dict(said(Child(interposed, jump, target, JUMPS[request.param])))


@pytest.mark.dialect
@pytest.mark.parametrize("kind", FATES)
def test_what_is_judged_by_time_survives_a_jump(
    fates: dict[str, dict[str, object]], kind: str
) -> None:
    while_wrong, set_right = FATES[kind]

    assert fates["while wrong"][kind] == while_wrong
    assert fates["set right"][kind] == set_right


@pytest.mark.dialect
def test_the_log_is_whole_and_of_now_after_a_jump(fates: dict[str, object]) -> None:
    assert fates["the store"] == (True, 0.0)


def test_every_kind_has_its_row() -> None:
    assert [kind.__name__ for kind in KINDS] == [*FATES]


@pytest.mark.dialect
def test_a_process_that_begins_with_a_clock_that_is_behind_appends_nothing(
    store_targets: StoreTargets, interposed: ForkServerContext
) -> None:
    with store_targets() as target:
        fates = dict(said(Child(interposed, begin, target, -YEAR)))

    assert fates["while wrong"] == REFUSED
    assert fates["set right"] == fates["opened again"] == fates["repaired"] == DONE
    assert fates["the store"]


@pytest.mark.dialect
def test_a_process_that_begins_with_a_clock_that_is_ahead_is_judged_by_the_server(
    store_targets: StoreTargets, interposed: ForkServerContext
) -> None:
    """Where there is none, its first append is made, and its log can be repaired."""
    with store_targets() as target:
        has_server = "://" in target
        fates = dict(said(Child(interposed, begin, target, YEAR)))

    assert fates["while wrong"] == (REFUSED if has_server else DONE)
    later = DONE if has_server else REFUSED
    assert fates["set right"] == fates["opened again"] == later
    assert fates["repaired"] == DONE
    assert fates["the store"]
