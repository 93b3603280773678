"""What is decompressed is all that was sent, or an error; and never more than is asked."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.decoding.compression import (
    PIECE_BYTES,
    Compression,
    decompressed,
    open_decompressed,
)

GZIP, ZSTD = Compression.GZIP, Compression.ZSTD


def zstd(content: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(content, asbytes=True))


PACKED: dict[Compression, Callable[[bytes], bytes]] = {GZIP: gzip.compress, ZSTD: zstd}
every_compression = pytest.mark.parametrize("compression", Compression)


def unpacked(content: bytes, compression: Compression = GZIP) -> bytes:
    return b"".join(decompressed(content, compression))


@given(
    st.lists(st.binary(max_size=40), min_size=1, max_size=4),
    st.lists(st.integers(0, 40), min_size=4, max_size=4),
)
def test_members_and_the_zeros_between_and_behind_them_are_one_text(
    texts: list[bytes], zeros: list[int]
) -> None:
    members = [
        gzip.compress(text) + bytes(count)
        for text, count in zip(texts, zeros, strict=False)
    ]

    assert unpacked(b"".join(members)) == b"".join(texts)


@every_compression
def test_a_text_that_ends_anywhere_but_behind_a_member_is_an_error(
    compression: Compression,
) -> None:
    first, second = map(PACKED[compression], (b"usage" * 9, b"more"))
    whole = first + second

    for length in range(1, len(whole)):
        if length == len(first):
            continue
        with pytest.raises(OSError, match=r"."):
            unpacked(whole[:length], compression)


@every_compression
@pytest.mark.parametrize("behind", [b"{}", b"\0{}", b"\x1f", b"\x1f\x8b", b"\x28\xb5"])
def test_what_is_behind_a_text_and_no_member_is_an_error(
    compression: Compression, behind: bytes
) -> None:
    with pytest.raises(OSError, match=r"."):
        unpacked(PACKED[compression](b"usage") + behind, compression)


@every_compression
def test_what_a_few_bytes_unpack_to_comes_in_pieces(compression: Compression) -> None:
    content = PACKED[compression](bytes(5 * PIECE_BYTES + 1))

    lengths = [len(piece) for piece in decompressed(content, compression)]

    assert max(lengths) <= PIECE_BYTES
    assert sum(lengths) == 5 * PIECE_BYTES + 1


@pytest.mark.parametrize("length", [0, 1, PIECE_BYTES, 2 * PIECE_BYTES + 7])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_a_file_is_read_to_its_end_wherever_its_pieces_end(
    tmp_path: Path, length: int, level: int
) -> None:
    content = (b"0123456789" * (length // 10 + 1))[:length]
    path = tmp_path / "usage.gz"
    path.write_bytes(gzip.compress(content, level) * 2 + bytes(PIECE_BYTES))

    with open_decompressed(str(path), GZIP) as file:
        read = file.read()

    assert read == content * 2


def test_a_sum_that_is_wrong_is_an_error() -> None:
    content = bytearray(gzip.compress(b"usage"))
    content[-8] ^= 1

    with pytest.raises(OSError, match="incorrect data check"):
        unpacked(bytes(content))
    with pytest.raises(OSError, match="it is not gzip"):
        unpacked(zlib.compress(b"usage"))


def test_many_small_members_are_read_in_linear_time() -> None:
    # What follows was copied for each of them: 400,000 times 8 MiB.
    member = gzip.compress(b"{}\n", mtime=0)
    count = (8 << 20) // len(member)

    assert len(unpacked(member * count)) == 3 * count
