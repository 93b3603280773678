"""Own what Hypothesis draws: meters, events, batches and whole histories of a store.

Draws are dense where engines break: identifiers from a small pool, so that events
repeat and contradict each other; timestamps around a few UTC hours and a midnight,
many of them equal or a microsecond apart; values at both ends of what is allowed.
A history is plain data; whoever plays it decides which engine answers.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.oracles.usage import OracleMeter, Row, Span
from tests.property.operations import (
    CHANGES,
    Advance,
    Again,
    Cancel,
    CancelSent,
    CompareEverything,
    CorrectTime,
    Create,
    Define,
    Fresh,
    History,
    Ingest,
    LetAClockBeWrong,
    Operation,
    Read,
    Rename,
    SetActive,
)
from tests.property.sources import FORMS
from tests.property.two_connections import Upkeep

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
START = MIDNIGHT + timedelta(hours=30)
MICROSECOND = timedelta(microseconds=1)
SHARES = st.sampled_from([Fraction(0), Fraction(1, 2), Fraction(1)])
WRONG_BY = st.sampled_from([timedelta(hours=1), timedelta(days=400)])

Usage = tuple[tuple[OracleMeter, ...], list[Row]]

VALID_VALUES = (
    "1", "2.5", "-3", "0", "-0", "0.000", "007", "1.0000000000000", "0.1", "0.2",
    "1e3", "1E-7", "1.5e+2", "100e-2", "-12e-12", "1e17", "0e999", "0.000000000001",
    "9" * 18, "-" + "9" * 18, "9" * 18 + "." + "9" * 12, "-0." + "9" * 12,
    "-" + "9" * 18 + "." + "9" * 12, "-0.000", "12", "012", "1e+3", "12345e-12",
)  # fmt: skip
NO_QUANTITIES = (
    "", " ", "+5", ".5", "5.", " 5", "5 ", "5\n", "1_000", "1,000", "--1", "1-", "1e",
    "e5", "1e+", "1e1.5", "1ee5", "0x10", "NaN", "-Infinity", "sNaN", "inf", "five",
    "\u0663", "\uff11\uff12", "\u00b2", "1e26", "1e400", "1e-13", "1e-400", "1" + "0" * 26,
    "0.0000000000001", "1.0000000000001", "-", "1.2.3", "1e5e5", "0" * 40 + "1e40",
    "1e131071", "Infinity", "\u0661\u0662", "\u0967", "1" * 40 + ".1", "1" * 27, "\t12",
    "0.0000000000005", " 12 ", "12\n", "5e", "0x1A", "1/2",
)  # fmt: skip
TOO_LARGE_VALUES = ("1e18", "1" + "0" * 18, "9" * 26, "-" + "1" * 19 + ".5", "12e17")
INVALID_VALUES = NO_QUANTITIES + TOO_LARGE_VALUES
CUSTOMERS = (
    "cus_1", "cus_2", "Zoë 客户 🚕", "o'brien \"x\"", "'; DROP TABLE log_commit; --",
    "%_$1{}\\", "a\nb\tc", "cus_1 ", "é", "e\u0301", "🚕" * 500,
)  # fmt: skip
FEW_CUSTOMERS = ("cus_1", "Zoë 客户 🚕", "o'brien")
IDENTIFIERS = ("a", "A", "b", "c'; --", "ключ", "é", "e\u0301", "🚕" * 100)
EVENT_NAMES = ("tokens", "Tokens", "api calls", 'o\'clock "%s"; --', "größe")


@st.composite
def meters(draw: st.DrawFn) -> OracleMeter:
    customer_key, value_key = draw(
        st.sampled_from(
            [("stripe_customer_id", "value"), ("account", "größe"), ("value", "amount")]
        )
    )
    return OracleMeter(
        event_name=draw(st.sampled_from(EVENT_NAMES)),
        formula=draw(st.sampled_from(["sum", "count", "last"])),
        customer_key=customer_key,
        value_key=value_key,
        event_time_window=draw(st.sampled_from([None, "hour", "day"])),
    )


def meter_sets(size_max: int = 3) -> SearchStrategy[tuple[OracleMeter, ...]]:
    return st.lists(
        meters(), min_size=1, max_size=size_max, unique_by=lambda each: each.event_name
    ).map(tuple)


def values() -> SearchStrategy[str | int | Decimal]:
    """Values that an engine takes, as text and as exact numbers."""
    plain = st.decimals(min_value=-1000, max_value=1000, places=3)
    limit = 10**18 - 1
    return st.one_of(
        st.sampled_from(VALID_VALUES),
        plain.map(str),
        plain,
        st.integers(min_value=-limit, max_value=limit),
        st.sampled_from([Decimal("1E+3"), Decimal("-0"), Decimal("1E-12"), 0]),
    )


def invalid_values() -> SearchStrategy[str | Decimal]:
    return st.one_of(
        st.sampled_from(INVALID_VALUES),
        st.sampled_from([Decimal("NaN"), Decimal("-Infinity"), Decimal("1E+18")]),
    )


def customers() -> SearchStrategy[str]:
    return st.sampled_from(CUSTOMERS)


def identifiers() -> SearchStrategy[str | None]:
    return st.none() | st.sampled_from(IDENTIFIERS)


def timestamps() -> SearchStrategy[datetime]:
    hours = st.sampled_from([-25, -24, -2, -1, 0, 1, 2, 23, 24])
    exact = st.sampled_from([timedelta(0), -MICROSECOND, MICROSECOND])
    inside = st.timedeltas(min_value=timedelta(0), max_value=timedelta(hours=1))
    return st.builds(
        lambda hour, offset: MIDNIGHT + timedelta(hours=hour) + offset,
        hours,
        exact | inside,
    )


def distances_from_now() -> SearchStrategy[timedelta]:
    """Both ends of what is accepted, just inside and just outside, and far beyond."""
    oldest, newest = timedelta(days=-35), timedelta(minutes=5)
    return st.sampled_from(
        [
            timedelta(0), oldest, oldest - MICROSECOND, oldest + MICROSECOND, newest,
            newest + MICROSECOND, newest - MICROSECOND, timedelta(days=-500),
            timedelta(days=2),
        ]
    )  # fmt: skip


def spans() -> SearchStrategy[Span]:
    """Windows of at most a few days, so that grouping them by hour stays small."""
    bounds = st.lists(timestamps(), min_size=2, max_size=2, unique=True).map(sorted)
    return bounds.map(lambda pair: (pair[0], pair[1]))


def dimensions() -> SearchStrategy[dict[str, str]]:
    keys = st.sampled_from(["model", "região", "timestamp", "a.b[c]", "'; --"])
    texts = st.sampled_from(["large", "small", "", "1.0", "null", "{}", "a\nb"])
    return st.dictionaries(keys, texts, max_size=2)


@st.composite
def rows(
    draw: st.DrawFn, meters: Sequence[OracleMeter], customers: Sequence[str] = CUSTOMERS
) -> Row:
    """An event that obeys every rule, but perhaps the one about its timestamp."""
    meter = draw(st.sampled_from(meters))
    payload: dict[str, str | int | Decimal] = {**draw(dimensions())}
    payload[meter.customer_key] = draw(st.sampled_from(customers))
    if meter.formula != "count" or draw(st.booleans()):
        payload[meter.value_key] = draw(values())
    return Row(
        event_name=meter.event_name,
        payload=payload,
        identifier=draw(identifiers()),
        timestamp=draw(st.none() | timestamps()),
    )


@st.composite
def faulty_rows(draw: st.DrawFn, meters: Sequence[OracleMeter]) -> Row:
    """An event that breaks one rule, or a few."""
    meter = draw(st.sampled_from(meters))
    row = draw(rows([meter]))
    payload = {**row.payload}
    broken: list[Row] = [
        replace(row, event_name="nobody measures this"),
        replace(row, event_name="n" * 101),
        replace(row, identifier=""),
        replace(row, identifier="🚕" * 101),
        replace(row, identifier="a\0b"),
        replace(row, identifier="\ud83d"),
        replace(row, payload={**payload, meter.customer_key: ""}),
        replace(row, payload={**payload, meter.customer_key: "c" * 501}),
        replace(row, payload={**payload, meter.customer_key: "a\0"}),
        replace(row, payload={**payload, meter.value_key: draw(invalid_values())}),
        replace(row, payload={**payload, "k" * 101: "long"}),
        replace(row, payload={**payload, "long": "🚕" * 501}),
        replace(row, payload={**payload, "k\0": "nul"}),
        replace(row, payload={**payload, "surrogate": "\udc00"}),
    ]
    for key in (meter.customer_key, meter.value_key):
        rest = {name: text for name, text in payload.items() if name != key}
        broken.append(replace(row, payload=rest))
    return draw(st.sampled_from(broken))


def items(
    meters: Sequence[OracleMeter], customers: Sequence[str]
) -> SearchStrategy[Fresh | Again]:
    good = rows(meters, customers)
    again = st.builds(Again, back=st.integers(0, 5), change=st.sampled_from(CHANGES))
    fresh = st.builds(Fresh, row=good)
    timed = st.builds(Fresh, row=good, from_now=distances_from_now())
    faulty = st.builds(Fresh, row=faulty_rows(meters))
    # Most are good: a store that refuses everything is seldom wrong.
    kinds: list[SearchStrategy[Fresh | Again]] = [fresh] * 6 + [again] * 4
    return st.sampled_from([*kinds, timed, faulty]).flatmap(lambda kind: kind)


def cuts() -> SearchStrategy[tuple[int, ...]]:
    return st.lists(st.integers(1, 5), max_size=3).map(tuple)


def advances() -> SearchStrategy[Advance]:
    distances = [MICROSECOND, timedelta(minutes=5), timedelta(hours=1)]
    far = [timedelta(days=1), timedelta(days=20)]
    return st.builds(Advance, by=st.sampled_from(distances + far))


@st.composite
def usages(
    draw: st.DrawFn,
    *,
    is_windowed: bool = True,
    formulas: Sequence[str] = ("sum", "count", "last"),
) -> Usage:
    """Meters, and events that are all accepted and named `event-0`, `event-1`…"""
    known = draw(
        meter_sets().filter(lambda each: any(m.formula in formulas for m in each))
    )
    known = tuple(each for each in known if each.formula in formulas)
    if not is_windowed:
        known = tuple(replace(each, event_time_window=None) for each in known)
    sent = draw(st.lists(rows(known, FEW_CUSTOMERS), min_size=1, max_size=20))
    named = [
        replace(row, identifier=f"event-{number}", timestamp=row.timestamp or START)
        for number, row in enumerate(sent)
    ]
    event(f"{len(named) // 5 * 5}+ events")
    return known, named


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Anything that can happen to a store of a few meters and customers.

    Each history leaves out some kinds of operation: the others then meet more often
    (swarm testing, Groce et al., ISSTA 2012).
    """
    known = draw(meter_sets())
    names = st.sampled_from([meter.event_name for meter in known])
    some = draw(st.lists(customers(), min_size=1, max_size=3, unique=True))
    item = items(known, some)
    always: list[SearchStrategy[Operation]] = [
        st.builds(Create, item=item),
        st.builds(CancelSent, back=st.integers(0, 5)),
        st.builds(
            Ingest,
            items=st.lists(item, max_size=12).map(tuple),
            form=st.sampled_from(FORMS),
            cuts=cuts(),
            backfill=st.booleans(),
        ),
    ]
    sometimes: list[SearchStrategy[Operation]] = [
        st.builds(Cancel, event_name=names, identifier=st.sampled_from(IDENTIFIERS)),
        st.builds(SetActive, event_name=names, active=st.booleans()),
        st.builds(Rename, event_name=names),
        st.builds(Define, meter=meters()),
        st.builds(
            Read,
            event_name=names,
            customer=st.sampled_from(some),
            span=spans(),
            grouping=st.sampled_from(["", "hour", "day"]),
            fill=st.booleans(),
        ),
        advances(),
        st.builds(LetAClockBeWrong, by=WRONG_BY),
        st.builds(CorrectTime, share=SHARES),
        *(st.just(Upkeep(verb=each)) for each in ("reopen", "rebuild", "seal")),
        st.builds(CompareEverything),
    ]
    chosen = draw(st.sets(st.sampled_from(range(len(sometimes)))))
    operation = st.one_of(*always, *(sometimes[each] for each in sorted(chosen)))
    step = st.tuples(st.integers(0, 1), operation)
    # Lists of lists, because one list seldom grows long unless it must.
    runs = draw(st.lists(st.lists(step, min_size=1, max_size=8), max_size=8))
    return History(meters=known, steps=tuple(step for run in runs for step in run))
