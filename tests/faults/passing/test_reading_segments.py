"""What passes is not called damage, and damage is not called what passes."""

import errno
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from werkzeug import Request, Response

import metering
from ledger.errors import SegmentDamagedError, SegmentStoreUnavailableError
from ledger.segments.entry import Segment
from ledger.segments.reader import SegmentReader
from tests.faults.copying import copied
from tests.faults.passing.faulty_segments import FaultySegments
from tests.faults.usage import (
    NOW,
    assert_holds,
    create_meter,
    expected_totals,
    open_store,
    table,
    totals,
)
from tests.object_server import Answer, ObjectServer
from tests.processes import Child, said
from tests.segment_places import segments_of

EVENTS = 300
PASSING = [errno.EIO, errno.EINTR, errno.ESTALE, errno.EMFILE, errno.ETIMEDOUT]
Read = Callable[[SegmentReader, Segment], object]
_EVER = 1 << 30


def reads_columns(reader: SegmentReader, segment: Segment) -> object:
    return reader.table(segment, ["position", "value"])


def reads_a_series(reader: SegmentReader, segment: Segment) -> object:
    return reader.where(segment, "tokens", None, (0, 1 << 62), ["position"])


def reads_a_page(reader: SegmentReader, segment: Segment) -> object:
    rows = reader.rows_where(segment, None, None, (0, 1 << 62)).rows
    return reader.at_rows(segment, rows[:10])


def reads_positions(reader: SegmentReader, segment: Segment) -> object:
    return reader.at_positions(
        segment, reader.table(segment, ["position"])[0][:5].to_numpy()
    )


def reads_commits(reader: SegmentReader, segment: Segment) -> object:
    return list(reader.commits(segment))


def reads_for_another_reader(reader: SegmentReader, segment: Segment) -> object:
    return reader.source(segment).size()


def reads_everything(reader: SegmentReader, segment: Segment) -> object:
    return reader.content(segment)


READS = [
    reads_columns,
    reads_a_series,
    reads_a_page,
    reads_positions,
    reads_commits,
    reads_for_another_reader,
    reads_everything,
]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with one segment."""
    target = str(tmp_path_factory.mktemp("sealed") / "usage")
    create_meter(target)
    with open_store(target) as store:
        store.meter_events.ingest(table(range(EVENTS)))
        store.seal()
    return target


@pytest.fixture
def segments(target: str) -> FaultySegments:
    return FaultySegments(segments_of(target))


@pytest.fixture(scope="module")
def segment(target: str) -> Segment:
    with open_store(target) as store:
        (found,) = store._engine.log.history.segments()  # noqa: SLF001  # to be read
    return found


@pytest.mark.parametrize("number", PASSING, ids=errno.errorcode.get)
@pytest.mark.parametrize("read", READS)
def test_an_error_of_the_system_is_tried_again_and_never_damage(
    segments: FaultySegments, segment: Segment, read: Read, number: int
) -> None:
    reader = SegmentReader(segments)
    reads_columns(reader, segment)

    segments.failing(number, times=1)
    read(reader, segment)
    segments.failing(number, times=_EVER)
    if read is not reads_for_another_reader:  # It reads nothing where all is checked.
        with pytest.raises(SegmentStoreUnavailableError, match=segment.name):
            read(SegmentReader(segments), segment)
    segments.failing(number, times=0)
    read(reader, segment)


@pytest.mark.parametrize("read", [reads_columns, reads_a_series, reads_commits])
def test_what_is_read_otherwise_once_is_no_damage_and_twice_is(
    segments: FaultySegments, segment: Segment, read: Read
) -> None:
    segments.flipping(times=1)
    read(SegmentReader(segments), segment)

    segments.flipping(times=_EVER)
    with pytest.raises(SegmentDamagedError, match="not what was sealed"):
        read(SegmentReader(segments), segment)


def test_a_segment_that_was_restored_is_read_by_a_process_that_saw_it_damaged(
    target: str,
) -> None:
    with copied(target) as copy, open_store(copy) as store:
        (file,) = segments_of(copy).iterdir()
        content = file.read_bytes()
        file.write_bytes(content[:-1] + b"!")
        with pytest.raises(metering.SegmentDamagedError):
            store.reaggregate()
        restored = file.with_suffix(".restored")
        restored.write_bytes(content)
        restored.replace(file)

        assert totals(store) == expected_totals(range(EVENTS))
        assert store.reaggregate().num_rows > 0


def read_without_descriptors(target: str, pipe: Connection) -> None:
    """Read while no file can be opened, and again when some can."""
    with open_store(target) as store:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            store.reaggregate()
            refusal = "none"
        except metering.MeteringError as error:
            refusal = error.code
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        pipe.send((refusal, store.reaggregate().num_rows))


@pytest.mark.slow
def test_a_process_without_descriptors_names_no_damage_and_goes_on(
    target: str, processes: ForkServerContext
) -> None:
    child = Child(processes, read_without_descriptors, target)

    ((refusal, rows),) = said(child)

    assert child.exit_code() == 0
    assert refusal in {"segment_store_unavailable", "store_unavailable"}
    assert rows > 0


@pytest.mark.slow
def test_an_object_store_that_does_not_answer_is_no_damage(
    tmp_path: Path, s3_url: str, object_server: ObjectServer
) -> None:
    target = str(tmp_path / "usage")
    create_meter(target)
    clock = metering.FixedClock(NOW)
    with metering.connect(target, clock=clock, segments=s3_url) as store:
        store.meter_events.ingest(table(range(EVENTS)))
        store.seal()

        def fail(request: Request, answer: Answer) -> Response:
            return Response(status=503) if request.method == "GET" else answer()

        with object_server.misbehaving(fail):
            for _ in range(2):
                with pytest.raises(metering.SegmentStoreUnavailableError):
                    store.reaggregate()

        assert_holds(store, range(EVENTS))
