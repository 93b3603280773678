"""Payload keys: under which keys the events of some names have strings."""

from collections.abc import Collection, Iterator

import pyarrow as pa

from ledger.usage.arrow import compute as pc
from projections.scans.recorded import RecordedEvents

_COLUMNS = ["event_name", "payload"]


def payload_keys(
    recorded: RecordedEvents, event_names: Collection[str], wanted: Collection[str]
) -> set[str] | None:
    """Find the payload keys of events, the latest first, until all wanted ones are seen.

    Returns:
        All keys, or some with all that are wanted; None where there is no event.

    Raises:
        SegmentStoreError: a segment cannot be read.
    """
    names = pa.array(sorted(event_names), pa.string())
    found: set[str] | None = None
    for table in _latest_first(recorded):
        is_named = pc.is_in(table.column("event_name").cast(pa.string()), names)
        for payloads in table.column("payload").filter(is_named).chunks:
            if len(payloads):
                found = (found or set()) | set(pc.unique(payloads.keys).to_pylist())
        if found is not None and found.issuperset(wanted):
            break
    return found


def _latest_first(recorded: RecordedEvents) -> Iterator[pa.Table]:
    yield recorded.tail.select(_COLUMNS)
    for segment in reversed(recorded.segments):
        yield recorded.reader.table(segment, _COLUMNS)
