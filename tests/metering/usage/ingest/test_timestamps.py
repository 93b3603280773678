"""Timestamps in sources: every Arrow type and text that means an instant."""

from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
import pytest

import metering
from tests.metering.usual_usage import NOW, columns, counted, rejections, timestamps

AT_NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
ZONES = [None, "UTC", "+02:00", "-03:30", "America/St_Johns", "Asia/Kathmandu"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_timestamp_column_of_any_unit_and_zone_is_understood(
    store: metering.Metering, tokens: metering.Meter, unit: str, zone: str | None
) -> None:
    instants = pa.array([AT_NINE, AT_NINE, None], pa.timestamp("us", "UTC"))
    column = instants.cast(pa.timestamp(unit, zone))

    # The second row is not plain, and so is checked by itself.
    receipt = store.meter_events.ingest(
        columns(timestamp=column, value=["1", "1e0", "1"]), now=True, timezone="UTC"
    )

    assert rejections(receipt) == []
    assert timestamps(store) == [AT_NINE, AT_NINE, NOW]


@pytest.mark.parametrize("unit", ["us", "ns"])
def test_microseconds_are_kept(
    store: metering.Metering, tokens: metering.Meter, unit: str
) -> None:
    at = AT_NINE.replace(microsecond=123456)
    column = pa.array([at], pa.timestamp("us", "UTC")).cast(pa.timestamp(unit, "UTC"))

    store.meter_events.ingest(columns(timestamp=column))

    assert timestamps(store) == [at]


def test_nanoseconds_are_floored_to_microseconds(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    nine = int(AT_NINE.timestamp()) * 10**9
    counts = [nine + 1000, nine + 1, nine + 999, nine, nine - 1]
    column = pa.array(counts, pa.timestamp("ns", "UTC"))

    receipt = store.meter_events.ingest(columns(timestamp=column))
    again = store.meter_events.ingest(columns(timestamp=column.cast(pa.string())))

    assert counted(receipt) == counted(again) == (5, 0, 0)
    after, before = AT_NINE + MICROSECOND, AT_NINE - MICROSECOND
    assert timestamps(store) == [after, AT_NINE, AT_NINE, AT_NINE, before] * 2


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()])
def test_a_date_is_its_midnight_in_the_zone_that_is_named(
    store: metering.Metering, tokens: metering.Meter, kind: pa.DataType
) -> None:
    column = pa.array([date(2026, 2, 28), None, date(1900, 1, 1)], kind)

    receipt = store.meter_events.ingest(
        columns(timestamp=column), now=True, timezone="UTC"
    )

    assert rejections(receipt) == [(2, None, "timestamp_too_far_in_past")]
    assert timestamps(store) == [datetime(2026, 2, 28, tzinfo=UTC), NOW]


def test_a_date_is_its_midnight_also_where_its_writer_left_milliseconds_of_the_day(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    milliseconds = int(datetime(2026, 2, 28, 9, tzinfo=UTC).timestamp()) * 1_000 + 7
    column = pa.array([milliseconds], pa.int64()).view(pa.date64())

    receipt = store.meter_events.ingest(
        columns(timestamp=column, day=column), timezone="UTC"
    )

    assert counted(receipt) == (1, 0, 0)
    assert timestamps(store) == [datetime(2026, 2, 28, tzinfo=UTC)]
    (event,) = store.meter_events.list()
    assert event.payload["day"] == "2026-02-28"


@pytest.mark.parametrize("kind", [pa.int32(), pa.int64(), pa.uint32(), pa.uint64()])
def test_an_integer_counts_seconds_since_1970(
    store: metering.Metering, tokens: metering.Meter, kind: pa.DataType
) -> None:
    column = pa.array([1772355600, None, 0], kind)

    receipt = store.meter_events.ingest(columns(timestamp=column), now=True)

    assert rejections(receipt) == [(2, None, "timestamp_too_far_in_past")]
    assert timestamps(store) == [AT_NINE, NOW]


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T09:00:00Z",
        "2026-03-01T09:00:00",
        "2026-03-01 09:00:00",
        "2026-03-01 09:00",
        "2026-03-01T11:00:00+02:00",
        "2026-03-01T11:00:00+0200",
        "2026-03-01 05:30:00-03:30",
        "2026-03-01T09:00:00.0000000",
        "2026-03-01T09:00:00.000000000Z",
        "1772355600",
    ],
)
def test_a_text_with_or_without_an_offset_is_understood_in_columns_and_dicts(
    store: metering.Metering, tokens: metering.Meter, text: str
) -> None:
    for times in (
        [text],
        pa.array([text]).dictionary_encode(),
        # One that is understood in another way, one that is not understood at all.
        [text, "1772355600", "never"],
    ):
        store.meter_events.ingest(columns(timestamp=times), timezone="UTC")
    dicts = columns(timestamp=[text]).to_pylist()
    store.meter_events.ingest(dicts, timezone="UTC")

    assert timestamps(store) == [AT_NINE] * 5


