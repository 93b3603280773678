"""An identifier that was sealed is found by its hash, wherever in the log it is."""

import tempfile
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from ledger.appending.deduplication import Candidates
from ledger.runs.files import RunColumns, RunIdentity, write_run
from ledger.runs.identifier_run import (
    IdentifierRun,
    IdentifierRuns,
    build_identifier_run,
)
from ledger.runs.identifiers import find_in_runs
from ledger.runs.occupancy import marks_of, occupy, shift_to_word, words_for
from ledger.usage.columns import TIMESTAMP

Found = list[tuple[int, int, int, int]]
"""Row, position, content hash and timestamp of each candidate."""

# Hashes that agree in their first bits, their last bits, or nowhere.
HASHES = st.sampled_from(
    [0, 1, 2**16, 2**16 + 1, 2**32, 2**32 + 1, 2**63, 2**63 + 2**16, 2**64 - 1]
) | st.integers(0, 2**64 - 1)


def content_of(position: int) -> int:
    return (position * 0x9E3779B97F4A7C15) % 2**64


def segment_table(hashes: Sequence[int], after: int, seed: int = 0) -> pa.Table:
    """Events of consecutive positions, in an order that is not the log's."""
    order = np.random.default_rng(seed).permutation(len(hashes))
    positions = after + 1 + order
    return pa.table(
        {
            "identifier_hash": np.array(hashes, np.uint64)[order],
            "position": positions,
            "content_hash": np.array(
                [content_of(position) for position in positions.tolist()], np.uint64
            ),
            "timestamp": pa.array(-positions).view(TIMESTAMP),
        }
    )


def opened(columns: RunColumns) -> IdentifierRun:
    """View columns as a run whose file is gone already."""
    with tempfile.TemporaryDirectory() as directory:
        identity = RunIdentity.of("identifiers", 1, 0, 1, bytes(8))
        return IdentifierRun(write_run(Path(directory), identity, columns))


def runs_of(*stretches: Sequence[int]) -> list[IdentifierRun]:
    ends = accumulate(map(len, stretches), initial=0)
    return [
        opened(build_identifier_run(segment_table(hashes, after)))
        for hashes, after in zip(stretches, ends, strict=False)
    ]


def merged(runs: Sequence[IdentifierRun]) -> IdentifierRun:
    return opened(IdentifierRuns().merge(runs))


def found(candidates: Candidates) -> Found:
    assert candidates.is_sealed.all()
    return list(
        zip(
            candidates.rows.tolist(),
            candidates.positions.tolist(),
            candidates.content_hashes.tolist(),
            candidates.timestamps.tolist(),
            strict=True,
        )
    )


def looked_up(log: Sequence[int], needles: Sequence[int]) -> Found:
    """Look every needle up in the log, one position after the other."""
    return [
        (row, position, content_of(position), -position)
        for row, needle in enumerate(needles)
        for position, hash_ in enumerate(log, 1)
        if hash_ == needle
    ]


def assert_equal(one: IdentifierRun, other: IdentifierRun) -> None:
    assert np.array_equal(one.hashes, other.hashes)
    assert np.array_equal(one.positions, other.positions)
    assert np.array_equal(one.content_hashes, other.content_hashes)
    assert np.array_equal(one.timestamps, other.timestamps)


@given(
    st.lists(st.lists(HASHES, max_size=12), max_size=9),
    st.lists(HASHES, max_size=6),
    st.data(),
)
def test_finding_agrees_with_looking_through_the_log(
    stretches: list[list[int]], strange: list[int], data: st.DataObject
) -> None:
    """However the log is cut into runs, and however many are looked for at once."""
    log = [hash_ for hashes in stretches for hash_ in hashes]
    known = data.draw(st.lists(st.sampled_from(log))) if log else []
    needles = data.draw(st.permutations(known + strange))
    event("many" if len(needles) >= 16 else "few")
    runs = runs_of(*stretches)

    expected = looked_up(log, needles)

    assert found(find_in_runs(runs, np.array(needles, np.uint64))) == expected
    twice = np.array([*needles, *needles], np.uint64)
    assert found(find_in_runs(runs, twice)) == looked_up(log, [*needles, *needles])


