"""Usage by meter, customer and UTC day: what is right, and what a peer answered."""

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.peers.result import COLUMNS, MICROSECONDS_PER_DAY
from bench.stores.usage import usage_in_parts
from metering.cli.demo.traffic import (
    CUSTOMERS,
    END,
    EVENT_NAMES,
    START,
    Traffic,
    customer_id,
    decimals,
)

_SCHEMA: Final = pa.schema(
    [
        ("event_name", pa.string()),
        ("customer", pa.string()),
        ("window_start", pa.timestamp("us", tz="UTC")),
        ("value", pa.decimal128(38, 12)),
        ("event_count", pa.int64()),
    ]
)
_MODEL: Final = pa.field("model", pa.string())
_DAYS: Final = (END - START).days
_FIRST_DAY: Final = int(START.timestamp()) * 1_000_000 // MICROSECONDS_PER_DAY
# In the order of strings.
_NAMES: Final = sorted(EVENT_NAMES)


def expected_daily_usage(traffic: Traffic) -> pa.Table:
    """Compute what everybody must answer, from the numbers and not from a store."""
    cells = len(_NAMES) * CUSTOMERS * _DAYS
    thousandths, counts = np.zeros(cells, np.int64), np.zeros(cells, np.int64)
    ranks = np.array([_NAMES.index(name) for name in EVENT_NAMES])
    for part in usage_in_parts(traffic):
        days = part.timestamp // MICROSECONDS_PER_DAY - _FIRST_DAY
        cell = (ranks[part.meter] * CUSTOMERS + part.customer) * _DAYS + days
        # Sums of a million integers of this size are exact as floats.
        sums = np.bincount(cell, part.thousandths, cells)
        thousandths += sums.astype(np.int64)
        counts += np.bincount(cell, minlength=cells)
    used = np.flatnonzero(counts)
    series, days = np.divmod(used, _DAYS)
    names, customers = np.divmod(series, CUSTOMERS)
    starts = (days + _FIRST_DAY) * MICROSECONDS_PER_DAY
    every_customer = pa.array([customer_id(rank) for rank in range(CUSTOMERS)])
    columns = [
        pa.array(_NAMES).take(pa.array(names)),
        every_customer.take(pa.array(customers)),
        pa.array(starts).view(_SCHEMA.field("window_start").type),
        decimals(thousandths[used]).cast(_SCHEMA.field("value").type),
        pa.array(counts[used]),
    ]
    return pa.table(columns, schema=_SCHEMA)


def by_month(daily: pa.Table) -> pa.Table:
    """Add up the days, which are all of one month, that begins with the first."""
    keys = ["event_name", "customer"]
    sums = (
        daily.group_by(keys, use_threads=False)
        .aggregate([("value", "sum"), ("event_count", "sum")])
        .sort_by([(key, "ascending") for key in keys])
    )
    starts = pa.array([START] * len(sums), _SCHEMA.field("window_start").type)
    columns = [*sums.select(keys).columns, starts, *sums.select([2, 3]).columns]
    return pa.table(columns, names=list(COLUMNS)).cast(_SCHEMA).combine_chunks()


def read_daily_usage(out: Path) -> pa.Table:
    """Read what a peer left, as `comparable` gives it."""
    with pa.OSFile(str(out)) as source:
        return comparable(pa.ipc.open_stream(source).read_all())


def comparable(found: pa.Table) -> pa.Table:
    """Return an answer in types and order that compare."""
    has_model = "model" in found.column_names
    columns = [*COLUMNS[:2], "model", *COLUMNS[2:]] if has_model else list(COLUMNS)
    schema = _SCHEMA.insert(2, _MODEL) if has_model else _SCHEMA
    found = found.select(columns).cast(schema)
    # The project's is in the order of meters' ids; what is within one stays as it is.
    names = found.column("event_name")
    parts = [found.filter(pc.equal(names, name)) for name in _NAMES]
    return pa.concat_tables(parts).combine_chunks()


def digest_of(table: pa.Table) -> str:
    """Reduce a table to a few characters; equal tables, equal digests."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()[:16]
