"""What a store lives through while it is recorded, and what must be left of it.

Each history is prepared, lived through while every change of a file is recorded, and
checked on each disk that a power loss may have left. It notes what it sends and what was
acknowledged: what is acknowledged must be there, what was only sent may be, and all of it
can be sent again, to be there once.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from tests.faults import credits as settled
from tests.faults.delivering import (
    LATER,
    PATHS,
    create_meters,
    event_ids,
    marked_delivered,
)
from tests.faults.killed.recording import HOUR, take_in
from tests.faults.power.recording import Note
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


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a store lives through.

    Attributes:
        prepare: makes what is there before, in a directory.
        live: is recorded.
        check: looks at what is left.
    """

    prepare: Callable[[Path], None]
    live: Callable[[Path, Note], None]
    check: Check


def _usage(place: Path) -> str:
    return str(place / "usage")


def _folding_often() -> pytest.MonkeyPatch:
    """Fold the write-ahead log into the file every few commits, in this process."""
    patched = pytest.MonkeyPatch()
    size = "ledger.database.sqlite._BYTES_BETWEEN_CHECKPOINTS"
    patched.setattr(size, 100 << 10)
    return patched


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


def _append_singly(place: Path, note: Note) -> None:
    """Append events one by one, by a store that is opened again and by one that is read."""
    patched = _folding_often()
    for start in (0, 20, 40):
        with open_store(_usage(place)) as store:
            for number in range(start, start + 20):
                _append(note, number, number + 1, partial(create, store, number))
            with open_store(_usage(place)) as reader:
                assert len(numbers_by_position(reader)) >= start + 20
                _append(
                    note,
                    start + 100,
                    start + 101,
                    partial(create, store, start + 100),
                )
    patched.undo()


def _append(note: Note, start: int, end: int, call: Callable[[], object]) -> None:
    note(f"sent {start} {end}")
    call()
    note(f"acknowledged {start} {end}")


def _append_rows(place: Path, note: Note) -> None:
    patched = _folding_often()
    with open_store(_usage(place)) as store:
        for start in range(0, 600, 50):
            rows = table(range(start, start + 50))
            _append(note, start, start + 50, partial(store.meter_events.ingest, rows))
    patched.undo()


def _append_by_threads(place: Path, note: Note) -> None:
    """Append events of threads, which share commits."""
    patched = _folding_often()
    with open_store(_usage(place)) as store:

        def append_some(thread: int) -> None:
            for number in range(thread * 15, thread * 15 + 15):
                _append(note, number, number + 1, partial(create, store, number))

        threads = [
            threading.Thread(target=append_some, args=[each]) for each in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    patched.undo()


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


def _seal(place: Path, note: Note) -> None:
    """Seal until runs are merged, and make anew what follows from segments."""
    note("sent 1000 1060")
    note("acknowledged 1000 1060")
    with open_store(_usage(place)) as store:
        for start in range(0, 120, 30):
            rows = table(range(start, start + 30))
            _append(note, start, start + 30, partial(store.meter_events.ingest, rows))
            if start:
                store.seal()
        store.rebuild()
        for number in range(120, 125):
            _append(note, number, number + 1, partial(create, store, number))


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


def _keep(place: Path, note: Note) -> None:
    """Begin with small commits, keep them as columns, and append some more."""
    note(f"sent 0 {SMALL_COMMITS}")
    note(f"acknowledged 0 {SMALL_COMMITS}")
    for start in (SMALL_COMMITS, SMALL_COMMITS + 5):
        with open_store(_usage(place)) as store:
            store.catch_up()
            for number in range(start, start + 5):
                _append(note, number, number + 1, partial(create, store, number))


# What is held in a spool.


def _record(place: Path, note: Note) -> None:
    """Record events in a spool; each is acknowledged by its record."""
    patched = _folding_often()
    for start in (0, 20):
        with (
            open_store(_usage(place)) as store,
            store.recorder(spool=place / "spool", max_age=HOUR) as recorder,
        ):
            for number in range(start, start + 20):
                _append(note, number, number + 1, partial(record, recorder, number))
                if number % 8 == 7:
                    assert recorder.flush()
    patched.undo()


# Credits.


def _prepare_grants(place: Path) -> None:
    settled.create_grants(_usage(place), AMOUNT)


def _settle(place: Path, note: Note) -> None:
    """Apply invoices to credits, one by one and in runs."""
    patched = _folding_often()
    with open_store(_usage(place)) as store:
        for start in range(0, 60, 6):
            for number in range(start, start + 3):
                apply = partial(settled.apply, store, number)
                _append(note, number, number + 1, apply)
            run = range(start + 3, start + 6)
            _append(note, run.start, run.stop, partial(settled.apply_many, store, run))
    patched.undo()


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


def _deliver(place: Path, note: Note) -> None:
    """Let things happen, and deliver what happened."""
    patched = _folding_often()
    with open_store(_usage(place)) as store:
        for number in range(6):
            name = partial(create_meters, store, [f"meter {number}"])
            _append(note, number, number + 1, name)
            if number % 2:
                store.deliver()
                note(f"delivered 0 {number + 1}")
    patched.undo()


def _check_deliveries(place: Path, notes: Sequence[str], *, is_long: bool) -> None:
    sent = _numbers(notes, "sent")
    with open_store(_usage(place), LATER) as store:
        made = sorted(int(each.event_name.split()[1]) for each in store.meters.list())
        _judge(_numbers(notes, "acknowledged"), made, sent)
        happened = event_ids(store)
        assert len(happened) == len(made)
        for path in PATHS:
            delivered = set(happened[: len(_numbers(notes, "delivered"))])
            if not delivered <= marked_delivered(store, path):
                raise DoubledError("what was delivered would be sent again")
        create_meters(store, [f"meter {each}" for each in sorted(sent - {*made})])
        assert store.deliver().failed == 0
        for path in PATHS:
            assert marked_delivered(store, path) == set(event_ids(store))
        assert store.deliver().delivered == 0
        assert not is_long or store.verify().problems == ()


# The making of a store, and the way to this release.


def _prepare_nothing(place: Path) -> None:
    del place


def _make(place: Path, note: Note) -> None:
    """Make a store, a meter and some events."""
    note("sent 0 5")
    create_meter(_usage(place))
    note("made 0 1")
    with open_store(_usage(place)) as store:
        for number in range(5):
            create(store, number)
            note(f"acknowledged {number} {number + 1}")


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


def _migrate(place: Path, note: Note) -> None:
    """Open a store that release 0.1.0 wrote, and go on with it."""
    note("sent 0 1")
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
