"""Every door that can say an event takes it to the same stored event.

An event is drawn as the strings that are stored of it. Doors that judge strictly get
those; the others get any of the ways in which senders write them: numbers, true and
false, objects and lists, a null for what is not there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

import metering
from tests.metering.doors.cells import outcome
from tests.metering.doors.door import Door
from tests.metering.doors.doors import CLOUD_EVENTS, DOORS, SINGLE, STRIPE
from tests.metering.doors.place import NOW, Place, served_place
from tests.metering.doors.sending import DUPLICATE, Event, Right, Sending
from tests.metering.doors.writing import CannotWriteError

# Not names of columns that mean something, nor what is taken for a slip of one.
KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12).map(
    lambda text: f"x{text}"
)
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20
)
WRITTEN: tuple[tuple[object, str], ...] = (
    (True, "true"),
    (False, "false"),
    (7, "7"),
    (-(2**53) - 1, "-9007199254740993"),
    (Decimal("1.50"), "1.50"),
    (0.1, "0.1"),
    (1e-05, "0.00001"),
    ([], "[]"),
    ([1, "ü", None], '[1,"ü",null]'),
    ({"a": {"b": [True]}}, '{"a":{"b":[true]}}'),
)


@dataclass(frozen=True)
class Meant:
    """An event as it is to be stored, and how the parts of it may be written.

    Attributes:
        values: ways of writing the value; the first is its string.
        times: ways of writing the timestamp.
        payload: ways of writing each value, the first its string.
        nulls: keys that have none.
    """

    right: Right
    values: tuple[object, ...]
    times: tuple[object, ...]
    payload: Mapping[str, tuple[object, ...]]
    nulls: frozenset[str]


@st.composite
def values(draw: st.DrawFn) -> tuple[str, tuple[object, ...]]:
    """A number as it is stored, and the ways of writing it."""
    digits = draw(st.integers(-(10**12), 10**12))
    number = Decimal(digits).scaleb(-draw(st.integers(0, 6)))
    text = f"{number:f}"
    stored = text.rstrip("0").rstrip(".") if "." in text else text
    ways: list[object] = [stored, number, f"{number:E}"]
    if len(str(abs(digits))) <= 15:
        ways.append(float(number))
    if number == int(number):
        ways.append(int(number))
    return "0" if stored in {"-0", ""} else stored, tuple(ways)


@st.composite
def times(draw: st.DrawFn) -> tuple[str, tuple[object, ...]]:
    """An instant as it is stored, and the ways of writing it."""
    is_whole = draw(st.booleans())
    seconds = draw(st.integers(0, 30 * 86_400))
    micros = 0 if is_whole else draw(st.integers(0, 999_999))
    at = NOW - timedelta(seconds=seconds) + timedelta(microseconds=micros)
    at = min(at, NOW)
    stored = at.isoformat().replace("+00:00", "Z")
    text = at.isoformat(timespec="microseconds").removesuffix("+00:00")
    ways: list[object] = [at, stored, f"{text}789Z", f"{text} UTC"]
    ways += [f"{text}z".replace("T", "t"), f"{text}+00:00".replace("T", " ")]
    if not at.microsecond:
        ways.append(int(at.timestamp()))
    return stored, tuple(ways)


@st.composite
def meant(draw: st.DrawFn) -> Meant:
    """An event of any content."""
    value, of_value = draw(values())
    at, of_time = draw(times())
    kinds = st.one_of(TEXTS.map(lambda text: (text, text)), st.sampled_from(WRITTEN))
    payload = draw(st.dictionaries(KEYS, kinds, max_size=3))
    nulls = draw(st.frozensets(KEYS, max_size=1)) - payload.keys()
    return Meant(
        right=Right(
            value=value,
            at=at,
            customer=draw(TEXTS),
            payload={key: text for key, (_, text) in payload.items()},
        ),
        values=of_value,
        times=of_time,
        payload={key: (text, each) for key, (each, text) in payload.items()},
        nulls=nulls,
    )


@dataclass(frozen=True)
class Doors:
    """All doors into one store, of which each example has identifiers of its own."""

    place: Place
    meter: metering.Meter
    examples: Iterator[int]


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with served_place(tmp_path_factory.mktemp("doors")) as place:
        yield Doors(place, place.meter(), count())


@pytest.mark.slow
@given(each=meant(), data=st.data())
def test_what_one_door_takes_every_other_takes_to_the_same_event(
    doors: Doors, each: Meant, data: st.DataObject
) -> None:
    """Design, section 7: the rules of an event do not depend on how it comes."""
    place, meter, example = doors.place, doors.meter, next(doors.examples)
    said = [
        (door, sending)
        for door in DOORS
        for sending in [_as_said(data, each, door.name, example)]
        if _can_be_said(door, sending)
    ]
    event(f"{len(said)} doors")

    recorded = [outcome(door, place, meter, sending) for door, sending in said]
    repeated = [
        outcome(door, place, meter, _named_as(sending, other))
        for (door, sending), (_, other) in zip(said, said[1:] + said[:1], strict=True)
    ]

    assert len(said) > 5
    for (door, _), found in zip(said, recorded, strict=True):
        assert found.events == (each.right,), door.name
    for (door, _), found in zip(said, repeated, strict=True):
        # The content hash is the same, or it would be a conflict.
        assert found.events == (DUPLICATE,), door.name


def _as_said(data: st.DataObject, each: Meant, door: str, example: int) -> Sending:
    """Write an event as the sender at a door might."""
    is_strict = door in SINGLE

    def way(ways: tuple[object, ...]) -> object:
        return ways[0] if is_strict else data.draw(st.sampled_from(ways))

    # A cell of CSV is the text that is in it, and no number.
    payload = {
        key: ways[0] if door == "csv" else way(ways)
        for key, ways in each.payload.items()
    }
    if not is_strict:
        payload |= dict.fromkeys(each.nulls)
    # Stripe's routes and CloudEvents have times as one standard says.
    has_one_time = door in STRIPE or door in CLOUD_EVENTS
    return Sending(
        events=(
            Event(
                identifier=f"example {example}/{door}",
                time=each.right.at if has_one_time else way(each.times),
                customer=each.right.customer,
                value=way(each.values),
                payload=payload,
            ),
        )
    )


def _can_be_said(door: Door, sending: Sending) -> bool:
    try:
        door.write("tokens", sending)
    except CannotWriteError:
        return False
    return True


def _named_as(sending: Sending, other: Sending) -> Sending:
    """Give an event the identifier that it had at another door."""
    (only,), (named,) = sending.events, other.events
    return replace(sending, events=(replace(only, identifier=named.identifier),))
