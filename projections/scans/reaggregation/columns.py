"""Columns of partials: what a row says of some events of one measure.

event_name          of which measure it is; in queries its rank, which sorts by the meter's id
customer
dimension_0 …       null where an event lacks the key
window_number       see `Question.stretches`
content             what unique counts count
event_count
total               the sum; or, where that has too many digits, both of
whole, part         its integer, and the rest
value               the least, the greatest, or that of the last event
moment              of the last event: its timestamp times 2**64, and its position

Of a pre-aggregated measure a row is a candidate: the event with the greatest position of
a customer and UTC window, which may still be unwanted.

position, instant   of the event
is_wanted           whether it lies in time and passes the filters
number, content     what the formula works on
"""

import pyarrow as pa

from ledger.facts.meters import Formula
from ledger.usage.columns import WORD
from ledger.usage.quantities import QUANTITY
from projections.scans.reaggregation.expressions import dimension_columns
from projections.scans.reaggregation.question import Measure, Question

_WHOLE = pa.decimal128(38, 0)
_NUMBERS = {
    "window_number": pa.int64(),
    "content": pa.string(),
    "event_count": pa.int64(),
    "total": QUANTITY,
    "whole": _WHOLE,
    "part": QUANTITY,
    "value": QUANTITY,
    "moment": _WHOLE,
    "position": pa.int64(),
    "instant": pa.int64(),
    "is_wanted": pa.bool_(),
    "number": QUANTITY,
}
_OF_FORMULA: dict[Formula, tuple[str, ...]] = {
    Formula.COUNT: (),
    Formula.UNIQUE_COUNT: ("content",),
    Formula.SUM: ("total",),
    Formula.AVG: ("total",),
    Formula.MIN: ("value",),
    Formula.MAX: ("value",),
    Formula.LAST: ("value", "moment"),
}


def content_of(measure: Measure) -> tuple[str, ...]:
    """Return the column that the formula works on; a count of events needs none."""
    if measure.payload_key is not None or measure.formula is Formula.UNIQUE_COUNT:
        return ("content",)
    return () if measure.formula is Formula.COUNT else ("number",)


def partial_schema(question: Question) -> pa.Schema:
    """Return the columns that partials may have."""
    # Each customer once: less to send, and numbers to group by in place of strings.
    words = [("event_name", WORD), ("customer", WORD)]
    strings = [(name, pa.string()) for name in dimension_columns(question.dimensions)]
    return pa.schema([*words, *strings, *_NUMBERS.items()])


def combined_schema(question: Question, *, is_split: bool) -> pa.Schema:
    """Return those of the columns that are combined.

    Args:
        question: what is asked.
        is_split: whether sums are in two parts.
    """
    names = {"event_name", "customer", *dimension_columns(question.dimensions)}
    names |= {"whole", "part"} if is_split else set()
    for measure in question.measures:
        if measure.is_preaggregated:
            names.update(("position", "instant", "is_wanted", *content_of(measure)))
        else:
            names.update(
                ("window_number", "event_count", *_OF_FORMULA[measure.formula])
            )
    return pa.schema([each for each in partial_schema(question) if each.name in names])