def test_a_constant_is_the_time_of_every_row(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    at_nine = metering.Columns(timestamp=metering.Constant("2026-03-01 10:00"))
    rows = columns(value=["1", "1e0"]).drop_columns("timestamp")

    for source in (rows, rows.to_pylist()):
        store.meter_events.ingest(source, columns=at_nine, timezone="Europe/Berlin")
    with pytest.raises(metering.InvalidRequestError, match="no time zone"):
        store.meter_events.ingest(rows, columns=at_nine)

    assert timestamps(store) == [AT_NINE] * 4


@pytest.mark.parametrize(
    "text", ["", "never", "2026-02-30", "2026-03-01T25:00", "09:00:00", "2026-03-01T09"]
)
def test_a_text_that_is_no_instant_rejects_its_row_only(
    store: metering.Metering, tokens: metering.Meter, text: str
) -> None:
    column = ["2026-03-01T09:00:00Z", text, "2026-03-01T10:00:00Z"]

    receipt = store.meter_events.ingest(columns(timestamp=column))
    again = store.meter_events.ingest(columns(timestamp=column).to_pylist())

    assert rejections(receipt) == rejections(again) == [(1, None, "timestamp_invalid")]
    assert timestamps(store) == [AT_NINE, AT_NINE + timedelta(hours=1)] * 2


EDGES = [
    NOW - timedelta(days=35) - MICROSECOND,
    NOW - timedelta(days=35),
    NOW + timedelta(minutes=5),
    NOW + timedelta(minutes=5) + MICROSECOND,
]


@pytest.mark.parametrize("is_text", [True, False])
def test_both_ends_of_the_time_that_is_taken_belong_to_it(
    store: metering.Metering, tokens: metering.Meter, *, is_text: bool
) -> None:
    column = [each.isoformat() if is_text else each for each in EDGES]

    receipt = store.meter_events.ingest(columns(timestamp=column))

    assert rejections(receipt) == [
        (0, None, "timestamp_too_far_in_past"),
        (3, None, "timestamp_in_future"),
    ]
    assert timestamps(store) == EDGES[1:3]


@pytest.mark.parametrize("is_columnar", [True, False])
def test_backfilling_takes_any_past_from_1970_but_no_further_future(
    store: metering.Metering, tokens: metering.Meter, *, is_columnar: bool
) -> None:
    start = datetime(1970, 1, 1, tzinfo=UTC)
    instants = [start, start - MICROSECOND, *EDGES]
    rows = columns(timestamp=instants)

    receipt = store.meter_events.ingest(
        rows if is_columnar else rows.to_pylist(), backfill=True
    )

    assert rejections(receipt) == [
        (1, None, "timestamp_too_far_in_past"),
        (5, None, "timestamp_in_future"),
    ]
    messages = receipt.rejections["message"].to_pylist()
    assert "cannot be before 1970" in messages[0]
    assert timestamps(store) == [start, *EDGES[:3]]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_a_count_that_no_calendar_has_is_rejected(
    store: metering.Metering, tokens: metering.Meter, unit: str, zone: str | None
) -> None:
    counts = [2**62, -(2**62), 2**63 - 1, -(2**63), -1]
    column = pa.array(counts, pa.timestamp(unit, zone))

    receipt = store.meter_events.ingest(
        columns(timestamp=column), backfill=True, timezone="UTC"
    )

    assert receipt.accepted == 0
    assert [row for row, _, _ in rejections(receipt)] == [0, 1, 2, 3, 4]


def test_integers_beyond_the_calendar_are_rejected(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    column = pa.array([2**63 + 5, 2**64 - 1, 10**13], pa.uint64())

    receipt = store.meter_events.ingest(columns(timestamp=column), backfill=True)

    assert [code for _, _, code in rejections(receipt)] == ["timestamp_invalid"] * 3


@pytest.mark.parametrize(
    "given",
    [
        datetime(2026, 3, 1, 9),  # noqa: DTZ001  # Naive on purpose.
        date(2026, 3, 1),
        time(9),
        float("nan"),
        True,
        b"2026-03-01",
        ["2026-03-01"],
    ],
)
def test_a_dict_with_a_timestamp_that_is_none_is_rejected(
    store: metering.Metering, tokens: metering.Meter, given: object
) -> None:
    [row] = columns().to_pylist()

    receipt = store.meter_events.ingest([{**row, "timestamp": given}, row])

    assert rejections(receipt) == [(0, None, "timestamp_invalid")]
    assert receipt.accepted == 1


def test_the_time_of_arrival_is_that_of_the_clock(
    store: metering.Metering, tokens: metering.Meter, clock: metering.FixedClock
) -> None:
    clock.advance(timedelta(days=100))

    store.meter_events.ingest(columns(timestamp=[None, clock.now()]), now=True)

    assert timestamps(store) == [NOW + timedelta(days=100)] * 2
