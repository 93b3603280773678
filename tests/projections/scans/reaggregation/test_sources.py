"""Of a file only what may hold an event that counts is read, and all of that is checked."""

from collections.abc import Collection
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from ledger.errors import SegmentDamagedError, SegmentStoreUnavailableError
from ledger.segments.parts import LocalFile
from projections.scans.reaggregation.partial import answer
from projections.scans.reaggregation.question import Question
from tests.interrupting import interrupted_after, may_be_lost
from tests.projections.scans.reaggregation.asking import NONE, event, question
from tests.projections.scans.reaggregation.segments import (
    ROWS_IN_A_GROUP,
    table_of,
    write_segment,
)

CUSTOMERS = 20


class Stumbling(LocalFile, frozen=True, kw_only=True):
    """A file that is away when it is read after its first checks."""

    checks: list[str] = msgspec.field(default_factory=list)
    stumbles: int

    def check(self, columns: Collection[str]) -> None:
        here, away = Path(self.path), Path(f"{self.path}.away")
        if away.exists():
            away.rename(here)
        super().check(columns)
        self.checks.append(self.name)
        if len(self.checks) <= self.stumbles:
            here.rename(away)


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


def test_a_file_that_stumbles_once_is_read_again(file: LocalFile) -> None:
    stumbling = Stumbling(**msgspec.structs.asdict(file), stumbles=1)

    assert asked(stumbling).equals(asked(file))
    assert len(stumbling.checks) == 2


def test_a_file_that_stumbles_twice_is_asked_for_later(file: LocalFile) -> None:
    stumbling = Stumbling(**msgspec.structs.asdict(file), stumbles=2)

    with pytest.raises(
        SegmentStoreUnavailableError, match=r"segment\.parquet.*try again"
    ):
        asked(stumbling)


@may_be_lost
def test_a_long_question_can_be_interrupted() -> None:
    payload = {f"key_{at}": "yes" for at in range(100)}
    few = table_of([event(at, payload=payload) for at in range(1, 1001)])
    # To look a hundred keys up in each of ten million maps takes minutes.
    filters = {key: frozenset({"yes"}) for key in payload}

    with pytest.raises(KeyboardInterrupt), interrupted_after(0.1):
        answer(
            question(filters=filters),
            [pa.concat_tables([few] * 10_000)],
            NONE,
            threads=1,
        )

    found = answer(question(filters=filters), few, NONE, threads=1)
    assert found["event_count"].to_pylist() == [1000]
