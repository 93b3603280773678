"""Own batches of weird rows, each spelt as columns and as dicts.

Dense where a check of columns and a check of single rows could part: cells that are
missing, empty, too long, or written in ways that some parsers take and others do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import event
from hypothesis import strategies as st

from metering import Columns, Constant
from tests.metering.usual_usage import NOW

TEXTS = (pa.string(), pa.large_string(), pa.string_view())
TEXT_TYPES = st.sampled_from(
    [*TEXTS, pa.dictionary(pa.int32(), pa.string()), pa.dictionary(pa.int8(), TEXTS[1])]
)
EVENT_NAMES = ("tokens", "tokens", "words", "calls", "daily", "closed", "nothing")
WEIRD_TEXTS = ("", "\0", "a\0b", "x" * 100, "x" * 101, "🚕" * 500, "🚕" * 501, "é", "é")
IDENTIFIERS = ("a", "b", "c", "taken", "taken too", *WEIRD_TEXTS)
CUSTOMERS = ("cus_1", "cus_2", "客户", *WEIRD_TEXTS)
VALUES = (
    "1", "12.5", "-3", "0", "-0", "0.0", "007", "1.0000000000000", "1e3", "1E-7",
    "9" * 18, "9" * 19, "9" * 27, "0" * 40 + "1", "0." + "9" * 12, "0." + "9" * 13, "-" + "9" * 26,
    "9" * 18 + "." + "9" * 12, "0.0000000000001", "1e18", "1e-13", "0e999", "+5", ".5",
    "5.", " 5", "5 ", "5\n", "1_000", "1,000", "--1", "NaN", "Infinity", "0x10", "",
    "\u0663", "\uff15", "\0", "1\0", "five", "1" * 501,
)  # fmt: skip
TIMESTAMP_TEXTS = (
    "2026-03-01T11:30:00Z", "2026-03-01 11:30:00", "2026-03-01T11:30", "2026-03-01",
    "2026-03-01T11:30:00.123456Z", "2026-03-01T11:30:00.1234560", "2026-03-01T11:30:00.5",
    "2026-03-01T11:30:00.1234567", "2026-03-01T11:30:00.123456789Z",
    "2026-03-01T13:30:00+02:00", "2026-03-01T13:30:00+0200", "2026-03-01T11:30:00,5Z",
    "2026-03-01T11", "2026-03-01T11Z", "2026-03-01T13:30:00+02", "2026-03-01T11:30:00 Z",
    "2026-01-25T12:00:00Z", "2026-01-25T11:59:59.999999Z", "2026-03-01T12:05:00Z",
    "2026-03-01T12:05:00.000001Z", "1969-12-31T23:59:59Z", "1970-01-01", "0001-01-01",
    "9999-12-31T23:59:59Z", "1500-01-01", "2300-01-01", "2026-02-30", "2026-03-01T24:00:00",
    "2026-03-01T11:30:60", "2026-03-01T11:30:00+24:00", "2026-03-01T11:30:00-23:59",
    "2026-03-01T11:30:00.1234567890123Z", "2026-03-01 11:30:00 UTC", "2026-02-28T23:59:60Z",
    "2026-03-01T00:59:60", "2025-10-26 02:30:00", "2025-03-30 02:30:00", "1772364600.25",
    "1772364600000", "1772364600000.5", "1772364600", "-1", "20260301", "2026-3-1", "", " ", "\0", "now", "2026-03-01T",
    " 2026-03-01", "2026-03-01 ", "٢٠٢٦-03-01", "2026-03-01T11:30:00z",
)  # fmt: skip
INSTANTS = (
    NOW, NOW - timedelta(hours=1), NOW.replace(microsecond=1), NOW - timedelta(days=35),
    NOW - timedelta(days=35, microseconds=1), NOW + timedelta(minutes=5),
    NOW + timedelta(minutes=5, microseconds=1), datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(1500, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
)  # fmt: skip
JSON_TEXTS = (
    '{"stripe_customer_id": "cus_1", "value": "1"}',
    '{"value": 1.50, "stripe_customer_id": 5, "model": "large"}',
    '{"account": "acme", "größe": -1e-3}',
    '{"stripe_customer_id": "cus_1", "value": 1, "value": 2}',
    '{"stripe_customer_id": "cus_1", "value": true}',
    '{"stripe_customer_id": "cus_1", "value": null}',
    '{"stripe_customer_id": "cus_1", "value": {"of": "1"}}',
    '{"stripe_customer_id": "cus_1", "value": NaN}',
    '{"stripe_customer_id": "cus_1", "value": "1", "model": "\\ud800"}',
    "{}", "[]", "null", "5", '"text"', "", "{", "[" * 100_000,
)  # fmt: skip

Cells = list[Any]


@dataclass(frozen=True)
class Batch:
    """Rows in two spellings, and how their columns are to be read."""

    table: pa.Table
    dicts: list[dict[str, Any]]
    columns: Columns
    options: dict[str, Any]

    def __repr__(self) -> str:
        return f"{self.dicts}\n{self.table.schema}\n{self.columns}, {self.options}"


def some(texts: Sequence[str]) -> st.SearchStrategy[str | None]:
    return st.none() | st.sampled_from(texts) | st.sampled_from(texts[:3])


@st.composite
def text_columns(
    draw: st.DrawFn, rows: int, texts: Sequence[str]
) -> tuple[pa.Array, Cells]:
    cells = draw(st.lists(some(texts), min_size=rows, max_size=rows))
    return as_texts(cells, draw(TEXT_TYPES)), cells


@st.composite
def value_columns(draw: st.DrawFn, rows: int) -> tuple[pa.Array, Cells]:
    if draw(st.booleans()):
        return draw(text_columns(rows, VALUES))
    scale = draw(st.sampled_from([0, 3, 12, 13, 20]))
    kind, numbers = draw(
        st.sampled_from(
            [
                (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
                (pa.uint64(), st.integers(0, 2**64 - 1)),
                (pa.int8(), st.integers(-128, 127)),
                (pa.decimal128(38, scale), exact_numbers(38, scale)),
                (pa.decimal256(76, scale), exact_numbers(76, scale)),
            ]
        )
    )
    cells = draw(st.lists(st.none() | numbers, min_size=rows, max_size=rows))
    return pa.array(cells, kind), cells


def exact_numbers(digits: int, scale: int) -> st.SearchStrategy[Decimal]:
    few = st.integers(-(10**6), 10**6)
    many = st.integers(-(10**digits) + 1, 10**digits - 1)
    return st.builds(
        lambda unscaled: Decimal(
            (unscaled < 0, tuple(int(digit) for digit in str(abs(unscaled))), -scale)
        ),
        few | many,
    )


@st.composite
def timestamp_columns(draw: st.DrawFn, rows: int) -> tuple[pa.Array, Cells]:
    if draw(st.booleans()):
        return draw(text_columns(rows, TIMESTAMP_TEXTS))
    instants = st.none() | st.sampled_from(INSTANTS)
    cells = draw(st.lists(instants, min_size=rows, max_size=rows))
    zone = draw(st.sampled_from([None, "UTC", "+05:30", "America/St_Johns"]))
    kind = draw(st.sampled_from(["s", "ms", "us", "ns", "date", "seconds"]))
    if kind == "date":
        days = [each and each.date() for each in cells]
        return pa.array(days, pa.date32()), days
    if kind == "seconds":
        seconds = [each and int(each.timestamp()) for each in cells]
        return pa.array(seconds, pa.int64()), seconds
    coarse = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 1}[kind]
    cells = [
        each and each - timedelta(microseconds=each.microsecond % coarse)
        for each in cells
        if kind != "ns" or each is None or 1678 <= each.year < 2262
    ]
    cells += [None] * (rows - len(cells))
    column = pa.array(cells, pa.timestamp("us", "UTC")).cast(pa.timestamp(kind, zone))
    if zone is None:
        cells = [each and each.replace(tzinfo=None) for each in cells]
    return column, cells


def as_texts(cells: Cells, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(cells, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(cells, kind)


PAYLOAD_KEYS = ("stripe_customer_id", "value", "account", "größe", "model")
LABEL_NAMES = ("model", "account", "größe", "k" * 101)
UNUSUAL_KEYS = ("k" * 100, "k" * 101, "nul\0", "", "Model")


@st.composite
def payload_columns(draw: st.DrawFn, rows: int) -> dict[str, tuple[pa.Array, Cells]]:
    """A column for each payload key, the usual ones among them."""
    keys = draw(
        st.lists(st.sampled_from(PAYLOAD_KEYS + UNUSUAL_KEYS), unique=True, max_size=3)
    )
    return {
        key: draw(
            value_columns(rows)
            if key in {"value", "größe"}
            else text_columns(rows, CUSTOMERS)
        )
        for key in dict.fromkeys(["stripe_customer_id", "value", *keys])
    }


@st.composite
def map_columns(draw: st.DrawFn, rows: int) -> tuple[pa.Array, Cells]:
    """Maps, their keys in any order and at times repeated."""
    pairs = st.one_of(
        st.tuples(st.sampled_from(["value", "größe"]), some(VALUES)),
        st.tuples(
            st.sampled_from(["stripe_customer_id", "account", "model", *UNUSUAL_KEYS]),
            some(CUSTOMERS),
        ),
    )
    usual = st.builds(
        lambda value, customer: [("value", value), ("stripe_customer_id", customer)],
        some(VALUES[:3]),
        some(CUSTOMERS[:3]),
    )
    maps = st.none() | usual | usual | st.lists(pairs, max_size=4)
    cells = draw(st.lists(maps, min_size=rows, max_size=rows))
    kind = draw(st.sampled_from(TEXTS))
    return pa.array(cells, pa.map_(kind, kind)), [as_mapping(cell) for cell in cells]


def as_mapping(pairs: list[tuple[str, str | None]] | None) -> object:
    """As a dict, or as what is no mapping: nothing, and keys that repeat."""
    mapping = dict(pairs or ())
    is_mapping = pairs is not None and len(mapping) == len(pairs)
    return mapping if is_mapping else pairs or []


@dataclass
class BatchInTheMaking:
    rows: int
    arrays: dict[str, pa.Array]
    dicts: list[dict[str, Any]]

    def add(self, name: str, column: tuple[pa.Array, Cells]) -> None:
        array, cells = column
        self.arrays[name] = array
        for row, cell in zip(self.dicts, cells, strict=True):
            if cell is not None:
                row[name] = cell

    def finish(self, draw: st.DrawFn, columns: Columns) -> Batch:
        event(f"{self.rows} rows of {', '.join(sorted(self.arrays))}"[:60])
        times = self.arrays.get("timestamp", pa.nulls(0))
        kind = times.type
        is_local = pa.types.is_date(kind) or (
            pa.types.is_timestamp(kind) and not kind.tz
        )
        zones = [*([] if is_local else [None]), "UTC", "Europe/Berlin"]
        options = {
            "backfill": draw(st.booleans()),
            # A source without any time would be refused as a whole.
            "now": draw(st.booleans()) or times.null_count == len(times),
            "timestamp_unit": draw(st.sampled_from(["s", "s", "ms"])),
            "timezone": draw(st.sampled_from(zones)),
        }
        return Batch(pa.table(self.arrays), self.dicts, columns, options)


@st.composite
def beginnings(draw: st.DrawFn) -> BatchInTheMaking:
    """A batch with all of its columns but those of the payload."""
    rows = draw(st.integers(1, 8))
    batch = BatchInTheMaking(rows, {}, [{} for _ in range(rows)])
    batch.add("event_name", draw(text_columns(rows, (*EVENT_NAMES, *WEIRD_TEXTS))))
    if draw(st.booleans()):
        batch.add("identifier", draw(text_columns(rows, IDENTIFIERS)))
    if draw(st.booleans()):
        batch.add("timestamp", draw(timestamp_columns(rows)))
    return batch


@st.composite
def flat_batches(draw: st.DrawFn) -> Batch:
    batch, columns = draw(beginnings()), Columns()
    for name, column in draw(payload_columns(batch.rows)).items():
        batch.add(name, column)
    if draw(st.booleans()):
        batch.add("who", draw(text_columns(batch.rows, CUSTOMERS)))
        batch.add("how much", draw(value_columns(batch.rows)))
        names: list[str | Constant] = ["event_name", Constant("tokens")]
        columns = Columns(
            event_name=draw(st.sampled_from(names)),
            customer=draw(st.sampled_from([None, "who", Constant("cus_9")])),
            value=draw(st.sampled_from([None, "how much", Constant("7")])),
            payload_keys=draw(st.sampled_from([None, (), ("value", "who")])),
        )
    return batch.finish(draw, columns)


LABELS: tuple[tuple[pa.DataType, tuple[object, ...]], ...] = (
    (pa.bool_(), (True, False)),
    (pa.float64(), (0.1, 200.0, -0.0, 1e-7, 1e22, 5e-324, float("nan"), float("inf"))),
    (pa.decimal128(9, 3), (Decimal("1.500"), Decimal("-0.001"), Decimal("0.000"))),
    (pa.date32(), (date(1970, 1, 1), date(9999, 12, 31))),
    (pa.timestamp("us", "UTC"), INSTANTS),
    (pa.duration("us"), (timedelta(0), timedelta(microseconds=-1), timedelta(days=9))),
    (pa.binary(), (b"", b"bytes")),
    (pa.list_(pa.float64()), ([], [0.1, None, 1e22], [float("nan")], [1.0] * 126)),
    (pa.list_(pa.binary()), ([], [None], [b"bytes"])),
    (
        pa.struct([("b", pa.string()), ("a", pa.list_(pa.bool_()))]),
        (
            {"b": None, "a": None},
            {"b": 'é "\n\0', "a": [True, None]},
            {"b": "x" * 501, "a": []},
        ),
    ),
)


@st.composite
def label_columns(draw: st.DrawFn, rows: int) -> tuple[pa.Array, Cells]:
    """A column of any type, as what lies beside the usage has."""
    kind, values = draw(st.sampled_from(LABELS))
    cells = draw(
        st.lists(st.none() | st.sampled_from(values), min_size=rows, max_size=rows)
    )
    return pa.array(cells, kind), cells


@st.composite
def label_batches(draw: st.DrawFn) -> Batch:
    batch = draw(beginnings())
    batch.add("stripe_customer_id", draw(text_columns(batch.rows, CUSTOMERS)))
    batch.add("value", draw(value_columns(batch.rows)))
    for name in draw(st.lists(st.sampled_from(LABEL_NAMES), unique=True, min_size=1)):
        batch.add(name, draw(label_columns(batch.rows)))
    return batch.finish(draw, Columns())


@st.composite
def map_batches(draw: st.DrawFn) -> Batch:
    batch = draw(beginnings())
    batch.add("payload", draw(map_columns(batch.rows)))
    return batch.finish(draw, Columns())


@st.composite
def struct_batches(draw: st.DrawFn) -> Batch:
    batch = draw(beginnings())
    fields = draw(payload_columns(batch.rows))
    arrays = [array for array, _ in fields.values()]
    payloads: Cells = [
        {
            key: cells[row]
            for key, (_, cells) in fields.items()
            if cells[row] is not None
        }
        for row in range(batch.rows)
    ]
    batch.add("payload", (pa.StructArray.from_arrays(arrays, [*fields]), payloads))
    return batch.finish(draw, Columns())


@st.composite
def json_batches(draw: st.DrawFn) -> Batch:
    batch = draw(beginnings())
    array, cells = draw(text_columns(batch.rows, JSON_TEXTS))
    batch.add("payload", (array, ["" if cell is None else cell for cell in cells]))
    return batch.finish(draw, Columns())
