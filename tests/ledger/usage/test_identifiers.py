"""Identifiers are hashed alike everywhere, and found by their hash wherever they are."""

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ledger.appending.identifier_table import IdentifierTable
from ledger.usage.columns import UsageRow, take_rows, usage_batch
from ledger.usage.identifiers import identifier_hash, identifier_hashes
from tests.ledger.drafts import rows
from tests.ledger.usage_rows import batches


@pytest.mark.parametrize(
    ("event_name", "identifier", "expected"),
    [
        ("tokens", "a", 0x8CD705B0676B6589),
        ("tokens", "b", 0xF3B1BE73A6A8119D),
        ("requests", "a", 0x75110814C8C2D518),
        ("größe", "🚕", 0xA0288DA1E5E99A68),
        ("", "", 0x412F1275E10017F3),
    ],
)
def test_a_hash_is_the_same_in_every_release(
    event_name: str, identifier: str, expected: int
) -> None:
    assert identifier_hash(event_name, identifier) == expected


@given(batches())
def test_a_batch_is_hashed_row_by_row(events: list[UsageRow]) -> None:
    expected = [identifier_hash(each.event_name, each.identifier) for each in events]
    batch = usage_batch(events)

    assert identifier_hashes(batch).tolist() == expected
    assert identifier_hashes(batch).dtype == np.uint64
    reversed_rows = np.arange(len(events))[::-1]
    picked = take_rows(batch, np.ascontiguousarray(reversed_rows))
    assert identifier_hashes(picked).tolist() == expected[::-1]


def test_a_hundred_thousand_identifiers_have_as_many_hashes() -> None:
    hashes = identifier_hashes(usage_batch(rows(100_000)))

    assert len(np.unique(hashes)) == 100_000


def hashes_of(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.uint64)


def found(table: IdentifierTable, *hashes: int) -> list[tuple[int, int]]:
    rows, positions = table.find(hashes_of(*hashes))
    return list(zip(rows.tolist(), positions.tolist(), strict=True))


def test_an_empty_table_finds_nothing() -> None:
    table = IdentifierTable()

    assert len(table) == 0
    assert found(table) == []
    assert found(table, 0, 1, 2**64 - 1) == []
    assert found(table, *range(100)) == []


def test_equal_hashes_are_all_kept_and_found_in_the_order_of_the_log() -> None:
    table = IdentifierTable()
    table.add(hashes_of(7, 7, 8), 1)
    table.add(hashes_of(7), 10)

    assert found(table, 8, 7, 9, 7) == [
        (0, 3), (1, 1), (1, 2), (1, 10), (3, 1), (3, 2), (3, 10),
    ]  # fmt: skip
    assert len(table) == 4


@pytest.mark.parametrize("count", [1, 15, 16, 5_000])
def test_a_batch_of_one_hash_is_kept_whole(count: int) -> None:
    table = IdentifierTable()
    table.add(np.full(count, 42, np.uint64), 1)

    assert found(table, 42) == [(0, position) for position in range(1, count + 1)]
    assert len(found(table, *[42] * 20)) == 20 * count


def test_a_table_grows_to_any_size() -> None:
    generator = np.random.default_rng(1)
    hashes = generator.integers(0, 2**64, 200_000, np.uint64)
    table = IdentifierTable()
    for start in range(0, len(hashes), 50_000):
        table.add(hashes[start : start + 50_000], start + 1)

    rows_found, positions = table.find(hashes)

    assert len(table) == 200_000
    assert rows_found.tolist() == list(range(200_000))
    assert positions.tolist() == list(range(1, 200_001))


# Hashes that meet in one slot, whatever the size of the table, or are next to it.
CROWDED = st.sampled_from(
    [0, 1, 2, 2**12, 2**13, 2**20, 2**32, 2**63, 2**64 - 1, 2**64 - 2, 4095, 4096]
)


class IdentifierTableModel(RuleBasedStateMachine):
    """The table finds what a dict of lists would find."""

    @initialize(after=st.sampled_from([0, 1, 10**12]))
    def begin(self, after: int) -> None:
        self.table = IdentifierTable(after)
        self.positions: dict[int, list[int]] = {}
        self.end = after

    @rule(
        hashes=st.lists(CROWDED | st.integers(0, 2**64 - 1), max_size=40),
        times=st.sampled_from([1, 1, 1, 60]),
        gap=st.sampled_from([0, 0, 1, 3, 5000]),
    )
    def add(self, hashes: list[int], times: int, gap: int) -> None:
        first = self.end + 1 + gap
        self.table.add(hashes_of(*hashes * times), first)
        for position, value in enumerate(hashes * times, first):
            self.positions.setdefault(value, []).append(position)
        self.end = first + len(hashes) * times - 1
        event(f"{len(hashes) * times // 16 * 16}+ added")

    @rule(hashes=st.lists(CROWDED | st.integers(0, 2**64 - 1), max_size=40))
    def find(self, hashes: list[int]) -> None:
        known = [*hashes, *list(self.positions)[:20]]
        expected = [
            (row, position)
            for row, value in enumerate(known)
            for position in self.positions.get(value, [])
        ]

        assert found(self.table, *known) == expected

    @invariant()
    def counts_all(self) -> None:
        assert len(self.table) == sum(map(len, self.positions.values()))


TestIdentifierTableModel = IdentifierTableModel.TestCase
TestIdentifierTableModel.settings = settings(stateful_step_count=20)