@given(st.lists(st.lists(HASHES, max_size=12), min_size=1, max_size=8))
def test_a_merged_run_is_the_one_built_of_the_whole(stretches: list[list[int]]) -> None:
    log = [hash_ for hashes in stretches for hash_ in hashes]
    whole = opened(build_identifier_run(segment_table(log, 0, seed=1)))

    together = merged(runs_of(*stretches))

    assert_equal(together, whole)
    assert together.hashes.tolist() == sorted(log)
    needles = np.array([*log, 3, 2**40], np.uint64)
    assert found(find_in_runs([together], needles)) == found(
        find_in_runs([whole], needles)
    )


SIZES = [0, 40_000, 500_000, 1, 60_000]


@pytest.mark.parametrize("most", [2**64, 2**20, 1], ids=["any", "crowded", "equal"])
def test_many_identifiers_are_merged_as_few_are(most: int) -> None:
    generator = np.random.default_rng(1)
    hashes = generator.integers(0, most, sum(SIZES), np.uint64)
    positions = np.arange(1, len(hashes) + 1)
    table = pa.table(
        {
            "identifier_hash": hashes,
            "position": positions,
            "content_hash": hashes ^ positions.astype(np.uint64),
            "timestamp": pa.array(-positions).view(TIMESTAMP),
        }
    )
    bounds = pairwise(accumulate(SIZES, initial=0))
    runs = [
        opened(build_identifier_run(table.slice(start, end - start)))
        for start, end in bounds
    ]

    together = merged(runs)

    order = np.lexsort((positions, hashes))
    assert np.array_equal(together.hashes, hashes[order])
    assert np.array_equal(together.positions, positions[order])
    assert np.array_equal(
        together.content_hashes, hashes[order] ^ positions[order].astype(np.uint64)
    )
    assert np.array_equal(together.timestamps, -positions[order])


def test_a_large_batch_is_found_in_large_runs() -> None:
    generator = np.random.default_rng(2)
    hashes = generator.integers(0, 2**64, 500_000, np.uint64)
    strange = generator.integers(0, 2**64, 30_000, np.uint64)
    runs = [
        opened(build_identifier_run(segment_table(part.tolist(), after)))
        for part, after in ((hashes[:400_000], 0), (hashes[400_000:], 400_000))
    ]
    known = generator.choice(500_000, 20_000, replace=False)
    needles = np.concatenate([hashes[known], strange])

    candidates = find_in_runs(runs, needles)

    assert candidates.rows.tolist() == list(range(20_000))
    assert np.array_equal(candidates.positions, known + 1)
    assert np.array_equal(candidates.timestamps, -(known + 1))


def test_there_is_nothing_to_find_in_no_runs() -> None:
    assert found(find_in_runs([], np.array([1, 2], np.uint64))) == []
    assert found(find_in_runs(runs_of([], []), np.arange(100, dtype=np.uint64))) == []
    assert found(find_in_runs(runs_of([1]), np.array([], np.uint64))) == []


@pytest.mark.parametrize("count", [1, 7, 8, 9, 1_000, 100_000])
def test_every_hash_that_is_there_comes_through_and_few_others(count: int) -> None:
    generator = np.random.default_rng(count)
    hashes = np.sort(generator.integers(0, 2**64, count, np.uint64))
    strange = generator.integers(0, 2**64, 100_000, np.uint64)
    words = words_for(count)
    occupy(words, hashes[: count // 2])
    occupy(words, hashes[count // 2 :])

    def come_through(of: np.ndarray) -> int:
        marks = marks_of(of)
        at = (of >> shift_to_word(words)).view(np.int64)
        return int(np.count_nonzero(words[at] & marks == marks))

    assert come_through(hashes) == count
    assert come_through(strange) < 3_000


def test_marks_are_the_same_in_every_release() -> None:
    """A run that is there was made by whichever release came first."""
    hashes = np.array([0, 0x8CD705B0676B6589, 2**64 - 1], np.uint64)
    words = words_for(20)

    occupy(words, hashes)

    assert marks_of(hashes).tolist() == [0x1, 0x100002000200, 0x8000000000000000]
    assert words.tolist() == [
        0x1,
        0x0,
        0x0,
        0x0,
        0x100002000200,
        0x0,
        0x0,
        0x8000000000000000,
    ]
