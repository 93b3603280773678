"""Windows of local time, against a walk through the zones of the standard library."""

import pickle
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from projections.calendar import Windows, WindowUnit, windows_between
from projections.windows import DAY, END, HOUR
from tests.projections.scans.reaggregation.naive import boundaries

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
UNITS = list(WindowUnit)
# Of the others, ZoneInfo knows only what these show: few offsets, or many changes.
ZONES = [
    "UTC", "Africa/Cairo", "Africa/Casablanca", "America/New_York", "America/Nuuk",
    "America/Sao_Paulo", "America/St_Johns", "Antarctica/Troll", "Asia/Gaza",
    "Asia/Kathmandu", "Asia/Tehran", "Australia/Lord_Howe", "Europe/Dublin",
    "Pacific/Apia", "Pacific/Chatham", "Pacific/Kiritimati",
]  # fmt: skip


def instant(*parts: int) -> int:
    return (datetime(*parts, tzinfo=UTC) - EPOCH) // MICROSECOND  # type: ignore[misc, arg-type]  # year to second


def windows(unit: str, zone: str, start: int, end: int) -> Windows:
    known = UTC if zone == "UTC" else ZoneInfo(zone)
    return windows_between(WindowUnit(unit), known, start, end)


def local_starts(unit: str, zone: str, start: int, end: int) -> list[str]:
    """Write where windows begin between two instants, in the zone's time."""
    found = windows(unit, zone, start, end).boundaries().tolist()
    return [
        (EPOCH + each * MICROSECOND).astimezone(ZoneInfo(zone)).isoformat()
        for each in found
        if start <= each < end
    ]


def walked(unit: str, zone: str, start: int, end: int) -> list[int]:
    """Walk from well before `start`; offsets changed at full minutes since 1972."""
    day = (EPOCH + start * MICROSECOND).date() - timedelta(days=35)
    length = timedelta(days=36 + (end - start) // DAY)
    step = timedelta(minutes=1 if unit == "minute" else 5)
    if "St_Johns" in zone:
        step = timedelta(minutes=1)
    found = [
        (each - EPOCH) // MICROSECOND
        for each in boundaries(unit, zone, day, step, length)
    ]
    return [each for each in found if start <= each < end]


@given(
    st.sampled_from(["hour", "day", "week", "month"]),
    st.sampled_from(ZONES),
    st.integers(1973, 2039),
    st.integers(0, 365),
)
@example("day", "Pacific/Apia", 2011, 360)
@example("week", "Pacific/Apia", 2011, 360)
@example("day", "America/St_Johns", 2007, 305)
@example("hour", "America/St_Johns", 2007, 305)
@example("hour", "Australia/Lord_Howe", 2024, 95)
@example("day", "America/Sao_Paulo", 2018, 306)
@example("hour", "Antarctica/Troll", 2025, 298)
def test_windows_begin_where_a_walk_through_the_zone_meets_them(
    unit: str, zone: str, year: int, day: int
) -> None:
    start = instant(year, 1, 1) + day * DAY
    end = start + 4 * DAY

    found = windows(unit, zone, start, end).boundaries()

    inside = found[(found >= start) & (found < end)].tolist()
    assert inside == walked(unit, zone, start, end)


@given(
    st.sampled_from(UNITS),
    st.sampled_from(ZONES),
    st.integers(0, END - 1),
    st.integers(1, 500 * DAY),
    st.data(),
)
def test_windows_partition_time(
    unit: WindowUnit, zone: str, start: int, length: int, data: st.DataObject
) -> None:
    end = min(start + length, END)
    found = windows(unit.value, zone, start, end)
    inside = st.integers(start, end - 1)
    instants = np.array(data.draw(st.lists(inside, min_size=1, max_size=20)))

    starts, ends = found.starts_of(instants), found.ends_of(instants)

    assert (starts <= instants).all()
    assert (instants < ends).all()
    assert (found.starts_of(starts) == starts).all()
    assert (found.starts_of(ends - 1) == starts).all()
    following = ends[ends < found.end]
    assert (found.starts_of(following) == following).all()
    one_by_one = [int(found.starts_of(instants[[at]])[0]) for at in range(len(starts))]
    assert one_by_one == starts.tolist()
    assert not (starts % 1_000_000).any()


@given(st.sampled_from(UNITS), st.sampled_from(ZONES), st.integers(0, END - DAY))
def test_windows_do_not_depend_on_what_else_is_asked(
    unit: WindowUnit, zone: str, start: int
) -> None:
    at = np.array([start])

    few = windows(unit.value, zone, start, start + 1)
    many = windows(unit.value, zone, max(0, start - 400 * DAY), start + DAY)

    assert few.starts_of(at) == many.starts_of(at)
    assert few.ends_of(at) == many.ends_of(at)


@pytest.mark.parametrize(
    ("unit", "zone", "start", "end", "expected"),
    [
        (
            *("day", "Pacific/Apia", (2011, 12, 29), (2011, 12, 31)),
            ["2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00"],
        ),
        (
            *("day", "America/Sao_Paulo", (2018, 11, 3), (2018, 11, 5)),
            ["2018-11-03T00:00:00-03:00", "2018-11-04T01:00:00-02:00"],
        ),
        (
            *("day", "America/St_Johns", (2007, 11, 4), (2007, 11, 6)),
            ["2007-11-04T00:00:00-02:30", "2007-11-05T00:00:00-03:30"],
        ),
        (
            *("hour", "Australia/Lord_Howe", (2024, 4, 6, 14, 30), (2024, 4, 6, 16)),
            ["2024-04-07T01:30:00+10:30", "2024-04-07T02:00:00+10:30"],
        ),
        (
            *("week", "Europe/Dublin", (2026, 6, 1), (2026, 6, 20)),
            ["2026-06-08T00:00:00+01:00", "2026-06-15T00:00:00+01:00"],
        ),
    ],
    ids=["no such date", "no midnight", "two midnights", "half an hour", "Monday"],
)
def test_windows_begin_where_the_clocks_of_a_zone_say(
    unit: str,
    zone: str,
    start: tuple[int, ...],
    end: tuple[int, ...],
    expected: list[str],
) -> None:
    assert local_starts(unit, zone, instant(*start), instant(*end)) == expected


def test_a_day_of_25_hours_has_25_of_them() -> None:
    start = instant(2026, 11, 1, 4)

    assert len(local_starts("hour", "America/New_York", start, start + 25 * HOUR)) == 25
    assert len(local_starts("day", "America/New_York", start, start + 25 * HOUR)) == 1


@pytest.mark.parametrize("unit", ["minute", "hour", "day", "week"])
def test_utc_is_one_stretch(unit: str) -> None:
    assert len(windows(unit, "UTC", 0, END).starts) == 1


def test_a_zone_is_a_few_stretches() -> None:
    year = instant(2026, 1, 1), instant(2027, 1, 1)

    assert len(windows("day", "America/New_York", *year).starts) <= 7
    assert len(windows("hour", "America/New_York", *year).starts) == 1


def test_windows_can_be_sent() -> None:
    sent = windows("day", "Europe/Dublin", instant(2026, 1, 1), instant(2027, 1, 1))

    assert pickle.loads(pickle.dumps(sent)) == sent


def test_every_zone_has_windows() -> None:
    start, end = instant(2007, 10, 1), instant(2012, 2, 1)

    for zone in sorted(available_timezones()):
        found = windows("day", zone, start, end)

        assert found.starts[0] <= start
        assert found.end >= end
        assert len(found.starts) < 30
