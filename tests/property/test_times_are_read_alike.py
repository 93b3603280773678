"""A time is the same instant however it is written, and whatever it is written beside.

Columns are read at once and cells one by one: what a column takes for plain is what the
cell comes to. The oracle reads decimals as fractions and local times by going through
all offsets that a zone has around them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import get_args
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

import metering
from metering.arguments.time_columns import plain_timestamps, times_of
from metering.arguments.times import TimeReading, TimeUnit

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS: dict[TimeUnit, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
ZONES = (
    *(None, UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/St_Johns")),
    # Half an hour of summer time; summer time that began at midnight; seconds of offset.
    *(ZoneInfo("Australia/Lord_Howe"), ZoneInfo("America/Sao_Paulo")),
    ZoneInfo("Africa/Monrovia"),
)
DAYS = (
    *(
        "2026-03-01",
        "2026-02-28",
        "2024-02-29",
        "2026-02-30",
        "2025-10-26",
        "2025-03-30",
    ),
    *(
        "2018-11-04",
        "2018-02-17",
        "2026-04-04",
        "2026-10-03",
        "1972-01-07",
        "1970-01-01",
    ),
    *(
        "1969-12-31",
        "0001-01-01",
        "9999-12-31",
        "2100-01-01",
        "2262-04-12",
        "2016-12-31",
    ),
    "1600-02-29",
)
CLOCKS = (
    *(
        "00:00:00",
        "02:30:00",
        "01:59:59",
        "23:59:59",
        "23:59:60",
        "12:00:60",
        "24:00:00",
    ),
    *("00:44:29", "00:15", "09:00", "9:00", "", "12", "02:30:00,5", "00:00.5"),
)
FRACTIONS = ("", ".5", ".123456", ".1234567", ".999999999", "." + "9" * 40, ".", ".000")
OFFSETS = (
    *("", "Z", "z", " UTC", "UTC", "+00", "+02", "-03:30", "+0530", "+23:59", "-24:00"),
    *(" Z", "  Z", "+2:00", "Europe/Berlin"),
)
units = st.sampled_from(get_args(TimeUnit))
zones = st.sampled_from(ZONES)


@st.composite
def time_texts(draw: st.DrawFn) -> str:
    clock = draw(st.sampled_from(CLOCKS))
    separator = draw(st.sampled_from(["T", " ", "t"])) if clock else ""
    fraction = draw(st.sampled_from(FRACTIONS)) if clock.count(":") == 2 else ""
    offset = draw(st.sampled_from(OFFSETS))
    return draw(st.sampled_from(DAYS)) + separator + clock + fraction + offset


@st.composite
def number_texts(draw: st.DrawFn) -> str:
    """Write an instant of any year by a unit, with or without a fraction."""
    at = draw(st.integers(0, 5 * 10**9) | st.integers(-(10**12), 10**12))
    digits = draw(st.integers(0, 15))
    fraction = draw(st.integers(0, 10**digits - 1)) if digits else 0
    whole = at * UNITS[draw(units)]
    return f"{whole}.{fraction:0{digits}d}" if digits else str(whole)


texts = time_texts() | number_texts() | st.text("0123456789-+:T Z.,UTC", max_size=30)


def read(cell: object, reading: TimeReading) -> int | None:
    try:
        return reading.instant(cell, "timestamp")
    except metering.InvalidRequestError:
        return None


def check_alike(column: pa.Array, reading: TimeReading) -> None:
    """Check that what is plain in a column is what its cells are by themselves."""
    instants, is_plain = plain_timestamps(column, -(1 << 62), 1 << 62, reading)
    cells = [None if each is None else read(each, reading) for each in times_of(column)]

    plain = [(at, cell) for at, cell in enumerate(cells) if is_plain[at]]
    assert [int(instants[at]) for at, _ in plain] == [cell for _, cell in plain]
    event(f"{len(plain) * 4 // max(len(cells), 1)} quarters are plain")


@given(cells=st.lists(st.none() | texts, max_size=12), unit=units, zone=zones)
def test_strings_of_a_column_are_what_each_is_by_itself(
    cells: list[str | None], unit: TimeUnit, zone: tzinfo | None
) -> None:
    """Design, section 7, "Batches": a row's outcome does not depend on its neighbours."""
    reading = TimeReading(unit=unit, zone=zone, is_of_source=True)

    check_alike(pa.array(cells, pa.string()), reading)
    check_alike(pa.array(cells, pa.string()).dictionary_encode(), reading)


