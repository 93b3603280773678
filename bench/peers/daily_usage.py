"""Usage by meter, customer and UTC day: what is right, and what a peer answered."""

import hashlib
from collections.abc import Mapping
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


def read_daily_usage(out: Path, event_names: Mapping[str, str]) -> pa.Table:
    """Read what a peer left, in types and order that compare.

    Args:
        out: What it wrote.
        event_names: By the meters' ids, which the project answers with.
    """
    with pa.OSFile(str(out)) as source:
        found = pa.ipc.open_stream(source).read_all()
    if "meter" in found.column_names:
        found = _by_event_name(found, event_names)
    return found.select(COLUMNS).cast(_SCHEMA).combine_chunks()


def digest_of(table: pa.Table) -> str:
    """Reduce a table to a few characters; equal tables, equal digests."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()[:16]


def _by_event_name(table: pa.Table, event_names: Mapping[str, str]) -> pa.Table:
    """Bring meters into the order of their event names; what is within stays as it is."""
    parts = []
    for meter, event_name in sorted(event_names.items(), key=lambda pair: pair[1]):
        part = table.filter(pc.equal(table.column("meter"), meter))
        names = pa.repeat(event_name, part.num_rows)
        parts.append(part.append_column("event_name", names))
    return pa.concat_tables(parts)
