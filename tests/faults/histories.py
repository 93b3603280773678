"""What a store lives through in the fault tests, and what must be left of it.

Each history is prepared, lived through while something happens to it, and checked: the
power is lost, a process is killed, a system call fails. It notes what it sends and what was
acknowledged: what is acknowledged must be there, what was only sent may be, and all of it
can be sent again, to be there once.
"""

import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

import metering
from tests.faults import credits as settled
from tests.faults.delivering import (
    LATER,
    PATHS,
    event_ids,
    marked_delivered,
)
from tests.faults.killed.recording import HOUR, take_in
from tests.faults.usage import (
    assert_holds,
    create,
    create_meter,
    expected_totals,
    numbers_by_position,
    open_store,
    record,
    table,
    totals,
)
from tests.metering.store_0_1_0 import OldStore, answers_of, unpacked

AMOUNT = 1_000_000
SMALL_COMMITS = 520


class LostError(AssertionError):
    """What was acknowledged is not there."""


class DoubledError(AssertionError):
    """What was sent is there more than once."""


class Check(Protocol):
    """Checks what is left."""

    def __call__(self, place: Path, notes: Sequence[str], *, is_long: bool) -> None:
        """Check a directory, by what was noted up to the loss.

        Raises:
            LostError: something acknowledged is not there.
            DoubledError: something is there more than once.
        """


class Notes:
    """What a history says while it is lived through.

    Args:
        write: takes each note, in the order in which things happen.
        attempts: how often something is tried that the store refuses.
    """

    def __init__(self, write: Callable[[str], None], attempts: int = 1) -> None:
        self._write = write
        self._attempts = attempts

    def say(self, word: str, start: int, end: int) -> None:
        """Note something about some numbers."""
        self._write(f"{word} {start} {end}")

    def send(self, start: int, end: int, call: Callable[[], object]) -> None:
        """Send what has these numbers, and note that it was acknowledged."""
        self.say("sent", start, end)
        for attempt in range(1, self._attempts + 1):
            try:
                call()
                break
            except metering.MeteringError:
                if attempt == self._attempts:
                    raise
        self.say("acknowledged", start, end)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a store lives through.

    Attributes:
        prepare: makes what is there before, in a directory.
        live: is what something happens to.
        check: looks at what is left.
    """

    prepare: Callable[[Path], None]
    live: Callable[[Path, Notes], None]
    check: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a check found.

    Attributes:
        lost: 1 where something acknowledged was not there, or could not be read.
        doubled: 1 where something was there more than once.
        finding: what was wrong; empty where nothing was.
    """

    lost: int = 0
    doubled: int = 0
    finding: str = ""


def judged(
    history: History, place: Path, notes: Sequence[str], *, is_long: bool
) -> Verdict:
    """Check what is left, and return what was wrong with it."""
    try:
        history.check(place, notes, is_long=is_long)
    except DoubledError as error:
        return Verdict(doubled=1, finding=str(error))
    except LostError as error:
        return Verdict(lost=1, finding=str(error))
    except Exception:  # noqa: BLE001  # whatever it is, it is what was found
        return Verdict(lost=1, finding=traceback.format_exc())
    return Verdict()


def _usage(place: Path) -> str:
    return str(place / "usage")


@contextmanager
def _folding_often() -> Iterator[None]:
    """Fold the write-ahead log into the file every few commits, in this process."""
    with pytest.MonkeyPatch.context() as patched:
        size = "ledger.database.sqlite._BYTES_BETWEEN_CHECKPOINTS"
        patched.setattr(size, 100 << 10)
        yield


# What is noted, and what follows from it.


def _numbers(notes: Iterable[str], word: str) -> set[int]:
    found = set[int]()
    for note in notes:
        said, *ends = note.split()
        if said == word:
            found.update(range(*map(int, ends)))
    return found


def _judge(acknowledged: Collection[int], kept: Sequence[int], sent: set[int]) -> None:
    lost = set(acknowledged) - set(kept)
    if lost:
        raise LostError(f"acknowledged and not there: {sorted(lost)}")
    if len(kept) > len(set(kept)):
        raise DoubledError(f"there more than once: {sorted(kept)}")
    assert set(kept) <= sent, "what nobody sent"


# Events.


def _prepare_meter(place: Path) -> None:
    create_meter(_usage(place))


@_folding_often()
def _append_singly(place: Path, notes: Notes) -> None:
    """Append events one by one, by a store that is opened again and by one that is read."""
    for start in (0, 20, 40):
        with open_store(_usage(place)) as store:
            for number in range(start, start + 20):
                notes.send(number, number + 1, partial(create, store, number))
            with open_store(_usage(place)) as reader:
                assert len(numbers_by_position(reader)) >= start + 20
                notes.send(
                    start + 100,
                    start + 101,
                    partial(create, store, start + 100),
                )