@given(
    counts=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=12),
    unit=units,
    zone=zones,
    kind=st.sampled_from(
        [
            *(pa.int64(), pa.decimal128(38, 0)),
            *(
                pa.timestamp(unit, tz)
                for unit in UNITS
                for tz in (None, "UTC", "+02:00")
            ),
        ]
    ),
)
def test_counts_of_a_column_are_what_each_is_by_itself(
    counts: list[int | None], unit: TimeUnit, zone: tzinfo | None, kind: pa.DataType
) -> None:
    """Design, section 7, "Batches": a row's outcome does not depend on its neighbours."""
    column = pa.array(counts, pa.int64())
    if pa.types.is_timestamp(kind):
        within = 250 * 366 * 86_400 * UNITS[kind.unit]
        small = [None if each is None else each % within for each in counts]
        column = pa.array(small, pa.int64()).view(kind)
    elif pa.types.is_decimal(kind):
        column = pa.array(
            [None if each is None else Decimal(each) for each in counts], kind
        )

    reading = TimeReading(unit=unit, zone=zone, is_of_source=True)
    check_alike(column, reading)
    check_alike(column.dictionary_encode(), reading)


@given(seconds=st.lists(st.floats(3e7, 4e9), max_size=12), unit=units)
def test_floating_point_numbers_are_their_shortest_decimals(
    seconds: list[float], unit: TimeUnit
) -> None:
    """README, "Exact": no digit comes from binary arithmetic."""
    numbers = [each * UNITS[unit] for each in seconds]
    reading = TimeReading(unit=unit, is_of_source=True)

    check_alike(pa.array(numbers, pa.float64()), reading)

    exact = [Fraction(repr(each)) / UNITS[unit] * 10**6 for each in numbers]
    assert [read(each, reading) for each in numbers] == [floor(each) for each in exact]


@given(
    at=st.integers(31_536_000, 4_102_444_799),
    digits=st.text("0123456789", min_size=1, max_size=20),
    unit=units,
)
def test_a_number_is_floored_to_the_microsecond(
    at: int, digits: str, unit: TimeUnit
) -> None:
    """Design, section 7, "Timestamps": microseconds, and nothing finer."""
    text = f"{at * UNITS[unit]}.{digits}"
    expected = floor(Fraction(text) / UNITS[unit] * 10**6)
    reading = TimeReading(unit=unit)

    assert read(text, reading) == read(Decimal(text), reading) == expected


@given(
    local=st.datetimes(datetime(1970, 1, 2), datetime(2037, 12, 30)),  # noqa: DTZ001  # of any zone
    zone=st.sampled_from(ZONES[1:]),
)
def test_a_local_time_is_the_one_instant_at_which_clocks_show_it(
    local: datetime, zone: tzinfo
) -> None:
    """PEP 495: a local time is shown once, twice or never."""
    around = [EPOCH + (local.replace(tzinfo=UTC) - EPOCH) + timedelta(hours=each) for each in range(-30, 31)]  # fmt: skip
    offsets = {each.astimezone(zone).utcoffset() for each in around}
    naive = local.replace(tzinfo=UTC)
    shown = [
        naive - offset
        for offset in offsets
        if offset is not None
        and (naive - offset).astimezone(zone).replace(tzinfo=UTC) == naive
    ]
    found = read(local.isoformat(), TimeReading(zone=zone, is_of_source=True))

    if len(shown) == 1:
        assert found == (shown[0] - EPOCH) // timedelta(microseconds=1)
    else:
        assert found is None
    event(f"shown {len(shown)} times")


SEVEN = [f"2026-03-{day:02d} 09:{day:02d}:00.1234567" for day in range(1, 29)]
NINE = [f"2026-03-{day:02d}T09:{day:02d}:00.123456789Z" for day in range(1, 29)]
LOCAL = [
    f"2026-07-{day:02d} {hour:02d}:30" for day in range(1, 29) for hour in range(24)
]


@pytest.mark.parametrize(
    "cells",
    [
        *(SEVEN, NINE, LOCAL, [*SEVEN, *NINE]),
        *([f"{text} UTC" for text in SEVEN], [f"{text}+00" for text in SEVEN]),
        [str(1_772_359_200 + number) for number in range(100)],
        [f"{1_772_359_200 + number}.{number}" for number in range(100)],
    ],
)
def test_usual_columns_are_read_at_once(cells: Sequence[str]) -> None:
    zone = ZoneInfo("Europe/Berlin")

    _, is_plain = plain_timestamps(
        pa.array(cells), 0, 1 << 62, TimeReading(zone=zone, is_of_source=True)
    )

    assert is_plain.all()
