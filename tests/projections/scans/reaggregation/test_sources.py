"""Of a file only what may hold an event that counts is read, and all of that is checked."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ledger.errors import SegmentDamagedError
from ledger.segments.parts import LocalFile
from projections.scans.reaggregation.partial import answer
from projections.scans.reaggregation.question import Question
from tests.projections.scans.reaggregation.asking import NONE, event, question
from tests.projections.scans.reaggregation.segments import (
    ROWS_IN_A_GROUP,
    write_segment,
)

CUSTOMERS = 20


@pytest.fixture
def file(tmp_path: Path) -> LocalFile:
    """A segment with a group of rows for each customer."""
    events = [
        event(at, customer=f"cus_{at // ROWS_IN_A_GROUP:02}")
        for at in range(1, CUSTOMERS * ROWS_IN_A_GROUP)
    ]
    return write_segment(events, tmp_path / "segment.parquet")


def damage(file: LocalFile, group: int, column: str) -> None:
    """Flip a bit in a column of a group of rows."""
    chunks = file.metadata.row_group(group)
    (chunk,) = (
        each
        for each in map(chunks.column, range(chunks.num_columns))
        if each.path_in_schema == column
    )
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    with Path(file.path).open("r+b") as opened:
        opened.seek(start + chunk.total_compressed_size - 1)
        (byte,) = opened.read(1)
        opened.seek(-1, 1)
        opened.write(bytes([byte ^ 1]))


def asked(file: LocalFile, **keywords: object) -> pa.Table:
    wanted: Question = question(**keywords)
    return answer(wanted, [file], NONE, threads=1)


def test_a_question_about_few_reads_only_their_groups(file: LocalFile) -> None:
    damage(file, CUSTOMERS // 2, "customer")

    found = asked(file, customers=frozenset({"cus_03"}))

    assert found["event_count"].to_pylist() == [ROWS_IN_A_GROUP]
    with pytest.raises(SegmentDamagedError, match="not what was sealed"):
        asked(file, customers=frozenset({f"cus_{CUSTOMERS // 2}"}))


@pytest.mark.parametrize("group", [0, CUSTOMERS // 2])
@pytest.mark.parametrize("column", ["event_name", "customer", "timestamp", "value"])
def test_a_question_about_many_checks_every_group(
    file: LocalFile, group: int, column: str
) -> None:
    damage(file, group, column)

    with pytest.raises(SegmentDamagedError, match="not what was sealed"):
        asked(file)


def test_columns_that_are_not_asked_for_are_not_read(file: LocalFile) -> None:
    for column in ("position", "payload.key_value.key", "identifier"):
        damage(file, CUSTOMERS // 2, column)

    assert asked(file).num_rows == CUSTOMERS


def test_positions_are_read_where_an_event_can_be_cancelled(file: LocalFile) -> None:
    cancelled = np.array([5], np.int64)
    whole = answer(question(), [file], cancelled, threads=1)

    assert sum(whole["event_count"].to_pylist()) == CUSTOMERS * ROWS_IN_A_GROUP - 2
