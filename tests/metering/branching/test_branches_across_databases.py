"""A branch lies in another database than its origin, of either kind, and shares its segments."""

from pathlib import Path

import pytest

import metering
from tests.metering.branching.usual_branches import answers, beside, fill
from tests.segment_places import inside_of

pytestmark = [pytest.mark.dialect, pytest.mark.postgresql]


def test_segments_in_a_database_are_read_there(
    postgresql_url: str, tmp_path: Path, clock: metering.FixedClock
) -> None:
    target = inside_of(postgresql_url)
    places = str(tmp_path / "branch"), beside(target)
    with metering.connect(target, cache=tmp_path / "runs", clock=clock) as origin:
        fill(origin)
        before = answers(origin)
        for place in places:
            with origin.branch(place, cache=tmp_path / "others") as branch:
                assert answers(branch) == before
                fill(branch)
                assert branch.verify().problems == ()
        # They move to a store that no branch knows of.
        with metering.connect(target, segments=tmp_path / "moved") as moving:
            moving.seal()

    for place in places:
        with pytest.raises(metering.SegmentMissingError):
            metering.connect(place, cache=tmp_path / "others")


def test_a_directory_is_branched_into_a_database(
    postgresql_url: str, tmp_path: Path, clock: metering.FixedClock
) -> None:
    with metering.connect(tmp_path / "usage", clock=clock) as origin:
        fill(origin)
        with origin.branch(postgresql_url, cache=tmp_path / "runs") as branch:
            assert answers(branch) == answers(origin)
            assert not metering.diff(origin, branch)
            fill(branch)
            assert branch.verify().problems == ()
