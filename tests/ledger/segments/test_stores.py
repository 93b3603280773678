"""What every segment store promises, on each kind of them."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from ledger.errors import SegmentDamagedError, SegmentMissingError
from ledger.segments.store import SegmentStore, open_segment_store
from tests.ledger.segments.conftest import OpenSegments

NAME = "epoch-000000000000000-000000000000012-0123456789abcdef.parquet"
# Larger than what an object store takes in one request.
PARTS = b"0123456789abcdef" * (11 << 16)

READING_ELSEWHERE = """
import sys
from ledger.segments.store import open_segment_store
store = open_segment_store(sys.argv[1])
for name in store.names(""):
    print(name, store.open(name).read_buffer().to_pybytes().decode())
"""


def content_of(store: SegmentStore, name: str) -> bytes:
    with store.open(name) as file:
        content: bytes = file.read()
    return content


def test_what_was_put_is_there(
    store: SegmentStore, open_segments: OpenSegments
) -> None:
    store.put(NAME, pa.py_buffer(b"content"))

    assert content_of(store, NAME) == b"content"
    assert store.size(NAME) == 7
    assert content_of(open_segments(), NAME) == b"content"


@pytest.mark.parametrize("content", [b"", PARTS], ids=["nothing", "several_parts"])
def test_content_of_any_size_is_stored(store: SegmentStore, content: bytes) -> None:
    store.put(NAME, pa.py_buffer(content))

    assert store.size(NAME) == len(content)
    assert content_of(store, NAME) == content


def test_a_file_is_read_anywhere_in_it(store: SegmentStore) -> None:
    store.put(NAME, pa.py_buffer(b"0123456789"))

    with store.open(NAME) as file:
        assert file.size() == 10
        assert file.read_at(3, 6) == b"678"
        assert file.read_at(2, 0) == b"01"


def test_putting_a_name_again_replaces_the_file(store: SegmentStore) -> None:
    store.put(NAME, pa.py_buffer(b"a longer one"))

    store.put(NAME, pa.py_buffer(b"another"))

    assert content_of(store, NAME) == b"another"
    assert store.names("") == [NAME]


def test_what_was_not_put_is_missing(store: SegmentStore) -> None:
    with pytest.raises(SegmentMissingError) as caught:
        store.open(NAME)

    assert (caught.value.name, caught.value.url) == (NAME, store.url)
    assert store.size(NAME) is None
    assert store.names("") == []


def test_names_are_listed_by_prefix_and_sorted(store: SegmentStore) -> None:
    for name in ("b-2", "a-2", "b-10", "a-1", "b.parquet"):
        store.put(name, pa.py_buffer(b"content"))

    assert store.names("") == ["a-1", "a-2", "b-10", "b-2", "b.parquet"]
    assert store.names("b-") == ["b-10", "b-2"]
    assert store.names("c") == []


def test_what_was_removed_is_gone(store: SegmentStore) -> None:
    store.put("a", pa.py_buffer(b"content"))
    store.put("b", pa.py_buffer(b"content"))

    store.remove("a")
    store.remove("a")

    assert store.names("") == ["b"]
    assert store.size("a") is None
    with pytest.raises(SegmentMissingError):
        store.open("a")


def test_the_last_file_can_be_removed_and_put_again(store: SegmentStore) -> None:
    store.put(NAME, pa.py_buffer(b"content"))
    store.remove(NAME)

    assert store.names("") == []
    store.put(NAME, pa.py_buffer(b"again"))
    assert content_of(store, NAME) == b"again"


def test_a_file_that_is_open_can_be_read_although_it_was_put_again(
    store: SegmentStore,
) -> None:
    store.put(NAME, pa.py_buffer(b"content"))

    with store.open(NAME) as file:
        store.put(NAME, pa.py_buffer(b"content"))

        assert file.read() == b"content"


def test_a_sweep_leaves_whole_files_alone(store: SegmentStore) -> None:
    store.sweep()
    store.put(NAME, pa.py_buffer(b"content"))

    store.sweep()

    assert content_of(store, NAME) == b"content"


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".hidden", "../x", "a/b", "/etc/passwd", "a\\b", "a b", "a\n"),
        *("é", "a\0b", "a%2fb", "a*", "s3://bucket/a", "a" * 201),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(store: SegmentStore, name: str) -> None:
    for refused in (
        lambda: store.put(name, pa.py_buffer(b"content")),
        lambda: store.open(name),
        lambda: store.path(name),
        lambda: store.size(name),
        lambda: store.remove(name),
    ):
        with pytest.raises(SegmentDamagedError) as caught:
            refused()

        assert repr(name) in caught.value.message
    assert store.names("") == []


# Not in fsspec's memory, which takes a file away while it replaces it.
@pytest.mark.parametrize("open_segments", ["directory", "s3"], indirect=True)
def test_files_are_put_and_read_by_many_threads(store: SegmentStore) -> None:
    names = [f"segment-{number % 20:02}" for number in range(60)]

    def put_and_read(name: str) -> bytes:
        store.put(name, pa.py_buffer(name.encode()))
        store.sweep()
        return content_of(store, name)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(put_and_read, names))

    assert found == [name.encode() for name in names]
    assert store.names("") == sorted(set(names))


def test_a_url_opens_the_same_store(place: str) -> None:
    store = open_segment_store(place)
    store.put(NAME, pa.py_buffer(b"content"))

    again = open_segment_store(store.url)

    assert again.url == store.url
    assert content_of(again, NAME) == b"content"


def test_a_store_can_be_sent_to_another_process(store: SegmentStore) -> None:
    store.put(NAME, pa.py_buffer(b"content"))

    sent = pickle.dumps(store)

    assert b"secret-of-a-test" not in sent
    received = pickle.loads(sent)
    assert received.url == store.url
    assert content_of(received, NAME) == b"content"


@pytest.mark.parametrize("place", ["directory", "s3"], indirect=True)
def test_another_process_opens_the_store_by_its_url(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_segment_store(place)
    store.put(NAME, pa.py_buffer(b"content"))
    # Another machine has credentials, but need not know of endpoints.
    for variable in ("AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(variable, raising=False)

    ended = subprocess.run(
        [sys.executable, "-c", READING_ELSEWHERE, store.url],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split() == [NAME, "content"]
