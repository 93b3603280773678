"""Own what Hypothesis draws for re-aggregation: events, and questions about them.

Draws are dense where answers break: few customers and texts, timestamps around changes
of clocks and the bounds of windows, values at both ends of what is allowed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from tests.ledger.usage_rows import decimal_of
from tests.projections.scans.reaggregation.naive import Asked, Event, Meter

MICROSECOND = timedelta(microseconds=1)
FAR = timedelta(hours=400)
NAMES = ("tokens", "Größe", "calls")
CUSTOMERS = ("cus_1", "Zoë", "o'brien; --")
MODELS = ("large", "small", "", "é")
AMOUNTS = ("1", "-2.50", "1e3", "0", "0.000000000001", "9" * 26, "100e-2")
UNREADABLE = ("1_000", "five", "", "1e26", "0.0000000000001", " 1")
# A change of clocks in each zone, or midnight where there is none.
CHANGES = {
    "UTC": datetime(2026, 3, 1, tzinfo=UTC),
    "America/New_York": datetime(2026, 11, 1, 6, tzinfo=UTC),
    "America/Sao_Paulo": datetime(2018, 11, 4, 3, tzinfo=UTC),
    "Asia/Kathmandu": datetime(2026, 2, 28, 18, 15, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2026, 4, 4, 15, tzinfo=UTC),
    "Pacific/Apia": datetime(2011, 12, 30, 10, tzinfo=UTC),
}
FORMULAS = ("sum", "count", "last", "min", "max", "avg", "unique_count")
UNITS = ("minute", "hour", "day", "week", "month")


def timestamps(zone: str) -> st.SearchStrategy[datetime]:
    """Few, so that many are equal."""
    hours = st.sampled_from([-200, -24, -1, 0, 1, 24])
    offsets = st.sampled_from(
        [timedelta(0), -MICROSECOND, MICROSECOND, timedelta(minutes=30)]
    )
    return st.builds(
        lambda hour, offset: CHANGES[zone] + timedelta(hours=hour) + offset,
        hours,
        offsets,
    )


def bounds(zone: str) -> st.SearchStrategy[tuple[datetime, datetime]]:
    """Around everything, or between two of the timestamps."""
    everything = CHANGES[zone] - FAR, CHANGES[zone] + FAR
    two = st.lists(timestamps(zone), min_size=2, max_size=2, unique=True)
    return st.just(everything) | two.map(lambda pair: (min(pair), max(pair)))


def kinds_of_values() -> st.SearchStrategy[st.SearchStrategy[Decimal]]:
    limit = 10**38 - 1
    small = st.integers(-50, 50)
    words = st.sampled_from(
        [2**63, 2**63 - 1, -(2**63) - 1, -(2**63), 2**64, -(2**64), 10**30]
    )
    edges = st.sampled_from([limit, -limit, limit - 1])
    # A store of one kind of values is more usual than one of all.
    kinds = st.sampled_from([small, small, small | words, small | words | edges])
    return kinds.map(lambda kind: kind.map(decimal_of))


@st.composite
def payloads(draw: st.DrawFn, amounts: Sequence[str]) -> dict[str, str]:
    drawn = {
        "model": draw(st.none() | st.sampled_from(MODELS)),
        "região": draw(st.none() | st.sampled_from(("eu", "us"))),
        "amount": draw(st.none() | st.sampled_from(amounts)),
    }
    return {key: text for key, text in drawn.items() if text is not None}


@st.composite
def events_around(draw: st.DrawFn, zone: str) -> list[Event]:
    amounts = draw(st.sampled_from([AMOUNTS, AMOUNTS, (*AMOUNTS, *UNREADABLE)]))
    values = draw(kinds_of_values())
    count = draw(st.integers(0, 30))
    return [
        Event(
            position=position,
            event_name=draw(st.sampled_from(NAMES)),
            customer=draw(st.sampled_from(CUSTOMERS)),
            timestamp=draw(timestamps(zone)),
            value=draw(values),
            payload=draw(payloads(amounts)),
        )
        for position in range(1, count + 1)
    ]


@st.composite
def meters(draw: st.DrawFn, at: int) -> Meter:
    return Meter(
        id=draw(st.sampled_from([f"mtr_{at}", f"mtr_{9 - at}x"])),
        event_name=NAMES[at],
        formula=draw(st.sampled_from(FORMULAS)),
        event_time_window=draw(st.sampled_from([None, None, "hour", "day"])),
        key=draw(st.sampled_from([None, None, "amount"])),
    )


@st.composite
def questions(draw: st.DrawFn) -> tuple[Asked, list[Event]]:
    zone = draw(st.sampled_from(sorted(CHANGES)))
    events = draw(events_around(zone))
    start, end = draw(bounds(zone))
    positions = st.integers(1, 31)
    asked = Asked(
        meters=[draw(meters(at)) for at in range(draw(st.integers(1, 3)))],
        start=start,
        end=end,
        unit=draw(st.sampled_from(UNITS)),
        zone=zone,
        customers=draw(st.none() | st.frozensets(st.sampled_from(CUSTOMERS))),
        dimensions=draw(
            st.lists(st.sampled_from(["model", "região", "none"]), unique=True)
        ),
        filters=draw(
            st.dictionaries(
                st.sampled_from(["model", "região"]),
                st.frozensets(st.sampled_from([*MODELS, "eu", "mars"]), min_size=2),
                max_size=1,
            )
        ),
        up_to=draw(st.just(10**9) | positions),
        cancelled=frozenset(draw(st.sets(positions, max_size=5))),
    )
    return asked, events