@_folding_often()
def _append_rows(place: Path, notes: Notes) -> None:
    with open_store(_usage(place)) as store:
        for start in range(0, 600, 50):
            rows = table(range(start, start + 50))
            notes.send(start, start + 50, partial(store.meter_events.ingest, rows))


@_folding_often()
def _append_by_threads(place: Path, notes: Notes) -> None:
    """Append events of threads, which share commits."""
    with open_store(_usage(place)) as store:

        def append_some(thread: int) -> None:
            for number in range(thread * 15, thread * 15 + 15):
                notes.send(number, number + 1, partial(create, store, number))

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(append_some, range(4)))


def _check_events(
    place: Path, notes: Sequence[str], *, is_long: bool, spooled: bool = False
) -> None:
    sent = _numbers(notes, "sent")
    with open_store(_usage(place)) as store:
        if spooled:
            take_in(store, place / "spool")
        kept = numbers_by_position(store)
        _judge(_numbers(notes, "acknowledged"), list(kept.values()), sent)
        assert list(kept) == list(range(2, len(kept) + 2)), "a gap"
        if sent:
            receipt = store.meter_events.ingest(table(sorted(sent)))
            assert receipt.accepted == len(sent) - len(kept)
        assert totals(store) == expected_totals(sent)
    if is_long:
        with open_store(_usage(place)) as store:
            assert_holds(store, sent)


# Segments and runs.


def _prepare_segments(place: Path) -> None:
    create_meter(_usage(place))
    with open_store(_usage(place)) as store:
        for start in range(1_000, 1_060, 10):
            store.meter_events.ingest(table(range(start, start + 10)))
            store.seal()


def _seal(place: Path, notes: Notes) -> None:
    """Seal until runs are merged, and make anew what follows from segments."""
    notes.say("sent", 1000, 1060)
    notes.say("acknowledged", 1000, 1060)
    with open_store(_usage(place)) as store:
        for start in range(0, 120, 30):
            rows = table(range(start, start + 30))
            notes.send(start, start + 30, partial(store.meter_events.ingest, rows))
            if start:
                store.seal()
        store.rebuild()
        for number in range(120, 125):
            notes.send(number, number + 1, partial(create, store, number))


def _check_segments(place: Path, notes: Sequence[str], *, is_long: bool) -> None:
    _check_events(place, notes, is_long=is_long)
    if is_long:
        with open_store(_usage(place)) as store:
            store.seal()
            store.rebuild()
            assert_holds(store, _numbers(notes, "sent"))


def _prepare_small_commits(place: Path) -> None:
    create_meter(_usage(place))
    with open_store(_usage(place)) as store:
        for number in range(SMALL_COMMITS):
            create(store, number)
    for path in place.rglob("passage-*"):
        path.unlink()


def _keep(place: Path, notes: Notes) -> None:
    """Begin with small commits, keep them as columns, and append some more."""
    notes.say("sent", 0, SMALL_COMMITS)
    notes.say("acknowledged", 0, SMALL_COMMITS)
    for start in (SMALL_COMMITS, SMALL_COMMITS + 5):
        with open_store(_usage(place)) as store:
            store.catch_up()
            for number in range(start, start + 5):
                notes.send(number, number + 1, partial(create, store, number))


# What is held in a spool.


@_folding_often()
def _record(place: Path, notes: Notes) -> None:
    """Record events in a spool; each is acknowledged by its record."""
    for start in (0, 20):
        with (
            open_store(_usage(place)) as store,
            store.recorder(spool=place / "spool", max_age=HOUR) as recorder,
        ):
            for number in range(start, start + 20):
                notes.send(number, number + 1, partial(record, recorder, number))
                if number % 8 == 7:
                    assert recorder.flush()


# Credits.


def _prepare_grants(place: Path) -> None:
    settled.create_grants(_usage(place), AMOUNT)


@_folding_often()
def _settle(place: Path, notes: Notes) -> None:
    """Apply invoices to credits, one by one and in runs."""
    with open_store(_usage(place)) as store:
        for start in range(0, 60, 6):
            for number in range(start, start + 3):
                apply = partial(settled.apply, store, number)
                notes.send(number, number + 1, apply)
            run = range(start + 3, start + 6)
            notes.send(run.start, run.stop, partial(settled.apply_many, store, run))


def _check_credits(place: Path, notes: Sequence[str], *, is_long: bool) -> None:
    sent = _numbers(notes, "sent")
    with open_store(_usage(place)) as store:
        paid = settled.paid(store)
        kept = [int(name.removeprefix("in_")) for name in paid]
        _judge(_numbers(notes, "acknowledged"), kept, sent)
        for number in kept:
            if paid[f"in_{number}"] > settled.total(number):
                raise DoubledError(f"invoice {number} drew twice")
        if sent:
            settled.apply_many(store, sorted(sent))
        assert settled.paid(store) == {f"in_{n}": settled.total(n) for n in sent}
        left = 3 * AMOUNT - sum(map(settled.total, sent))
        assert settled.ledger(store) == left
        assert not is_long or store.verify().problems == ()


