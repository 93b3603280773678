"""The rule by which a clock is judged, and the real time that what is forgotten goes by."""

import pytest

from ledger.appending.judging import Skew, real_time, skew_of

YEAR = 365 * 24 * 3600 * 1_000_000
MINUTE = 60 * 1_000_000
NOW = 1_796_000_000_000_000

RULE = [
    # what, clock, judge, log, skew
    ("a right clock", NOW, NOW, NOW, None),
    ("a clock without a judge", NOW, None, NOW, None),
    ("a log that was idle", NOW, NOW, NOW - YEAR, None),
    ("an empty log", NOW, NOW, 0, None),
    ("ahead of its judge by the limit", NOW + MINUTE, NOW, NOW, None),
    ("ahead of its judge by more", NOW + MINUTE + 1, NOW, NOW, Skew.AHEAD),
    ("a year ahead, without a judge", NOW + YEAR, None, NOW, None),
    ("ahead of its judge, with the log", NOW + YEAR, NOW, NOW + YEAR, Skew.AHEAD),
    ("behind its judge, of an idle log", NOW - YEAR, NOW, NOW - YEAR, None),
    ("behind the log by the limit", NOW - MINUTE, NOW, NOW, None),
    ("behind the log by more", NOW - MINUTE - 1, NOW, NOW, Skew.BEHIND),
    ("behind the log, without a judge", NOW - YEAR, None, NOW, Skew.BEHIND),
    ("a right clock of a spoiled log", NOW, NOW, NOW + YEAR, Skew.BEHIND),
]


@pytest.mark.parametrize(
    ("clock", "judge", "log", "skew"),
    [case[1:] for case in RULE],
    ids=[case[0] for case in RULE],
)
def test_a_clock_may_not_be_ahead_of_its_judge_nor_behind_the_log(
    clock: int, judge: int | None, log: int, skew: Skew | None
) -> None:
    assert skew_of(clock=clock, judge=judge, log=log, limit=MINUTE) is skew


REAL = [
    # what, clock, log, the time
    ("a right clock", NOW, NOW, NOW),
    ("a clock in the past, of tests", NOW - YEAR, NOW - 2 * YEAR, NOW - YEAR),
    ("a clock ahead", NOW + YEAR, NOW, NOW),
    ("a clock that stepped back", NOW - YEAR, NOW - MINUTE, NOW - MINUTE),
    ("a spoiled log", NOW, NOW + YEAR, NOW),
    ("a spoiled log and a clock that stepped back", NOW - YEAR, NOW + YEAR, NOW),
]


@pytest.mark.parametrize(
    ("clock", "log", "expected"),
    [case[1:] for case in REAL],
    ids=[case[0] for case in REAL],
)
def test_the_real_time_follows_no_clock_and_no_log_into_the_future(
    clock: int, log: int, expected: int
) -> None:
    assert real_time(clock=clock, log=log, real=NOW) == expected
