"""Strings of a column are hashed as one string at a time is by the library."""

import numpy as np
import pyarrow as pa
import pytest
from xxhash import xxh3_64_intdigest

from ledger.usage.string_hashes import string_hashes

RANDOM = np.random.default_rng(20250101)


def one_by_one(strings: list[bytes], seeds: list[int]) -> list[int]:
    return [
        xxh3_64_intdigest(string, seed)
        for string, seed in zip(strings, seeds, strict=True)
    ]


@pytest.mark.parametrize("kind", [pa.binary(), pa.string()])
@pytest.mark.parametrize("left_out", [0, 1, 7])
def test_a_column_of_any_lengths_is_hashed_string_by_string(
    kind: pa.DataType, left_out: int
) -> None:
    # Each length of the classes and the first beyond them, in more parts than one.
    strings = [
        RANDOM.integers(0, 128, number % 132, np.uint8).tobytes()
        for number in range(9_000)
    ]
    strings += [b"", b"\0", bytes(128), b"x" * 250, b"y" * 1_000, b"end"]
    column = pa.array(strings, pa.binary()).cast(kind).slice(left_out)
    seeds = RANDOM.integers(0, 2**64, len(column), np.uint64)

    hashes = string_hashes(column, seeds)

    assert hashes.tolist() == one_by_one(strings[left_out:], seeds.tolist())


@pytest.mark.parametrize("length", [0, 1, 3, 4, 8, 9, 16, 17, 36, 64, 65, 128, 129])
def test_a_column_of_one_length_is_hashed_string_by_string(length: int) -> None:
    strings = [RANDOM.bytes(length) for _ in range(300)]
    column = pa.array([b"before", *strings], pa.binary()).slice(1)

    hashes = string_hashes(column, np.uint64(7))

    assert hashes.tolist() == one_by_one(strings, [7] * 300)


def test_few_strings_are_hashed_alike() -> None:
    hashes = string_hashes(pa.array(["", "größe", "🚕" * 99]), np.array([1, 2, 3]))

    assert hashes.tolist() == one_by_one(
        [b"", "größe".encode(), ("🚕" * 99).encode()], [1, 2, 3]
    )
