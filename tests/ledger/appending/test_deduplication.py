"""A hash only raises the question; the events themselves answer it."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.appending.deduplication import Candidates, settle
from ledger.appending.drafts import Draft, Outcome
from ledger.appending.identifier_table import IdentifierTable
from ledger.usage.columns import UsageRow, take_rows, timestamps_of, usage_batch
from ledger.usage.content_hash import content_hashes
from ledger.usage.fingerprints import UNKNOWN, fingerprints
from ledger.usage.identifiers import identifier_hashes
from tests.ledger.drafts import NOW, row, rows


def drafted(
    events: Sequence[UsageRow],
    hashes: Sequence[int] | None = None,
    *,
    has_own_timestamp: Sequence[bool] | None = None,
) -> Draft:
    batch = usage_batch(events)
    return Draft(
        events=batch,
        hashes=(
            identifier_hashes(batch) if hashes is None else np.array(hashes, np.uint64)
        ),
        has_own_timestamp=np.array(has_own_timestamp or [True] * len(events)),
        facts_position=0,
        now=lambda: NOW,
        requests=(),
    )


class Stored:
    """Events that lie at the positions from 1 on, and some of their fingerprints."""

    def __init__(
        self, events: Sequence[UsageRow], times: Sequence[int], known: slice
    ) -> None:
        self._batch = usage_batch(events)
        self._recorded_at = np.array(times or [NOW] * len(events))
        self._fingerprints = np.full(len(events), UNKNOWN)
        self._fingerprints[known] = fingerprints(self._batch)[known]
        self.read: list[int] = []

    def events_at(self, positions: np.ndarray) -> tuple[pa.RecordBatch, np.ndarray]:
        self.read += positions.tolist()
        return take_rows(self._batch, positions - 1), self._recorded_at[positions - 1]

    def fingerprints_at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._fingerprints[positions - 1], self._recorded_at[positions - 1]


def stored_at(
    events: Sequence[UsageRow],
    times: Sequence[int] = (),
    *,
    known: slice = slice(0),
) -> Stored:
    return Stored(events, times, known)


def candidates(*pairs: tuple[int, int]) -> Candidates:
    """Rows of the draft with the position that each may repeat."""
    found = np.array(pairs, np.int64).reshape(-1, 2)
    return Candidates.in_tail(found[:, 0], found[:, 1])


def sealed(
    events: Sequence[UsageRow], *pairs: tuple[int, int], content_hash: int | None = None
) -> Candidates:
    """Do as `candidates` does, of events that are sealed at the positions from 1 on."""
    in_tail = candidates(*pairs)
    batch = take_rows(usage_batch(events), in_tail.positions - 1)
    hashes = content_hashes(batch)
    if content_hash is not None:
        hashes[:] = content_hash
    return replace(
        in_tail,
        is_sealed=np.ones(len(pairs), bool),
        content_hashes=hashes,
        timestamps=timestamps_of(batch),
    )


class Unread:
    """Events that need not be read."""

    def events_at(self, positions: np.ndarray) -> tuple[pa.RecordBatch, np.ndarray]:
        raise AssertionError(positions)

    def fingerprints_at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        raise AssertionError(positions)


def answers(settled: Outcome) -> list[tuple[int, int]]:
    """The position of each event's stored original, 0 where there is none, and the
    index of its original in the same draft, -1 where there is none.
    """
    new = np.flatnonzero(settled.are_new).tolist()
    return [
        (0, -1 if is_new else new[position]) if is_here else (position, -1)
        for position, is_here, is_new in zip(
            settled.positions.tolist(),
            settled.are_here.tolist(),
            settled.are_new.tolist(),
            strict=True,
        )
    ]


def test_of_an_identifier_used_again_the_latest_event_is_the_original() -> None:
    draft = drafted([row("a", value="2")], [7])
    known = [row("a"), row("a", value="2"), row("a", value="3")]

    settled = settle(
        draft,
        candidates((0, 1), (0, 2)),
        stored_at(known, [NOW, NOW + 5, NOW + 9]),
        live_since=NOW,
    )

    assert answers(settled) == [(2, -1)]
    assert settled.conflicts == {}


def test_an_identifier_recorded_before_it_lives_is_free() -> None:
    draft = drafted([row("a"), row("b"), row("a")], [7, 8, 7])

    settled = settle(
        draft,
        candidates((0, 1), (1, 2), (2, 1)),
        stored_at([row("a"), row("b")], [NOW - 1, NOW]),
        live_since=NOW,
    )

    assert answers(settled) == [(0, -1), (2, -1), (0, 0)]
    assert settled.are_new.tolist() == [True, False, False]


def test_a_sealed_event_that_is_sent_again_is_not_read() -> None:
    known = [row("a"), row("b", value=None, payload=())]
    draft = drafted([row("b", value=None, payload=()), row("c"), row("a")])

    settled = settle(draft, sealed(known, (0, 2), (2, 1)), Unread(), live_since=None)

    assert answers(settled) == [(2, -1), (0, -1), (1, -1)]
    assert settled.conflicts == {}


def test_a_kept_hash_that_is_wrong_proves_nothing() -> None:
    """What is kept of sealed events can only spare reading them."""
    known = [row("a")]
    draft = drafted([row("a")])

    settled = settle(
        draft, sealed(known, (0, 1), content_hash=1), stored_at(known), live_since=None
    )

    assert answers(settled) == [(1, -1)]
    assert settled.conflicts == {}


def test_sealed_identifiers_that_expire_are_judged_by_when_they_were_recorded() -> None:
    known = [row("a"), row("b")]
    draft = drafted([row("a"), row("b")])

    settled = settle(
        draft,
        sealed(known, (0, 1), (1, 2)),
        stored_at(known, [NOW - 1, NOW]),
        live_since=NOW,
    )

    assert answers(settled) == [(0, -1), (2, -1)]


@pytest.mark.parametrize(
    ("known", "conflicts"),
    [
        ([row("a"), row("x"), row("a", value="2")], {0: ("value",)}),
        ([row("a", value="2"), row("x"), row("a")], {}),
        ([row("a", value="2"), row("a"), row("x")], {}),
        ([row("a"), row("a", value="2"), row("x")], {0: ("value",)}),
    ],
)
def test_the_latest_event_is_the_original_whether_sealed_or_not(
    known: list[UsageRow], conflicts: dict[int, tuple[str, ...]]
) -> None:
    draft = drafted([row("a")], [7])
    latest = max(at for at, each in enumerate(known, 1) if each.identifier == "a")
    before_the_tail = sealed(known, (0, 1), (0, 2))

    settled = settle(
        draft,
        before_the_tail.with_tail(np.array([0]), np.array([3])),
        stored_at(known),
        live_since=None,
    )

    assert answers(settled) == [(latest, -1)]
    assert settled.conflicts == conflicts


def test_candidates_of_the_tail_stand_behind_sealed_ones_of_their_row() -> None:
    known = [row("a"), row("b"), row("c")]
    before_the_tail = sealed(known, (0, 2), (2, 1), (2, 3))

    both = before_the_tail.with_tail(np.array([0, 1, 2]), np.array([9, 7, 8]))

    assert both.rows.tolist() == [0, 0, 1, 2, 2, 2]
    assert both.positions.tolist() == [2, 9, 7, 1, 3, 8]
    assert both.is_sealed.tolist() == [True, False, False, True, True, False]
    assert both.timestamps.tolist() == [NOW, 0, 0, NOW, NOW, 0]
    assert (both.content_hashes == 0).tolist() == (~both.is_sealed).tolist()


def test_candidates_of_the_tail_or_none_are_taken_as_they_are() -> None:
    none = candidates()
    some = sealed([row("a")], (0, 1))

    assert none.with_tail(np.array([3]), np.array([4])).rows.tolist() == [3]
    assert some.with_tail(none.rows, none.positions) is some
    assert len(none.with_tail(none.rows, none.positions)) == 0


IDENTIFIERS = st.sampled_from(["a", "b", "c", "d"])
CONTENTS = st.builds(
    row,
    IDENTIFIERS,
    event_name=st.sampled_from(["tokens", "requests"]),
    customer=st.sampled_from(["cus_1", "cus_2"]),
    value=st.sampled_from(["1", "2"]),
    timestamp=st.sampled_from([NOW, NOW + 1]),
    payload=st.sampled_from([(), (("model", "large"),)]),
)


def differing(one: UsageRow, other: UsageRow, *, own: bool) -> tuple[str, ...]:
    fields = ["customer", "timestamp", "value", "payload"]
    if not own:
        fields.remove("timestamp")
    return tuple(each for each in fields if getattr(one, each) != getattr(other, each))


@given(
    st.lists(CONTENTS, max_size=6),
    st.integers(0, 6),
    st.lists(st.tuples(CONTENTS, st.booleans()), min_size=1),
)
@example([], 0, [(row(each), True) for each in "ababca"])
@example([], 0, [(row("b"), True), (row("b", customer="c", value="2"), True)])
@example([row("b"), row("a")], 1, [(row("a"), True), (row("b", payload=()), True)])
@example(
    [row("a"), row("a", event_name="requests"), row("b")],
    3,
    [(row("b", timestamp=NOW + 1), own) for own in (False, True)],
)
def test_settling_agrees_with_looking_up_every_row(
    sent_before: list[UsageRow], sealed_up_to: int, sent: list[tuple[UsageRow, bool]]
) -> None:
    """Whatever hashes collide, a dict of identifiers gives the same answers."""
    known: dict[tuple[str, str], tuple[int, UsageRow]] = {}
    stored = list[UsageRow]()
    for each in sent_before:
        if (each.event_name, each.identifier) not in known:
            stored.append(each)
            known[each.event_name, each.identifier] = len(stored), each
    # Four hashes for eight identifiers: some share one.
    hashes = {"a": 7, "b": 7, "c": 8, "d": 2**64 - 1}
    positions = range(1, len(stored) + 1)
    sealed_positions = positions[:sealed_up_to]
    table = IdentifierTable(after=len(sealed_positions))
    for position in positions[sealed_up_to:]:
        hash_ = hashes[stored[position - 1].identifier]
        table.add(np.array([hash_], np.uint64), position)
    events = [each for each, _ in sent]
    draft = drafted(
        events,
        [hashes[each.identifier] for each in events],
        has_own_timestamp=[own for _, own in sent],
    )

    pairs = [
        (number, position)
        for number, each in enumerate(events)
        for position in sealed_positions
        if hashes[each.identifier] == hashes[stored[position - 1].identifier]
    ]

    known_rows = stored or [row("unused")]
    found = sealed(known_rows, *pairs).with_tail(*table.find(draft.hashes))

    settled = settle(draft, found, stored_at(known_rows), live_since=None)

    firsts: dict[tuple[str, str], tuple[int, UsageRow]] = {}
    expected, conflicts = [], {}
    for number, (each, own) in enumerate(sent):
        key = each.event_name, each.identifier
        position, original = known.get(key, (0, each))
        at, first = firsts.get(key, (-1, each))
        expected.append((position, -1 if position else at))
        fields = differing(each, original if position else first, own=own)
        if fields:
            conflicts[number] = fields
        if not position and at < 0:
            firsts[key] = number, each
    event(f"{len(conflicts)} conflicts")
    assert answers(settled) == expected
    assert settled.conflicts == conflicts

    draft.prepare(may_repeat=True)
    again = settle(draft, found, stored_at(known_rows), live_since=None)

    assert answers(again) == expected
    assert again.conflicts == conflicts


def test_many_events_of_the_tail_that_are_sent_again_are_not_read() -> None:
    events = rows(40)
    draft = drafted([*events[::-1], row("new")])
    known = [(39 - at, at + 1) for at in range(40)]
    stored = stored_at(events, known=slice(None))

    settled = settle(draft, candidates(*sorted(known)), stored, live_since=None)

    assert settled.positions.tolist() == [*range(40, 0, -1), 0]
    assert settled.are_new.tolist() == [False] * 40 + [True]
    assert settled.conflicts == {}
    assert stored.read == []


def test_of_many_events_of_the_tail_those_are_read_that_differ_or_are_not_known() -> (
    None
):
    events = rows(40)
    changed = [
        each._replace(customer="other") if number == 7 else each
        for number, each in enumerate(events)
    ]
    own = [number != 9 for number in range(40)]
    draft = drafted(
        [each if has else each._replace(timestamp=NOW + 99)
         for each, has in zip(changed, own, strict=True)],
        has_own_timestamp=own,
    )  # fmt: skip
    stored = stored_at(events, known=slice(3, None))

    settled = settle(
        draft,
        candidates(*((at, at + 1) for at in range(40))),
        stored,
        live_since=None,
    )

    assert stored.read == [1, 2, 3, 8, 10]
    assert settled.positions.tolist() == list(range(1, 41))
    assert settled.conflicts == {7: ("customer",)}


def test_an_identifier_of_many_that_expired_is_free_though_its_event_is_the_same() -> (
    None
):
    events = rows(40)
    times = [NOW - (number == 5) for number in range(40)]
    stored = stored_at(events, times, known=slice(None))

    settled = settle(
        drafted(events),
        candidates(*((at, at + 1) for at in range(40))),
        stored,
        live_since=NOW,
    )

    assert np.flatnonzero(settled.are_new).tolist() == [5]


def test_other_identifiers_with_one_hash_are_told_apart_by_their_fingerprints() -> None:
    events = [row(f"event-{number}") for number in range(40)]
    stored = stored_at(events[:20], known=slice(None))

    settled = settle(
        drafted(events[20:], [7] * 20),
        candidates(*((at, at + 1) for at in range(20))),
        stored,
        live_since=None,
    )

    assert settled.are_new.all()
    assert stored.read == list(range(1, 21))


def test_a_large_batch_is_settled_as_a_whole() -> None:
    events = rows(20_000)
    draft = drafted([*events, *events[-5:]])
    known = np.arange(0, 10_000)

    settled = settle(
        draft,
        Candidates.in_tail(known, known + 1),
        stored_at(events),
        live_since=None,
    )

    assert np.count_nonzero(settled.are_new) == 10_000
    assert answers(settled)[:10_000] == [(at, -1) for at in range(1, 10_001)]
    assert answers(settled)[-5:] == [(0, at) for at in range(19_995, 20_000)]
