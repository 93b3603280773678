"""Statements: a question as one SELECT over the plain files of segments.

Anyone can run it in a DuckDB of their own, and needs nothing of ours: it names the files,
the positions of cancelled events, and where windows begin. It gives the answer of
`combine`, or an error, and never another number: DuckDB refuses a sum that leaves 38
digits on its way, and a payload's number that it cannot read exactly is refused here.
"""

from collections.abc import Sequence

import numpy as np

from projections.scans.reaggregation.expressions import (
    files_read,
    in_stretch,
    is_among,
    named_dimensions,
    nested,
    select,
    text,
    where,
)
from projections.scans.reaggregation.queries import answer_query, order_of
from projections.scans.reaggregation.question import Question, columns_for
from projections.scans.reaggregation.sources import EventSource
from projections.windows import END

_IN_A_LINE = 8
_SINCE = "window_number * {length} + {shift}"


def statement_of(
    question: Question, files: Sequence[str], cancelled: np.ndarray
) -> str:
    """Write the SELECT that answers a question.

    Args:
        question: what is asked, of one measure at least, without spans.
        files: paths or URLs of the segments, at least one.
        cancelled: positions (int64) of events that do not count.
    """
    assert question.measures, "a meter is asked for"
    assert files, "there is a file to read"
    assert question.spans is None, "it is about all time between its bounds"
    # Whoever reads it sees the bounds, whether they leave out an event or not.
    events = _events(question, files, cancelled)
    source = EventSource(query=events, earliest=0, latest=END)
    meters = ",\n    ".join(
        f"({text(measure.meter_id)}, {text(measure.event_name)})"
        for measure in question.in_order()
    )
    stretches = question.stretches()
    since = in_stretch(stretches, _SINCE)
    until = in_stretch(stretches, f"{_SINCE} + {{length}}")
    columns = [
        "meter",
        "customer",
        *named_dimensions(question.dimensions),
        f"make_timestamptz(greatest({since}, {question.start})) AS window_start",
        f"make_timestamptz(least({until}, {question.end})) AS window_end",
        "value",
        "event_count",
        "event_name",
    ]
    return "\n".join(
        [
            select(columns),
            f"FROM {nested(answer_query(question, source, is_split=False))}",
            f"JOIN (VALUES\n    {meters}\n) AS meter (meter, event_name) ON event_name = rank",
            f"ORDER BY {order_of(question)}",
        ]
    )


def _events(question: Question, files: Sequence[str], cancelled: np.ndarray) -> str:
    """Write what reads the events that may count, of any name and time."""
    conditions = [f"position <= {question.up_to}"]
    if len(cancelled):
        known = [str(position) for position in sorted(cancelled.tolist())]
        lines = [
            ", ".join(known[at : at + _IN_A_LINE])
            for at in range(0, len(known), _IN_A_LINE)
        ]
        positions = ",\n".join(lines)
        conditions.append(f"position NOT IN {nested(positions)}")
    if question.customers is not None:
        conditions.append(is_among("customer", question.customers))
    read = f"{select(columns_for(question))}\nFROM {files_read(files)}"
    return read + where(conditions)
