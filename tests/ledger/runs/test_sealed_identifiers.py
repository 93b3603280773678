"""Identifiers of the sealed log are found whatever becomes of the runs' files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ledger.runs.files import runs_in
from ledger.runs.identifiers import SealedIdentifiers
from ledger.segments.entry import Segment
from ledger.segments.reader import SegmentReader
from ledger.segments.sealed import Sealed
from ledger.usage.columns import TIMESTAMP
from tests.ledger.runs.catalogs import catalog

SEGMENTS = catalog(*[10] * 10)


class Tables(SegmentReader):
    """Segments in memory, in which an event's identifier hash is its position."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def table(self, segment: Segment, columns: Sequence[str]) -> pa.Table:
        self.read.append(segment.name)
        positions = np.arange(segment.up_to, segment.after, -1)
        table = pa.table(
            {
                "position": positions,
                "identifier_hash": positions.astype(np.uint64),
                "content_hash": positions.astype(np.uint64) + 1,
                "timestamp": pa.array(positions + 2).view(TIMESTAMP),
            }
        )
        return table.select(list(columns))


@pytest.fixture
def tables() -> Tables:
    return Tables()


def sealed(tables: Tables, runs: Path, count: int) -> Sealed:
    return Sealed(segments=tuple(SEGMENTS[:count]), reader=tables, runs=runs)


def found(identifiers: SealedIdentifiers, *hashes: int) -> list[tuple[int, ...]]:
    candidates = identifiers.find(np.array(hashes, np.uint64))
    assert candidates.is_sealed.all()
    return list(
        zip(
            candidates.rows.tolist(),
            candidates.positions.tolist(),
            candidates.content_hashes.tolist(),
            candidates.timestamps.tolist(),
            strict=True,
        )
    )


def test_identifiers_are_found_with_all_that_is_known_of_them(
    tables: Tables, tmp_path: Path
) -> None:
    identifiers = SealedIdentifiers(sealed(tables, tmp_path, 10))

    assert found(identifiers, 100, 101, 7) == [(0, 100, 101, 102), (2, 7, 8, 9)]
    assert found(identifiers, 0) == []
    assert len(found(identifiers, *range(200))) == 100


def test_nothing_is_read_before_something_is_looked_for(
    tables: Tables, tmp_path: Path
) -> None:
    identifiers = SealedIdentifiers(sealed(tables, tmp_path, 10))

    identifiers.restart(sealed(tables, tmp_path, 9))

    assert tables.read == []
    assert list(tmp_path.iterdir()) == []
    identifiers.find(np.array([1], np.uint64))
    assert len(tables.read) == 9


def test_where_nothing_is_sealed_nothing_is_found(
    tables: Tables, tmp_path: Path
) -> None:
    identifiers = SealedIdentifiers(sealed(tables, tmp_path, 0))

    identifiers.clear_runs()
    identifiers.make_runs()

    assert found(identifiers, 1, 2, 3) == []


def test_what_is_sealed_later_is_found_as_well(tables: Tables, tmp_path: Path) -> None:
    identifiers = SealedIdentifiers(sealed(tables, tmp_path, 8))
    assert found(identifiers, 80, 90) == [(0, 80, 81, 82)]
    tables.read.clear()

    identifiers.restart(sealed(tables, tmp_path, 9))

    assert found(identifiers, 80, 90) == [(0, 80, 81, 82), (1, 90, 91, 92)]
    assert tables.read == [SEGMENTS[8].name]


def test_runs_are_made_ahead_where_somebody_asks_for_it(
    tables: Tables, tmp_path: Path
) -> None:
    told = list[tuple[int, int]]()
    identifiers = SealedIdentifiers(sealed(tables, tmp_path, 9))

    identifiers.make_runs(lambda *progress: told.append(progress))

    assert told[-1] == (170, 170)
    tables.read.clear()
    assert found(identifiers, 5) == [(0, 5, 6, 7)]
    assert tables.read == []


def test_cleared_runs_are_made_anew(tables: Tables, tmp_path: Path) -> None:
    identifiers = SealedIdentifiers(sealed(tables, tmp_path, 9))
    identifiers.make_runs()

    identifiers.clear_runs()

    assert runs_in(tmp_path, "identifiers") == []
    assert found(identifiers, 5) == [(0, 5, 6, 7)]
    assert len(tables.read) == 18
