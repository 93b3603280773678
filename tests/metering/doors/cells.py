"""Own the table *rule by door*: what a case is, and what a cell comes to."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count

import metering
from tests.metering.doors import rules
from tests.metering.doors.door import Door
from tests.metering.doors.doors import BY_NAME
from tests.metering.doors.place import Place
from tests.metering.doors.sending import (
    ABSENT,
    DUPLICATE,
    Event,
    Fate,
    Outcome,
    Refused,
    Right,
    Sending,
)
from tests.metering.doors.writing import CannotWriteError

_CELLS = count(1)
Meanwhile = Callable[[Place, metering.Meter], None]


@dataclass(frozen=True, kw_only=True)
class Case(Sending):
    """What is sent through every door, and what is right.

    Attributes:
        name: what is true of it, in words.
        right: the fate of each event.
        but: that at doors where it is another.
        empty: why there is no such case at a door.
        left_out: how many values of a key are left out.
        rounded: how many values are rounded.
        source: why nothing is taken: the whole source, or each event where it is sent
            alone.
        statuses: what HTTP answers each request with, where that matters.
        meanwhile: what happens before the same is sent once more; the clock may move.
        again: the fate of each event then; empty where it is not sent again.
        again_options: of the ingestion then, where they are others.
        formula: of the meter.
    """

    name: str
    right: tuple[Fate, ...] = (Right(),)
    but: Mapping[str, tuple[Fate, ...]] = field(default_factory=dict)
    empty: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    rounded: int = 0
    source: Refused | None = None
    statuses: Mapping[str, int] = field(default_factory=dict)
    meanwhile: Meanwhile | None = None
    again: tuple[Fate, ...] = ()
    again_options: Mapping[str, object] | None = None
    formula: str = "sum"

    def __post_init__(self) -> None:
        """Check that no door is misspelled, and no reason is missing."""
        for named in (self.but, self.empty, self.statuses):
            assert named.keys() <= BY_NAME.keys(), f"{self.name}: no such door"
        assert all(reason.strip() for reason in self.empty.values()), self.name
        assert self.source is None or not self.again


@dataclass(frozen=True)
class Rule:
    """One rule, by the cases that show it.

    Attributes:
        name: what it says, in a few words.
        nowhere: the doors at which none of its cases can be, and why that is so.
    """

    name: str
    cases: tuple[Case, ...]
    nowhere: Mapping[str, str] = field(default_factory=dict)


def all_rules() -> tuple[Rule, ...]:
    """Find the rules: one in each module of the folder of that name."""
    found = pkgutil.iter_modules(rules.__path__, f"{rules.__name__}.")
    return tuple(importlib.import_module(each.name).RULE for each in found)


def why_empty(case: Case, door: Door) -> str | None:
    """Return why there is no cell of a case at a door, or None where there is one."""
    if door.name in case.empty:
        return case.empty[door.name]
    try:
        door.write("tokens", case)
    except CannotWriteError as reason:
        return str(reason)
    return None


def at(doors: tuple[str, ...], *fates: Fate) -> dict[str, tuple[Fate, ...]]:
    """Say that several doors answer the same."""
    return dict.fromkeys(doors, fates)


def none_at(doors: tuple[str, ...], reason: str) -> dict[str, str]:
    """Say why a case is at none of several doors."""
    return dict.fromkeys(doors, reason)


def outcome(
    door: Door, place: Place, meter: metering.Meter, sending: Sending
) -> Outcome:
    """Send events through a door, and look what became of each."""
    before = place.store.position
    taken = door.send(place, sending, door.write(meter.event_name, sending))
    new = place.events(meter.event_name, before)
    fates: list[Fate] = []
    for number, event in enumerate(sending.events):
        if taken.source is not None:
            continue
        refusal = taken.refused.get(number)
        found = None if refusal is not None else _found(event, new)
        if refusal is not None:
            fates.append(refusal)
        elif found is None:
            fates.append(DUPLICATE)
        else:
            new.remove(found)
            fates.append(_stored(found, event))
    assert not new, f"recorded, and nobody sent it: {new}"
    return Outcome(events=tuple(fates), taken=taken)


def check_cell(door: Door, place: Place, case: Case) -> None:
    """Send a case through a door, and check that what became of it is right."""
    case, meter = _apart(case, place)
    found = outcome(door, place, meter, case)
    _check(door, found, case, case.but.get(door.name, case.right))
    if not case.again:
        return
    once_more: Sending = case
    if case.again_options is not None:
        once_more = replace(case, options=case.again_options)
    with place.at(place.clock.now()):
        if case.meanwhile is not None:
            case.meanwhile(place, meter)
        repeated = outcome(door, place, meter, once_more)
    assert _seen(door, repeated.events, case.again) == case.again


def _apart(case: Case, place: Place) -> tuple[Case, metering.Meter]:
    """Keep a cell apart from all others: by its identifiers, or by a meter of its own.

    The more meters a store has, the longer takes everything.
    """
    named = [each.identifier for each in case.events]
    is_usual = all(
        isinstance(each, str) and each.startswith("sender/") for each in named
    )
    if case.meanwhile is not None or not is_usual:
        return case, place.meter(case.formula)
    number = next(_CELLS)
    events = tuple(
        replace(each, identifier=f"{number}-{each.identifier}") for each in case.events
    )
    return replace(case, events=events), place.shared_meter(case.formula)


def _check(door: Door, found: Outcome, case: Case, right: tuple[Fate, ...]) -> None:
    taken = found.taken
    if case.source is not None and door.name not in case.but:
        reasons = [*taken.refused.values()] if taken.source is None else [taken.source]
        assert reasons, f"it was taken: {found.events}"
        for each in reasons:
            _check_refused(door, each, case.source)
        assert all(isinstance(each, Refused) for each in found.events)
        _check_statuses(door, found, case)
        return
    assert taken.source is None, taken.source
    assert _seen(door, found.events, right) == right
    assert (dict(taken.left_out), taken.rounded) == (dict(case.left_out), case.rounded)
    _check_statuses(door, found, case)


def _check_statuses(door: Door, found: Outcome, case: Case) -> None:
    if (status := case.statuses.get(door.name)) is not None:
        assert set(found.taken.statuses) == {status}


def _seen(
    door: Door, found: tuple[Fate, ...], right: tuple[Fate, ...]
) -> tuple[Fate, ...]:
    """Look at what was found as the right answer is written: some words of a message."""
    assert len(found) == len(right), found
    return tuple(map(_as_written, found, right, [door] * len(found)))


def _as_written(found: Fate, right: Fate, door: Door) -> Fate:
    match found, right:
        case Refused(), Refused():
            _check_refused(door, found, right)
            return right
        case Right(), Right():
            # Written with an offset or without a fraction, it is the same instant.
            return replace(
                found,
                identifier=found.identifier and right.identifier,
            )
        case _:
            return found


def _check_refused(door: Door, found: Refused, right: Refused) -> None:
    assert right.words in found.code + " " + found.words, found
    if not right.code:
        return
    codes = {
        "v1": right.v1 or right.code,
        "v2": right.v2 or right.code,
        # In a report it has the library's code, in an answer that of v2.
        "stream": found.code if found.code == right.v2 else right.code,
        # A line of the command's has no code.
        "command": found.code or right.code,
    }
    expected = codes.get(door.name, right.code)
    assert (found.code or expected) == expected, found


def _found(event: Event, new: list[metering.MeterEvent]) -> metering.MeterEvent | None:
    """Find the event that was recorded: by its identifier, or else the next one."""
    if event.identifier in (None, ABSENT):
        return new[0] if new else None
    wanted = str(event.identifier)
    return next((each for each in new if each.identifier == wanted), None)


def _stored(recorded: metering.MeterEvent, event: Event) -> Right:
    payload = dict(recorded.payload)
    customer = payload.pop("stripe_customer_id")
    value = payload.pop("value", None)
    is_as_sent = recorded.identifier == str(event.identifier)
    return Right(
        value=value,
        at=recorded.timestamp.isoformat().replace("+00:00", "Z"),
        customer=customer,
        payload=payload,
        identifier=None if is_as_sent else recorded.identifier,
    )
