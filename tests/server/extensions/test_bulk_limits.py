"""Bodies of rows are bounded: as they are sent, unpacked, and in how many come at once."""

import gzip
import struct
import threading
import zlib
from contextlib import closing
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

import metering
from metering.server.extensions.bulk import ROUTES
from metering.server.http.app import create_app
from metering.usage.ingest.bounds.sizes import unpacked_max
from tests.empty_stores import empty_store
from tests.server.bulk import (
    ARROW,
    NDJSON,
    PARQUET,
    PATH,
    arrow_of,
    ndjson_of,
    new_event_name,
    numbers_of,
    recorded,
    send,
    table_of,
)
from tests.server.in_process import served
from tests.server.running import Server

pytestmark = pytest.mark.slow


def limits() -> tuple[int, int]:
    (route,) = ROUTES
    assert route.rows is not None
    return route.rows.limits.sent_max, route.rows.limits.decoded_max


def status_of_a_head(server: Server, key: str, media_type: str, length: int) -> int:
    """What a request is answered of whose body nothing is sent."""
    with closing(server.connect()) as connection:
        connection.putrequest("POST", PATH)
        connection.putheader("Authorization", f"Bearer {key}")
        connection.putheader("Content-Type", media_type)
        connection.putheader("Content-Length", str(length))
        connection.endheaders()
        return connection.getresponse().status


def test_a_body_is_bounded_as_it_is_sent(server: Server) -> None:
    most, _ = limits()

    # Answered before any of it is sent.
    assert status_of_a_head(server, server.key, NDJSON, most + 1) == 413
    # Long lines: there is nothing in them, and a line takes time.
    lines = (b" " * 1023 + b"\n") * (most >> 10)
    assert numbers_of(send(server, NDJSON, lines)) == (0, 0, 0)
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (most + 1, lines + b"\n")
    assert send(server, NDJSON, chunk, Transfer_Encoding="chunked").status == 413


def test_a_body_is_bounded_decompressed(server: Server) -> None:
    _, most = limits()
    compressor = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    piece = bytes(1 << 20)
    parts = [compressor.compress(piece) for _ in range(most >> 20)]
    body = b"".join([*parts, compressor.compress(b"0"), compressor.flush()])

    answered = send(server, PARQUET, body, Content_Encoding="gzip")

    assert answered.status == 413
    assert str(unpacked_max(len(body))) in answered.error["message"]


def test_a_zstd_body_is_bounded_decompressed(server: Server) -> None:
    _, most = limits()
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        for _ in range((most >> 20) + 1):
            stream.write(bytes(1 << 20))

    answered = send(server, PARQUET, bytes(sink.getvalue()), Content_Encoding="zstd")

    assert answered.status == 413


@pytest.mark.parametrize(
    ("scope", "status"), [("read", 403), ("admin", 403), ("ingest", 415)]
)
def test_who_may_not_send_rows_is_told_before_they_are_sent(
    server: Server, scope: str, status: int
) -> None:
    with server.store() as store:
        key = store.api_keys.create(name="a key", scopes=(scope,)).secret
    assert key is not None

    assert status_of_a_head(server, key, "text/plain", 1_000) == status


def test_more_bodies_than_are_held_at_a_time_are_all_taken(server: Server) -> None:
    names = [new_event_name(server) for _ in range(8)]
    bodies = [gzip.compress(ndjson_of(table_of(each, [1, 2]))) for each in names]
    answers = []

    def post(body: bytes) -> None:
        answers.append(send(server, NDJSON, body, Content_Encoding="gzip"))

    threads = [threading.Thread(target=post, args=(each,)) for each in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [numbers_of(each) for each in answers] == [(2, 0, 0)] * 8


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_batches_may_be_compressed(server: Server, compression: str) -> None:
    name = new_event_name(server)
    table = table_of(name, [1] * 1_000).set_column(
        0, "event_name", pa.array([name] * 1_000).dictionary_encode()
    )

    body = arrow_of(table, options=pa.ipc.IpcWriteOptions(compression=compression))

    assert numbers_of(send(server, ARROW, body)) == (1_000, 0, 0)
    assert {each.payload["value"] for each in recorded(server, name)} == {"1"}


@pytest.mark.parametrize("is_of_dictionary", [True, False])
def test_batches_that_ask_for_more_memory_than_is_allowed_are_refused(
    server: Server, *, is_of_dictionary: bool
) -> None:
    _, most = limits()
    name = new_event_name(server)
    names = pa.array([name, "x" * 5_000] * 500)
    table = table_of(name, [Decimal(1)] * 1_000).set_column(
        0, "event_name", names.dictionary_encode() if is_of_dictionary else names
    )
    body = arrow_of(table, options=pa.ipc.IpcWriteOptions(compression="zstd"))
    told = struct.pack(
        "<q", 5_000 + len(name) if is_of_dictionary else 500 * (5_000 + len(name))
    )
    assert body.count(told) == 1

    answered = send(server, ARROW, body.replace(told, struct.pack("<q", most)))

    assert answered.status == 413
    assert recorded(server, name) == []


def test_a_body_of_nothing_but_bad_rows_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("metering.server.extensions.bulk._REJECTED_MAX", 100_000)
    body = gzip.compress(b"0\n" * 200_000)

    with empty_store() as store, served(store) as application:
        answered = send(application, NDJSON, body, Content_Encoding="gzip")

    assert answered.status == 400
    assert answered.error["message"] == (
        "More than 100000 rows were rejected. The first 150000 rows were taken before"
        " that: 0 recorded, 0 recorded earlier, 150000 rejected."
    )


@pytest.mark.parametrize(("factor", "status"), [(1, 413), (250, 200)])
def test_a_body_may_be_so_many_times_as_long_as_it_was_sent(
    factor: int, status: int
) -> None:
    # A list of nulls takes nothing on its way, and the text beside it a MiB.
    nulls = pa.ListArray.from_arrays(
        pa.array([0, 150_000_000], pa.int32()), pa.nulls(150_000_000)
    )
    noise = np.random.default_rng(1).integers(97, 122, 1 << 20, np.uint8).tobytes()
    table = pa.table({"event_name": [noise.decode()], "value": [1], "label": nulls})

    with empty_store() as store:
        app = create_app(store, unpack_factor=factor)
        with served(store, app) as application:
            answered = send(application, ARROW, arrow_of(table))

    assert answered.status == status, answered.body


def test_a_body_may_not_be_shorter_than_it_was_sent() -> None:
    with (
        empty_store() as store,
        pytest.raises(metering.InvalidRequestError, match="unpack_factor: 0"),
    ):
        create_app(store, unpack_factor=0)


def test_a_body_of_nothing_but_blank_lines_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("metering.usage.ingest.bodies.BODY_ROWS_MAX", 100_000)
    body = gzip.compress(b"\n" * 200_000)

    with empty_store() as store, served(store) as application:
        answered = send(application, NDJSON, body, Content_Encoding="gzip")

    assert answered.status == 413, answered.body
    assert "more than 100000 rows" in answered.error["message"]
