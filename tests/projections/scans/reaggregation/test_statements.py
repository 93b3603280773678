"""The statement of a question gives the oracle's answer in a DuckDB of anyone's."""

import tempfile
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from hypothesis import event as note
from hypothesis import given

from projections.scans.reaggregation.partial import combine, partial
from projections.scans.reaggregation.statement import statement_of
from tests.projections.scans.reaggregation.asking import question_of
from tests.projections.scans.reaggregation.drawing import questions
from tests.projections.scans.reaggregation.naive import (
    Asked,
    Event,
    NoAnswer,
    recompute,
)
from tests.projections.scans.reaggregation.segments import table_of, write_segment

# Less than this adds up within 38 digits in any order, few as the events are.
HARMLESS = Decimal(10**24)


@given(questions())
def test_statements_give_the_answer_of_the_oracle(
    drawn: tuple[Asked, list[Event]],
) -> None:
    """A statement gives the oracle's answer or an error, and never another answer."""
    asked, events = drawn
    question = question_of(asked)
    cancelled = np.array(sorted(asked.cancelled), np.int64)
    expected = recompute(asked, events)

    with tempfile.TemporaryDirectory(suffix="[*]'?") as directory:
        halves = [events[::2], events[1::2]]
        files = [
            write_segment(half, Path(directory) / f"{at}.parquet")
            for at, half in enumerate(halves)
        ]
        query = statement_of(question, [file.path for file in files], cancelled)
        found = answer_of(query)

    if isinstance(found, duckdb.Error):
        note("an error")
        is_large = any(abs(each.value or Decimal(0)) >= HARMLESS for each in events)
        overflows = is_large and isinstance(found, duckdb.OutOfRangeException)
        assert overflows or isinstance(expected, NoAnswer)
        return
    assert not isinstance(expected, NoAnswer)
    note("some rows" if expected else "no rows")
    part = partial(question, table_of(events), cancelled, threads=1)
    assert found.equals(combine(question, [part]))


def answer_of(query: str) -> pa.Table | duckdb.Error:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        try:
            return connection.sql(query).to_arrow_table()
        except (duckdb.OutOfRangeException, duckdb.InvalidInputException) as error:
            return error
