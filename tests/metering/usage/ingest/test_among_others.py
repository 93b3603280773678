"""A bulk ingest commits little at a time while other processes record events, too."""

from itertools import pairwise

import pyarrow as pa

import metering
from metering.usage.ingest.bounds.limits import ROWS_PER_PIECE
from metering.usage.ingest.ingestion import ROWS_AMONG_OTHERS
from tests.conftest import Connect
from tests.metering.usual_usage import create_event, create_meter

PIECES = 5
ROWS = PIECES * ROWS_PER_PIECE


def usage() -> pa.Table:
    return pa.table(
        {
            "event_name": pa.array(["tokens"] * ROWS),
            "identifier": pa.array([f"row {number}" for number in range(ROWS)]),
            "stripe_customer_id": pa.array(["cus_1"] * ROWS),
            "value": pa.array(["1"] * ROWS),
        }
    )


def test_single_events_come_between_small_commits(connect: Connect) -> None:
    store, other = connect(), connect()
    create_meter(store)
    positions = list[int]()

    def send(_: metering.IngestProgress) -> None:
        event = create_event(other, identifier=f"single {len(positions)}")
        positions.append(event.position)

    receipt = store.meter_events.ingest(usage(), progress=send, now=True)

    assert (receipt.accepted, receipt.duplicates) == (ROWS, 0)
    assert store.position == 1 + ROWS + len(positions)
    between = [later - earlier - 1 for earlier, later in pairwise(positions)]
    # One commit has met another process when the next pieces are prepared already.
    assert between[:3] == [ROWS_PER_PIECE] * 3
    assert max(between[3:]) == ROWS_AMONG_OTHERS
    assert store.verify().ok


def test_commits_are_small_at_once_where_another_process_has_just_recorded(
    connect: Connect,
) -> None:
    store, other = connect(), connect()
    create_meter(store)
    create_event(other, identifier="just now")
    positions: list[int] = []

    store.meter_events.ingest(
        usage(), progress=lambda _: positions.append(store.position), now=True
    )

    assert positions[:2] == [2 + ROWS_AMONG_OTHERS, 2 + 2 * ROWS_AMONG_OTHERS]


def test_an_ingest_alone_commits_whole_pieces(connect: Connect) -> None:
    store = connect()
    create_meter(store)
    positions = list[int]()

    store.meter_events.ingest(
        usage(), progress=lambda _: positions.append(store.position), now=True
    )

    assert positions == [1 + ROWS_PER_PIECE * piece for piece in range(1, PIECES + 1)]