# Webhooks.


def _prepare_endpoints(url: str, place: Path) -> None:
    with open_store(_usage(place)) as store:
        for path in PATHS:
            store.webhook_endpoints.create(url=url + path, enabled_events=["*"])


@_folding_often()
def _deliver(place: Path, notes: Notes) -> None:
    """Let things happen, and deliver what happened."""
    with open_store(_usage(place)) as store:
        for number in range(6):
            notes.send(number, number + 1, partial(_make_meter, store, number))
            if number % 2:
                store.deliver()
                marked = [marked_delivered(store, path) for path in PATHS]
                for at, happened in enumerate(event_ids(store)):
                    if all(happened in each for each in marked):
                        notes.say("delivered", at, at + 1)


def _make_meter(store: metering.Metering, number: int) -> None:
    store.meters.ensure(
        display_name=f"meter {number}",
        event_name=f"meter {number}",
        default_aggregation={"formula": "sum"},
    )


def _check_deliveries(place: Path, notes: Sequence[str], *, is_long: bool) -> None:
    sent = _numbers(notes, "sent")
    with open_store(_usage(place), LATER) as store:
        made = sorted(int(each.event_name.split()[1]) for each in store.meters.list())
        _judge(_numbers(notes, "acknowledged"), made, sent)
        happened = event_ids(store)
        assert len(happened) == len(made)
        for path in PATHS:
            delivered = {happened[at] for at in _numbers(notes, "delivered")}
            if not delivered <= marked_delivered(store, path):
                raise DoubledError("what was delivered would be sent again")
        for number in sorted(sent):
            _make_meter(store, number)
        assert store.deliver().failed == 0
        for path in PATHS:
            assert marked_delivered(store, path) == set(event_ids(store))
        assert store.deliver().delivered == 0
        assert not is_long or store.verify().problems == ()


# The making of a store, and the way to this release.


def _prepare_nothing(place: Path) -> None:
    del place


def _make(place: Path, notes: Notes) -> None:
    """Make a store, a meter and some events."""
    notes.say("sent", 0, 5)
    create_meter(_usage(place))
    notes.say("made", 0, 1)
    with open_store(_usage(place)) as store:
        for number in range(5):
            create(store, number)
            notes.say("acknowledged", number, number + 1)


def _check_making(place: Path, notes: Sequence[str], *, is_long: bool) -> None:
    with open_store(_usage(place)) as store:
        is_made = bool(store.meters.list())
    if not is_made:
        if _numbers(notes, "made"):
            raise LostError("the meter that was acknowledged is not there")
        create_meter(_usage(place))
    _check_events(place, [*notes, "sent 0 5"], is_long=is_long)


def _unpack(place: Path) -> None:
    unpacked(place, None)


def _old(place: Path) -> OldStore:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tarfile.TarFile.extractall", lambda *_, **__: None)
        return unpacked(place, None)


def _migrate(place: Path, notes: Notes) -> None:
    """Open a store that release 0.1.0 wrote, and go on with it."""
    notes.say("sent", 0, 1)
    old = _old(place)
    with old.connect() as store:
        before = store.position
    with old.connect() as store:
        store.webhook_endpoints.list()
        assert store.position == before


def _check_migration(place: Path, notes: Sequence[str], *, is_long: bool) -> None:
    del notes
    old = _old(place)
    with old.connect() as store:
        assert store.position == old.answers["position"]
        if is_long:
            answers = answers_of(store, old.secrets)
            assert {name: answers[name] for name in old.answers} == old.answers
            assert store.verify().problems == ()


HISTORIES = {
    "events one by one": History(
        prepare=_prepare_meter, live=_append_singly, check=_check_events
    ),
    "events in rows": History(
        prepare=_prepare_meter, live=_append_rows, check=_check_events
    ),
    "events of threads": History(
        prepare=_prepare_meter, live=_append_by_threads, check=_check_events
    ),
    "sealing": History(prepare=_prepare_segments, live=_seal, check=_check_segments),
    "keeping": History(prepare=_prepare_small_commits, live=_keep, check=_check_events),
    "recording in a spool": History(
        prepare=_prepare_meter,
        live=_record,
        check=partial(_check_events, spooled=True),
    ),
    "credits": History(prepare=_prepare_grants, live=_settle, check=_check_credits),
    "making a store": History(
        prepare=_prepare_nothing, live=_make, check=_check_making
    ),
    "migrating": History(prepare=_unpack, live=_migrate, check=_check_migration),
}


def deliveries_to(url: str) -> History:
    """Return the history of webhooks to a receiver."""
    return History(
        prepare=partial(_prepare_endpoints, url),
        live=_deliver,
        check=_check_deliveries,
    )
