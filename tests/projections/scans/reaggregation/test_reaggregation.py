"""Re-aggregation agrees with a naive oracle, however events are cut and worked on."""

import pickle
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import event as note
from hypothesis import given
from hypothesis import strategies as st

from projections.scans.reaggregation.errors import (
    ReaggregationError,
    ValueUnreadableError,
)
from projections.scans.reaggregation.partial import combine, partial
from tests.projections.scans.reaggregation.asking import question_of
from tests.projections.scans.reaggregation.drawing import questions
from tests.projections.scans.reaggregation.naive import (
    Asked,
    Event,
    NoAnswer,
    recompute,
)
from tests.projections.scans.reaggregation.segments import table_of, write_segment


def answer(
    asked: Asked, parts: Sequence[Sequence[str] | pa.Table], *, threads: int = 1
) -> pa.Table:
    question = pickle.loads(pickle.dumps(question_of(asked)))
    cancelled = np.array(sorted(asked.cancelled, reverse=True), np.int64)
    partials = [partial(question, part, cancelled, threads=threads) for part in parts]
    partials = pickle.loads(pickle.dumps(partials))
    return combine(question, partials, threads=threads)


def rows_of(answer: pa.Table) -> list[tuple[object, ...]]:
    return list(zip(*(column.to_pylist() for column in answer.columns), strict=True))


def bytes_of(answer: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, answer.schema) as writer:
        writer.write_table(answer)
    return bytes(sink.getvalue().to_pybytes())


def is_expected(error: ReaggregationError, expected: NoAnswer) -> bool:
    """Either is right where there are both kinds."""
    if isinstance(error, ValueUnreadableError):
        return error.position in expected.unreadable
    return expected.is_too_large


@given(questions(), st.data())
def test_answers_agree_with_the_oracle_however_events_are_cut(
    drawn: tuple[Asked, list[Event]], data: st.DataObject
) -> None:
    """Partials may be of files or tables, in any order; threads do not matter."""
    asked, events = drawn
    cut = [data.draw(st.integers(0, 3)) for _ in events]
    pieces = [
        [each for each, at in zip(events, cut, strict=True) if at == piece]
        for piece in range(4)
    ]
    with tempfile.TemporaryDirectory() as directory:
        files = [
            write_segment(piece, Path(directory) / f"{at}.parquet")
            for at, piece in enumerate(pieces[:3])
        ]
        parts: list[Sequence[str] | pa.Table] = [files[:1], files[1:]]
        parts.insert(data.draw(st.integers(0, 2)), table_of(pieces[3]))
        threads = data.draw(st.sampled_from([1, 2]))

        expected = recompute(asked, events)
        if isinstance(expected, NoAnswer):
            note("no answer")
            with pytest.raises(ReaggregationError) as raised:
                answer(asked, parts, threads=threads)
            assert is_expected(raised.value, expected)
            return
        found = answer(asked, parts, threads=threads)
        whole = answer(asked, [table_of(events)])

    note("some rows" if expected else "no rows")
    assert rows_of(found) == expected
    assert bytes_of(found) == bytes_of(whole)
