"""XXH3-64 of the strings of a column, many at once.

The same numbers as `xxhash.xxh3_64_intdigest` gives one string at a time, which needs an
object of Python for each and holds the interpreter meanwhile: this takes a third of the
time, and lets other threads run. Strings of up to 128 bytes are hashed as columns of
words, a class of lengths at a time; longer ones one by one.

Source: https://github.com/Cyan4973/xxHash/blob/v0.8.3/doc/xxhash_spec.md, "XXH3".
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Protocol, TypeAlias

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64_intdigest

Words: TypeAlias = np.ndarray
"""uint64, one for each string; arithmetic is modulo 2**64."""

# Below this, calls cost more than digests one by one.
_FEW = 256
# Of words: what is worked on stays in the processor's cache.
_ROWS_AT_A_TIME = 1 << 13
_LONGEST = 128
_WORD = 8
_SECRET = np.frombuffer(
    bytes.fromhex(
        "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
        "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
        "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
        "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    ),
    "<u8",
)
_PRIME_1, _PRIME_2, _PRIME_3 = (
    np.uint64(0x9E3779B185EBCA87),
    np.uint64(0xC2B2AE3D27D4EB4F),
    np.uint64(0x165667B19E3779F9),
)
_MIX_1, _MIX_2 = np.uint64(0x165667919E3779F9), np.uint64(0x9FB21C651E98DF25)
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def string_hashes(column: pa.Array, seeds: np.ndarray | np.uint64) -> np.ndarray:
    """Hash strings.

    Args:
        column: of type string or binary, without nulls.
        seeds: uint64, of each string, or one of all.

    Returns:
        uint64, in the order of the column.
    """
    count = len(column)
    seeds = np.broadcast_to(seeds, (count,))
    if count < _FEW:
        return _one_by_one(column, seeds)
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, np.int32)[column.offset :][: count + 1]
    # Without an empty string's buffer there is nothing to read from either.
    content = _NOTHING if data is None else np.frombuffer(data, np.uint8)
    hashes = np.empty(count, np.uint64)
    for start in range(0, count, _ROWS_AT_A_TIME):
        part = slice(start, min(start + _ROWS_AT_A_TIME, count))
        starts = ends[part].astype(np.int64)
        lengths = ends[part.start + 1 : part.stop + 1] - starts
        _hash_part(content, starts, lengths, seeds[part], hashes[part])
        for row in np.flatnonzero(lengths > _LONGEST).tolist():
            string = content[starts[row] :][: lengths[row]].data
            hashes[start + row] = xxh3_64_intdigest(string, int(seeds[start + row]))
    return hashes


def _one_by_one(column: pa.Array, seeds: np.ndarray) -> np.ndarray:
    strings = column.view(pa.binary()).to_pylist()
    return np.fromiter(
        map(xxh3_64_intdigest, strings, seeds.tolist()), np.uint64, len(strings)
    )


def _hash_part(
    content: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    seeds: Words,
    hashes: Words,
) -> None:
    """Hash the strings of some lengths; leave those that are longer."""
    shortest, longest = int(lengths.min()), int(lengths.max())
    if shortest == longest and _WORD < shortest <= _LONGEST:
        strings: _Strings = _AlikeStrings(content, int(starts[0]), lengths)
    else:
        strings = _AnyStrings(content, starts, lengths)
    for least, most, digest in _CLASSES:
        if longest < least or shortest > most:
            continue
        if shortest >= least and longest <= most:
            hashes[:] = digest(strings, seeds)
            continue
        rows = np.flatnonzero((lengths >= least) & (lengths <= most))
        if len(rows):
            some = _AnyStrings(content, starts[rows], lengths[rows])
            hashes[rows] = digest(some, seeds[rows])


class _Strings(Protocol):
    """Strings that are read by words of 64 bits.

    Attributes:
        lengths: uint64, in bytes.
    """

    lengths: Words

    def after(self, start: int) -> Words:
        """Return the words that begin so many bytes after each string does."""

    def before(self, end: int) -> Words:
        """Return the words that begin so many bytes before each string ends."""

    def pair_after(self, start: int) -> tuple[Words, Words]:
        """Return the words that `after` does, and the next ones."""

    def pair_before(self, end: int) -> tuple[Words, Words]:
        """Return the words that `before` does, and the next ones."""


class _AlikeStrings:
    """Strings of one length, which is more than a word, one behind the other."""

    def __init__(self, content: np.ndarray, start: int, lengths: np.ndarray) -> None:
        self.lengths = lengths.astype(np.uint64)
        self._content, self._start = content, start
        self._count, self._length = len(lengths), int(lengths[0])

    def after(self, start: int) -> Words:
        place, stride = self._start + start, (self._length,)
        return np.ndarray((self._count,), "<u8", self._content, place, stride).copy()

    def before(self, end: int) -> Words:
        return self.after(self._length - end)

    def pair_after(self, start: int) -> tuple[Words, Words]:
        return self.after(start), self.after(start + _WORD)

    def pair_before(self, end: int) -> tuple[Words, Words]:
        return self.before(end), self.before(end - _WORD)


class _AnyStrings:
    """Strings anywhere. Behind the end of all there are zeros."""

    def __init__(
        self, content: np.ndarray, starts: np.ndarray, lengths: np.ndarray
    ) -> None:
        self.lengths = lengths.astype(np.uint64)
        self._starts, self._ends = starts, starts + lengths
        whole = len(content) // _WORD
        self._whole, self._words = whole, content[: _WORD * whole].view("<u8")
        rest = np.zeros(4 * _WORD, np.uint8)
        rest[: len(content) - _WORD * whole] = content[_WORD * whole :]
        self._rest = rest.view("<u8")

    def after(self, start: int) -> Words:
        return self._words_at(self._starts + start, 1)[0]

    def before(self, end: int) -> Words:
        return self._words_at(self._ends - end, 1)[0]

    def pair_after(self, start: int) -> tuple[Words, Words]:
        one, other = self._words_at(self._starts + start, 2)
        return one, other

    def pair_before(self, end: int) -> tuple[Words, Words]:
        one, other = self._words_at(self._ends - end, 2)
        return one, other

    def _words_at(self, places: np.ndarray, count: int) -> list[Words]:
        """Return so many words from each place on, put together from aligned ones."""
        index, shift = places >> 3, ((places & 7) << 3).view(np.uint64)
        # Shifted twice, since a word that is shifted by its length is not zero.
        back = np.uint64(63) - shift
        aligned = [self._aligned(index + number) for number in range(count + 1)]
        return [
            (low >> shift) | ((high << np.uint64(1)) << back)
            for low, high in pairwise(aligned)
        ]

    def _aligned(self, index: np.ndarray) -> Words:
        if int(index.max()) < self._whole:
            return self._words.take(index)
        found = np.empty(len(index), np.uint64)
        is_whole = index < self._whole
        found[is_whole] = self._words[index[is_whole]]
        found[~is_whole] = self._rest[index[~is_whole] - self._whole]
        return found


def _empty(strings: _Strings, seeds: Words) -> Words:
    return _avalanche_64(seeds ^ (_SECRET[7] ^ _SECRET[8]))


def _up_to_3(strings: _Strings, seeds: Words) -> Words:
    byte = np.uint64(0xFF)
    word, lengths = strings.after(0), strings.lengths
    middle = (word >> ((lengths >> np.uint64(1)) << np.uint64(3))) & byte
    combined = (
        ((word & byte) << np.uint64(16))
        | (middle << np.uint64(24))
        | (strings.before(1) & byte)
        | (lengths << np.uint64(8))
    )
    flip = ((_SECRET[0] & _LOW) ^ (_SECRET[0] >> _HALF)) + seeds
    return _avalanche_64(combined ^ flip)


def _up_to_8(strings: _Strings, seeds: Words) -> Words:
    seeds = seeds ^ (seeds.astype(np.uint32).byteswap().astype(np.uint64) << _HALF)
    words = (strings.before(4) & _LOW) + (strings.after(0) << _HALF)
    mixed: Words = words ^ ((_SECRET[1] ^ _SECRET[2]) - seeds)
    mixed ^= _turned(mixed, 49) ^ _turned(mixed, 24)
    mixed *= _MIX_2
    mixed ^= (mixed >> np.uint64(35)) + strings.lengths
    mixed *= _MIX_2
    mixed ^= mixed >> np.uint64(28)
    return mixed


def _up_to_16(strings: _Strings, seeds: Words) -> Words:
    low = strings.after(0) ^ ((_SECRET[3] ^ _SECRET[4]) + seeds)
    high = strings.before(8) ^ ((_SECRET[5] ^ _SECRET[6]) - seeds)
    return _avalanche(low.byteswap() + high + _folded(low, high) + strings.lengths)


def _up_to_128(rounds: int) -> Callable[[_Strings, Words], Words]:
    """Return the digest of strings of up to so many times 32 bytes, and no fewer."""

    def digest(strings: _Strings, seeds: Words) -> Words:
        mixed = strings.lengths * _PRIME_1
        for number in range(rounds):
            for at, (low, high) in (
                (4 * number, strings.pair_after(16 * number)),
                (4 * number + 2, strings.pair_before(16 * number + 16)),
            ):
                mixed += _folded(
                    low ^ (_SECRET[at] + seeds), high ^ (_SECRET[at + 1] - seeds)
                )
        return _avalanche(mixed)

    return digest


def _folded(one: Words, other: Words) -> Words:
    """Multiply into 128 bits, and fold the halves together."""
    one_low, one_high = one & _LOW, one >> _HALF
    other_low, other_high = other & _LOW, other >> _HALF
    across = one_high * other_low
    carried = one_low * other_low
    carried >>= _HALF
    carried += across & _LOW
    carried += one_low * other_high
    across >>= _HALF
    carried >>= _HALF
    across += carried
    across += one_high * other_high
    across ^= one * other
    return across


def _turned(words: Words, bits: int) -> Words:
    turned: Words = (words << np.uint64(bits)) | (words >> np.uint64(64 - bits))
    return turned


def _avalanche(mixed: Words) -> Words:
    mixed = mixed ^ (mixed >> np.uint64(37))
    mixed *= _MIX_1
    mixed ^= mixed >> np.uint64(32)
    return mixed


def _avalanche_64(mixed: Words) -> Words:
    mixed = mixed ^ (mixed >> np.uint64(33))
    mixed *= _PRIME_2
    mixed ^= mixed >> np.uint64(29)
    mixed *= _PRIME_3
    mixed ^= mixed >> np.uint64(32)
    return mixed


_NOTHING = np.zeros(0, np.uint8)
# The least and the greatest length of a class, and its digest.
_CLASSES = (
    (0, 0, _empty),
    (1, 3, _up_to_3),
    (4, 8, _up_to_8),
    (9, 16, _up_to_16),
    (17, 32, _up_to_128(1)),
    (33, 64, _up_to_128(2)),
    (65, 96, _up_to_128(3)),
    (97, 128, _up_to_128(4)),
)
