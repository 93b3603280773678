"""Own the hostile bodies: small or legal ones that ask for memory, or for work without end.

Each is made by a function without arguments but the name of a meter that exists, so that
its rows would be taken. What a body asks for is in its docstring.
"""

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.server.bulk import ARROW, CLOUD_EVENTS, NDJSON, PARQUET, arrow_of

_ROWS = 50_000
_MIB = 1 << 20
_ZSTD = pa.ipc.IpcWriteOptions(compression="zstd")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileBody:
    """What is sent.

    Attributes:
        make: returns the content, given the name of a meter.
        coding: how it is compressed on its way.
    """

    name: str
    kind: str
    make: Callable[[str], bytes]
    coding: str | None = None


def _usual(event_name: str, rows: int, **columns: pa.Array) -> pa.Table:
    """Rows that are taken, as dictionaries where a column has few words."""
    return pa.table(
        {
            "event_name": _repeated(event_name, rows),
            "stripe_customer_id": _repeated("cus_1", rows),
            "value": pa.array(np.ones(rows, np.int64)),
            **columns,
        }
    )


def _repeated(word: str, rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(rows, np.int32)), pa.array([word])
    )


def _parquet(table: pa.Table, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", **options)
    return sink.getvalue()


def parquet_word(event_name: str) -> bytes:
    """One word of 50 kB in 50,000 rows: 2.5 GB of strings."""
    word = _repeated("x" * 50_000, _ROWS)
    return _parquet(_usual(event_name, _ROWS, label=word))


def parquet_words_in_every_column(event_name: str) -> bytes:
    """A word of 4 kB in each of 100 columns of 50,000 rows: 20 GB of strings."""
    columns = {f"label_{each}": _repeated("x" * 4_000, _ROWS) for each in range(100)}
    return _parquet(_usual(event_name, _ROWS, **columns))


def parquet_customer_word(event_name: str) -> bytes:
    """One customer of 50 kB in 50,000 rows, each of which is rejected."""
    word = _repeated("x" * 50_000, _ROWS)
    return _parquet(_usual(event_name, _ROWS, stripe_customer_id=word))


def parquet_delta_strings(event_name: str) -> bytes:
    """Strings of 50 kB, of which each says only that it is like the one before."""
    table = _usual(event_name, _ROWS).append_column(
        "label",
        pa.chunked_array([_repeated("x" * 50_000, 2_000)] * 25).cast(pa.large_string()),
    )
    return _parquet(
        table,
        use_dictionary=["event_name", "stripe_customer_id"],
        column_encoding={"label": "DELTA_BYTE_ARRAY"},
    )


def parquet_long_list(event_name: str) -> bytes:
    """A list of 60 million elements in one row."""
    lists = pa.ListArray.from_arrays(
        pa.array([0, 60_000_000], pa.int32()), pa.array(np.zeros(60_000_000, np.int8))
    )
    return _parquet(_usual(event_name, 1, label=lists))


def parquet_null_rows(event_name: str) -> bytes:
    """200 million rows without a value, in a few kB."""
    del event_name
    rows = 200_000_000
    return _parquet(pa.table({"event_name": pa.nulls(rows), "value": pa.nulls(rows)}))


def parquet_groups(event_name: str) -> bytes:
    """20,000 row groups of one row."""
    return _parquet(_usual(event_name, 20_000), row_group_size=1)


def parquet_columns(event_name: str) -> bytes:
    """20,000 columns of labels in 50 rows."""
    columns = {f"label_{each}": _repeated("x" * 400, 50) for each in range(20_000)}
    return _parquet(_usual(event_name, 50, **columns))


def parquet_page(event_name: str) -> bytes:
    """A page that unpacks to 500 MiB, of strings of 50 kB."""
    label = pa.array(["x" * 50_000] * 10_000)
    return _parquet(
        _usual(event_name, 10_000, label=label),
        use_dictionary=False,
        data_page_size=1 << 30,
    )


def parquet_labels(event_name: str) -> bytes:
    """Legal rows: twenty labels of 500 characters in each of 50,000."""
    columns = {
        f"label_{each}": _repeated(f"{each:02}" * 250, _ROWS) for each in range(20)
    }
    return _parquet(_usual(event_name, _ROWS, **columns))


def arrow_unpacked(event_name: str) -> bytes:
    """Legal rows: 480 MiB of labels in one batch, of 3 MB compressed."""
    rows = 480 * _MIB // 500
    label = pa.array(["x" * 480] * 1_000)
    label = pa.concat_arrays([label] * (rows // 1_000))
    return arrow_of(_usual(event_name, len(label), label=label), options=_ZSTD)


def arrow_long_strings(event_name: str) -> bytes:
    """480 MiB of strings of a MiB in one batch."""
    label = pa.array(["x" * _MIB] * 480)
    return arrow_of(_usual(event_name, 480, label=label), options=_ZSTD)


def arrow_null_rows(event_name: str) -> bytes:
    """2 billion rows of nothing."""
    del event_name
    rows = 2_000_000_000
    columns = ["event_name", "stripe_customer_id", "value"]
    return arrow_of(pa.table({each: pa.nulls(rows) for each in columns}))


def arrow_run_ends(event_name: str) -> bytes:
    """2 billion rows as one run of an encoding by runs."""
    rows = 2_000_000_000
    runs = pa.RunEndEncodedArray.from_arrays(
        pa.array([rows], pa.int32()), pa.array([event_name])
    )
    return arrow_of(pa.table({"event_name": runs, "value": runs}))


def arrow_null_lists(event_name: str) -> bytes:
    """A list of 2 billion nulls in one row."""
    lists = pa.ListArray.from_arrays(
        pa.array([0, 2_000_000_000], pa.int32()), pa.nulls(2_000_000_000)
    )
    return arrow_of(_usual(event_name, 1, label=lists))


def arrow_lists(event_name: str) -> bytes:
    """Lists of 400 small numbers in each of a million rows, 400 MB compressed away."""
    rows = 1_000_000
    lists = pa.ListArray.from_arrays(
        pa.array(np.arange(rows + 1, dtype=np.int32) * 400),
        pa.array(np.zeros(rows * 400, np.int8)),
    )
    return arrow_of(_usual(event_name, rows, label=lists), options=_ZSTD)


def arrow_overlapping_lists(event_name: str) -> bytes:
    """Views of one list of a million numbers in 50,000 rows."""
    views = pa.ListViewArray.from_arrays(
        pa.array(np.zeros(_ROWS, np.int32)),
        pa.array(np.full(_ROWS, 1_000_000, np.int32)),
        pa.array(np.zeros(1_000_000, np.int8)),
    )
    return arrow_of(_usual(event_name, _ROWS, label=views))


def arrow_views(event_name: str) -> bytes:
    """Views of one string of a MiB in 50,000 rows: 50 GB of strings."""
    view = np.zeros(_ROWS, np.dtype("<i4,S4,<i4,<i4"))
    view["f0"], view["f1"] = _MIB - 1, b"xxxx"
    views = pa.Array.from_buffers(
        pa.string_view(),
        _ROWS,
        [None, pa.py_buffer(view.tobytes()), pa.py_buffer(b"x" * _MIB)],
    )
    return arrow_of(_usual(event_name, _ROWS, label=views))


def arrow_words(event_name: str) -> bytes:
    """A word of 4 kB in each of 100 columns of 50,000 rows: 20 GB of strings."""
    columns = {f"label_{each}": _repeated("x" * 4_000, _ROWS) for each in range(100)}
    return arrow_of(_usual(event_name, _ROWS, **columns), options=_ZSTD)


def arrow_nested_words(event_name: str) -> bytes:
    """A word of 50 kB in a dictionary within a list, 50,000 times."""
    lists = pa.ListArray.from_arrays(
        pa.array(np.arange(_ROWS + 1, dtype=np.int32)), _repeated("x" * 50_000, _ROWS)
    )
    return arrow_of(_usual(event_name, _ROWS, label=lists))


def arrow_listed_words(event_name: str) -> bytes:
    """A dictionary of one list of 100,000 numbers, in 50,000 rows."""
    words = pa.ListArray.from_arrays(
        pa.array([0, 100_000], pa.int32()), pa.array(np.zeros(100_000, np.int8))
    )
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(_ROWS, np.int32)), words)
    return arrow_of(_usual(event_name, _ROWS, label=column))


def arrow_columns(event_name: str) -> bytes:
    """100,000 columns in 10 rows."""
    columns = {f"label_{each}": pa.array(["x"] * 10) for each in range(100_000)}
    return arrow_of(_usual(event_name, 10, **columns))


def arrow_batches(event_name: str) -> bytes:
    """200,000 batches of one row."""
    return arrow_of(_usual(event_name, 200_000), rows_per_batch=1)


def arrow_map_keys(event_name: str) -> bytes:
    """100,000 keys in the payload of each of 100 rows."""
    keys = [f"key_{each}" for each in range(100_000)]
    payload = pa.MapArray.from_arrays(
        pa.array(np.arange(101, dtype=np.int32) * 100_002),
        pa.array(["stripe_customer_id", "value", *keys] * 100),
        pa.array(["cus_1", "1", *["x"] * 100_000] * 100),
    )
    table = pa.table({"event_name": _repeated(event_name, 100), "payload": payload})
    return arrow_of(table, options=_ZSTD)


def _line(event_name: str, **fields: object) -> bytes:
    row = {"event_name": event_name, "stripe_customer_id": "cus_1", "value": 1}
    return json.dumps({**row, **fields}, separators=(",", ":")).encode()


def _gzipped(lines: Iterator[bytes]) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join([*map(packer.compress, lines), packer.flush()])


def json_lines(event_name: str) -> bytes:
    """500 lines of a megabyte each, a label of a million characters in each."""
    line = _line(event_name, label="x" * 1_000_000) + b"\n"
    return _gzipped(line for _ in range(500))


def json_lists(event_name: str) -> bytes:
    """500 lines of a megabyte each, a label of 330,000 empty lists in each."""
    line = _line(event_name, label=[[]] * 330_000) + b"\n"
    return _gzipped(line for _ in range(500))


def json_keys(event_name: str) -> bytes:
    """30 lines with 80,000 keys each."""
    line = _line(event_name, **{f"{each:05}": "" for each in range(80_000)}) + b"\n"
    return _gzipped(line for _ in range(30))


def json_exports(event_name: str) -> bytes:
    """40 lines, each like a row of an export, with 60,000 keys of its own."""
    return _gzipped(
        _line(
            event_name,
            position=1,
            recorded_at="x",
            **{f"{number:x}_{each:x}": "" for each in range(60_000)},
        )
        + b"\n"
        for number in range(40)
    )


def json_bad_rows(event_name: str) -> bytes:
    """A million lines that are no objects."""
    del event_name
    return _gzipped(b"0\n" * 10_000 for _ in range(100))


def json_long_bad_rows(event_name: str) -> bytes:
    """500,000 lines whose identifiers are too long."""
    line = _line(event_name, identifier="x" * 900) + b"\n"
    return _gzipped(line * 1_000 for _ in range(500))


def json_labels(event_name: str) -> bytes:
    """Legal rows: 500 labels of 500 characters in each of 1,000."""
    line = _line(event_name, **{f"label_{each}": "x" * 500 for each in range(500)})
    return _gzipped(line + b"\n" for _ in range(1_000))


def json_without_end(event_name: str) -> bytes:
    """One line of 500 MB."""
    del event_name
    return _gzipped(b"x" * _MIB for _ in range(500))


def json_blank(event_name: str) -> bytes:
    """400 million blank lines."""
    del event_name
    return _gzipped(b"\n" * _MIB for _ in range(400))


def events_of_nothing(event_name: str) -> bytes:
    """A batch of a million numbers in place of CloudEvents."""
    del event_name
    return b"[" + b",".join([b"0"] * (_MIB - 2)) + b"]"


def events_of_lists(event_name: str) -> bytes:
    """A CloudEvent of 690,000 empty lists."""
    data = {"value": 1, "label": [[]] * 690_000}
    event = {"specversion": "1.0", "id": "1", "source": "/", "type": event_name}
    whole = [{**event, "subject": "cus_1", "data": data}]
    return json.dumps(whole, separators=(",", ":")).encode()


def deep_json(event_name: str) -> bytes:
    """A line nested half a million levels deep."""
    return (
        _line(event_name)[:-1] + b',"label":' + b"[" * 400_000 + b"]" * 400_000 + b"}"
    )


def json_members(event_name: str) -> bytes:
    """40 million blank lines, in 400,000 members of gzip."""
    del event_name
    return gzip.compress(b"\n" * 100) * 400_000


def gzipped_twice(event_name: str) -> bytes:
    """A gigabyte of zeros, in gzip in gzip."""
    del event_name
    return gzip.compress(_gzipped(bytes(_MIB) for _ in range(1_024)))


BODIES = (
    *(
        HostileBody(name=make.__name__, kind=kind, make=make)
        for kind, makes in {
            PARQUET: (
                parquet_word,
                parquet_words_in_every_column,
                parquet_customer_word,
                parquet_delta_strings,
                parquet_long_list,
                parquet_null_rows,
                parquet_groups,
                parquet_columns,
                parquet_page,
                parquet_labels,
            ),
            ARROW: (
                arrow_unpacked,
                arrow_long_strings,
                arrow_null_rows,
                arrow_run_ends,
                arrow_null_lists,
                arrow_lists,
                arrow_overlapping_lists,
                arrow_views,
                arrow_words,
                arrow_nested_words,
                arrow_listed_words,
                arrow_columns,
                arrow_batches,
                arrow_map_keys,
            ),
            NDJSON: (deep_json,),
            CLOUD_EVENTS: (events_of_nothing, events_of_lists),
        }.items()
        for make in makes
    ),
    *(
        HostileBody(name=make.__name__, kind=NDJSON, make=make, coding="gzip")
        for make in (
            json_lines,
            json_lists,
            json_keys,
            json_exports,
            json_bad_rows,
            json_long_bad_rows,
            json_labels,
            json_without_end,
            json_blank,
            json_members,
            gzipped_twice,
        )
    ),
)
