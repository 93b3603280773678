"""Own the cells of times: how they are written, what numbers count, and whose clocks."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa

from tests.metering.doors.cells import Case, Rule, at, none_at
from tests.metering.doors.doors import CLOUD_EVENTS, STRIPE, V2
from tests.metering.doors.sending import Event, Refused, Right, Typed

BERLIN = {"timezone": "Europe/Berlin", "backfill": True}
SECONDS = "v2 and CloudEvents have times as strings of RFC 3339"
STRINGS = none_at((*V2, *CLOUD_EVENTS), SECONDS)
WHOLE = "a form has whole seconds since 1970"
NO_OFFSET = "Stripe's own routes take RFC 3339, which has a zone"
MIDNIGHT = Right(at="2026-03-01T00:00:00Z")
TEN = Right()


def written(time: str, at: str, name: str) -> Case:
    """Say what a time with a zone is, at every door but that of whole seconds."""
    empty = {"v1": WHOLE}
    return Case(
        name=name, events=(Event(time=time),), right=(Right(at=at),), empty=empty
    )


def counted(time: object, unit: str, name: str, at: str = Right().at) -> Case:
    """Say what a number of a unit is."""
    return Case(
        name=name,
        events=(Event(time=time),),
        right=(Right(at=at),),
        options={"timestamp_unit": unit, "backfill": True},
        empty=STRINGS,
    )


def local(time: object, name: str, at: str) -> Case:
    """Say what a time by the clocks of Berlin is."""
    return Case(
        name=name,
        events=(Event(time=time),),
        right=(Right(at=at),),
        options=BERLIN,
    )


RULE = Rule(
    "times are read as they are written",
    (
        written(
            "2026-03-01T10:00:00.1234567Z",
            "2026-03-01T10:00:00.123456Z",
            "seven digits are floored to the microsecond",
        ),
        written(
            "2026-03-01T10:00:00.999999999+01:30",
            "2026-03-01T08:30:00.999999Z",
            "nine digits are floored, and an offset is taken off",
        ),
        written(
            "2026-03-01T10:00:00." + "9" * 30 + "Z",
            "2026-03-01T10:00:00.999999Z",
            "any number of digits",
        ),
        written("2026-03-01t10:00:00z", TEN.at, "a small t and a small z"),
        written("2026-03-01 10:00:00Z", TEN.at, "a blank for the T"),
        written("2026-03-01 10:00:00 UTC", TEN.at, "UTC behind a blank"),
        written("2026-03-01T10:00:00UTC", TEN.at, "UTC behind nothing"),
        written(
            "2026-02-28T23:59:60Z", MIDNIGHT.at, "a leap second is the next instant"
        ),
        written(
            "2026-03-01T00:59:60.75+01:00",
            MIDNIGHT.at,
            "a leap second has one instant, in any zone",
        ),
        Case(
            name="a leap second where there can be none",
            events=(Event(time="2026-03-01T10:00:60Z"),),
            right=(Refused("timestamp_invalid", "leap second"),),
            empty={"v1": WHOLE},
        ),
        Case(
            name="nanoseconds of a column are floored",
            events=(
                Event(time=Typed(1772359200_123456999, pa.timestamp("ns", "UTC"))),
            ),
            right=(Right(at="2026-03-01T10:00:00.123456Z"),),
            empty=none_at(("dicts", *CLOUD_EVENTS), "only a column has a type"),
        ),
        Case(
            name="seconds",
            events=(Event(time=1772359200),),
            empty=STRINGS,
        ),
        counted(1772359200_000, "ms", "milliseconds"),
        counted(1772359200_000_000, "us", "microseconds"),
        counted(1772359200_000_000_999, "ns", "nanoseconds, floored"),
        counted("1772359200000", "ms", "milliseconds as a string"),
        counted(
            1772359200_250.5,
            "ms",
            "a floating-point number is its shortest decimal",
            "2026-03-01T10:00:00.250500Z",
        ),
        Case(
            name="fractions of seconds are kept",
            events=(
                Event(time=1772359200.25),
                Event(time=1772359200.1, identifier="sender/2"),
            ),
            right=(
                Right(at="2026-03-01T10:00:00.250000Z"),
                Right(at="2026-03-01T10:00:00.100000Z"),
            ),
            empty={**STRINGS, "v1": WHOLE},
        ),
        Case(
            name="fractions of seconds, with more digits than can be kept",
            events=(Event(time=Decimal("1772359200.1234569")),),
            right=(Right(at="2026-03-01T10:00:00.123456Z"),),
            empty={**STRINGS, "v1": WHOLE},
        ),
        Case(
            name="a number in no sensible year, which says in which unit it would be",
            events=(Event(time=1772359200_000),),
            right=(Refused("timestamp_invalid", "2026-03-01T10:00:00.000Z"),),
            but=at(STRIPE, Refused("parameter_invalid_integer")),
            empty=STRINGS,
        ),
        Case(
            name="seconds taken for milliseconds, which would be in 1970",
            events=(Event(time=1772359200),),
            options={"timestamp_unit": "ms", "backfill": True},
            right=(Refused("timestamp_invalid", "timestamp_unit='s'"),),
            empty=STRINGS,
        ),
        Case(
            name="a string without a zone",
            events=(Event(time="2026-03-01 10:00:00"),),
            right=(Refused("timestamp_invalid", "timezone='UTC'"),),
            but={
                # A single string stands for itself, as in every question.
                "create": (TEN,),
                **at(V2, Refused("", v2="invalid_request")),
            },
            empty={"v1": WHOLE},
        ),
        Case(
            name="a datetime without a zone, of no source",
            events=(Event(time=datetime(2026, 3, 1, 10)),),  # noqa: DTZ001  # on purpose
            right=(Refused("timestamp_invalid", "zone"),),
            empty={
                **none_at(V2, NO_OFFSET),
                **none_at(
                    ("table", "arrow", "parquet", "bulk-arrow", "bulk-parquet"),
                    "a column without a zone is refused as a whole",
                ),
            },
        ),
        Case(
            name="a column without a zone",
            events=(Event(time=Typed(1772359200_000_000, pa.timestamp("us"))),),
            source=Refused("", "has no time zone"),
            empty=none_at(("dicts", *CLOUD_EVENTS), "only a column has a type"),
        ),
        local(
            "2026-03-01 11:00:00.1234567", "a string", at="2026-03-01T10:00:00.123456Z"
        ),
        local("2026-03-01", "a day is its midnight", at="2026-02-28T23:00:00Z"),
        local("2026-03-01T10:00:00Z", "a zone of its own comes first", at=TEN.at),
        Case(
            name="a number has no zone",
            events=(Event(time=1772359200),),
            options=BERLIN,
            empty=STRINGS,
        ),
        local(date(2026, 3, 1), "a date is its midnight", at="2026-02-28T23:00:00Z"),
        local(
            datetime(2026, 3, 1, 11),  # noqa: DTZ001  # on purpose
            "a datetime",
            at=TEN.at,
        ),
        local(datetime(2026, 3, 1, 10, tzinfo=UTC), "an aware datetime", at=TEN.at),
        Case(
            name="a local time that comes twice",
            events=(Event(time="2025-10-26 02:30:00"),),
            options=BERLIN,
            right=(
                Refused(
                    "timestamp_invalid",
                    "2025-10-26T00:30:00.000Z or 2025-10-26T01:30:00.000Z",
                ),
            ),
        ),
        Case(
            name="a local time that is skipped",
            events=(Event(time="2025-03-30 02:30:00"),),
            options=BERLIN,
            right=(
                Refused(
                    "timestamp_invalid",
                    "2025-03-30T01:30:00.000Z or 2025-03-30T00:30:00.000Z",
                ),
            ),
        ),
        Case(
            name="a zone that there is not",
            options={"timezone": "Mars/Olympus"},
            source=Refused("", "timezone"),
        ),
    ),
)
