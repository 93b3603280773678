"""Usage of all customers: what it comes to, whose writes it knows, and what it reads."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import metering
from tests.metering.refusals import refused
from tests.metering.usual_usage import cancel_event, create_event, create_meter

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a store is whose meters add up, and take the last."""
    with opened(tmp_path) as m:
        create_meter(m, "tokens")
        create_meter(m, "seats", "last")
    return tmp_path


def opened(place: Path) -> metering.Metering:
    clock = metering.FixedClock(NOON + 24 * HOUR)
    return metering.connect(place / "usage", clock=clock, seal_events=None)


@pytest.fixture
def m(place: Path) -> Iterator[metering.Metering]:
    """A connection to the store."""
    with opened(place) as m:
        yield m


def use(
    m: metering.Metering, event_name: str, customer: str, at: datetime, value: str
) -> None:
    payload = {"stripe_customer_id": customer, "value": value}
    identifier = f"{customer} {value}"
    create_event(m, event_name, payload, timestamp=at, identifier=identifier)


def rows(m: metering.Metering, **asked: Any) -> list[tuple[object, ...]]:
    table = m.usage(**asked).select(
        ["event_name", "customer", "window_start", "value", "event_count"]
    )
    return [tuple(row.values()) for row in table.to_pylist()]


def test_usage_names_the_meter_the_window_and_the_position(
    m: metering.Metering,
) -> None:
    tokens = m.meters.retrieve(event_name="tokens")
    use(m, "tokens", "cus_1", NOON, "2.5")

    table = m.usage(window="month", timezone="Asia/Kolkata")

    start = datetime(2026, 2, 28, 18, 30, tzinfo=UTC)
    assert table.to_pylist() == [
        {
            "meter": tokens.id,
            "customer": "cus_1",
            "window_start": start,
            "window_end": start + timedelta(days=31),
            "value": Decimal("2.5"),
            "event_count": 1,
            "event_name": "tokens",
        }
    ]
    assert table.schema.metadata == {b"position": str(m.position).encode()}


def test_usage_knows_what_every_process_has_recorded(
    m: metering.Metering, place: Path
) -> None:
    use(m, "tokens", "cus_1", NOON, "1")
    assert rows(m)[0][-2:] == (1, 1)

    with opened(place) as other:
        use(other, "tokens", "cus_1", NOON + HOUR, "2")
        assert rows(m)[0][-2:] == (3, 2)
        other.seal()
        cancel_event(other, "cus_1 1")
        assert rows(m)[0][-2:] == (2, 1)


def test_whole_hours_are_answered_without_their_events(
    m: metering.Metering, place: Path
) -> None:
    for number in range(4):
        use(m, "tokens", f"cus_{number % 2}", NOON + number * HOUR, str(number))
        use(m, "seats", f"cus_{number % 2}", NOON + number * HOUR, str(number))
    m.seal()
    by_day = rows(m)
    assert [row[1:4:2] for row in by_day if row[0] == "seats"] == [
        ("cus_0", 2),
        ("cus_1", 3),
    ]

    for segment in (place / "usage" / "segments").iterdir():
        segment.unlink()

    assert rows(m) == by_day
    assert rows(m, timezone="Europe/Berlin", start_time=NOON, window=None)
    with pytest.raises(metering.SegmentStoreError):
        rows(m, start_time=NOON + timedelta(minutes=1))
    with pytest.raises(metering.SegmentStoreError):
        m.reaggregate()


@pytest.mark.parametrize("is_sealed", [False, True])
def test_a_cancelled_last_event_leaves_the_one_before_it(
    m: metering.Metering, *, is_sealed: bool
) -> None:
    for minute, value in enumerate(("5", "7", "9")):
        use(m, "seats", "cus_1", NOON + timedelta(minutes=minute), value)
        use(m, "seats", "cus_2", NOON + timedelta(minutes=minute), value)
    if is_sealed:
        m.seal()
    cancel_event(m, "cus_1 9", "seats")

    assert rows(m, window="hour") == [
        ("seats", "cus_1", NOON, 7, 2),
        ("seats", "cus_2", NOON, 9, 3),
    ]


def test_a_window_all_of_whose_events_were_cancelled_is_left_out(
    m: metering.Metering,
) -> None:
    use(m, "tokens", "cus_1", NOON, "1")
    use(m, "tokens", "cus_2", NOON, "2")
    m.seal()
    cancel_event(m, "cus_1 1")

    assert rows(m, window="hour") == [("tokens", "cus_2", NOON, 2, 1)]


def test_usage_of_some_customers_is_theirs_alone(m: metering.Metering) -> None:
    for number in range(3):
        use(m, "tokens", f"cus_{number}", NOON, str(number))

    whole = {row[1] for row in rows(m)}
    some = {row[1] for row in rows(m, customers=["cus_2", "cus_0", "nobody"])}

    assert whole == {"cus_0", "cus_1", "cus_2"}
    assert some == {"cus_0", "cus_2"}
    assert rows(m, customers="nobody") == []
    both = m.reaggregate(filters={"customer": ["cus_1", "cus_2"]}, customers="cus_2")
    assert both.equals(m.usage(customers="cus_2"))


def test_one_window_lasts_from_bound_to_bound(m: metering.Metering) -> None:
    use(m, "tokens", "cus_1", NOON + timedelta(minutes=30), "1")
    use(m, "tokens", "cus_1", NOON + 30 * HOUR - 12 * HOUR, "2")
    end = NOON + 2 * HOUR

    bounded = m.usage(window=None, start_time=NOON, end_time=end).to_pylist()
    unbounded = m.usage(window=None).to_pylist()

    assert [each["window_start"] for each in bounded + unbounded] == [NOON] * 2
    assert [each["window_end"] for each in bounded] == [end]
    assert [each["window_end"] for each in unbounded] == [NOON + 19 * HOUR]
    assert [each["value"] for each in bounded + unbounded] == [1, 3]


def test_progress_ends_where_there_is_no_more(m: metering.Metering) -> None:
    create_meter(m, "peaks", "max")
    for name in ("tokens", "seats", "peaks"):
        use(m, name, "cus_1", NOON, "1")
    seen: list[tuple[int, int]] = []

    m.usage(progress=lambda done, total: seen.append((done, total)))

    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] > 0


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"window": "minute"}, "window"),
        ({"window": 1}, "window"),
        ({"meters": "calls"}, "meters"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"customers": []}, "customers"),
        ({"customers": [1]}, "customers"),
        ({"customers": True}, "customers"),
        ({"start_time": "2026-03-02", "end_time": "2026-03-01"}, "end_time"),
        ({"start_time": datetime(2026, 3, 2)}, "start_time"),  # noqa: DTZ001  # the point
    ],
)
def test_what_cannot_be_answered_is_refused_by_name(
    m: metering.Metering, asked: dict[str, Any], param: str
) -> None:
    with refused(param=param):
        m.usage(**asked)


def test_a_store_without_events_has_no_usage(m: metering.Metering) -> None:
    for asked in ({}, {"window": None}, {"start_time": NOON}, {"end_time": NOON}):
        assert rows(m, **asked) == []
