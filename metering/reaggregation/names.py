"""Names in a question: which are keys of the payload, and which are columns.

Every event has the columns, so that a column's name never means a payload key of the
same name; that is found with `Metering.sql`.
"""

from collections.abc import Collection, Iterable

import pyarrow as pa

from metering.errors import InvalidRequestError
from projections.kernels.meters import MeterDefinition
from projections.scans.payload_keys import payload_keys
from projections.scans.reaggregation.question import RESULT_COLUMNS, Question
from projections.scans.recorded import RecordedEvents

CUSTOMER = "customer"
METER = "meter"

# Of an error, which has to be read.
_NAMED = 10
_FILTERED_BY = (CUSTOMER, METER)
_BOUNDS = "give start_time and end_time"
_POSITIONS = "give as_of"
_FILTER_ROWS = "filter the rows of the answer"
_SQL = "ask with sql"
_INSTEAD_OF_FILTER = {
    "event_name": f"filter by {METER}",
    "timestamp": _BOUNDS,
    "window_start": _BOUNDS,
    "window_end": _BOUNDS,
    "value": _FILTER_ROWS,
    "event_count": _FILTER_ROWS,
    "position": _POSITIONS,
    "recorded_at": _POSITIONS,
    "identifier": _SQL,
    "payload": "name a key of the payload",
    "cancelled": "leave it out, since cancelled events never count",
}
_INSTEAD_OF_GROUP = {
    **_INSTEAD_OF_FILTER,
    "timestamp": "give window",
}


def check_no_column(name: str, param: str) -> None:
    """Check that a filter or a dimension is no column that it cannot be.

    Raises:
        InvalidRequestError: it is one; says what to use instead.
    """
    if param == "filters":
        instead = None if name in _FILTERED_BY else _INSTEAD_OF_FILTER.get(name)
    elif name in RESULT_COLUMNS:
        instead = "read it in the result, which always has it"
    else:
        instead = _INSTEAD_OF_GROUP.get(name)
    if instead is not None:
        raise InvalidRequestError(
            f"Invalid {param}: {name!r} is a column and no key of the payload; {instead}",
            param=param,
        )


def check_payload_keys(
    meters: Iterable[MeterDefinition], param: str, keys: Iterable[str]
) -> None:
    """Check that payload keys hold neither the customer nor the value of a meter.

    Raises:
        InvalidRequestError: one does: it is a column already.
    """
    for meter in meters:
        for key in keys:
            is_value = meter.needs_value and key == meter.value_payload_key
            if key == meter.customer_payload_key or is_value:
                what = "value" if is_value else CUSTOMER
                instead = (
                    f"filter by {CUSTOMER}"
                    if param == "filters" and not is_value
                    else "name another key of the payload"
                )
                raise InvalidRequestError(
                    f"Invalid {param}: {key!r} holds the {what} of meter"
                    f" {meter.meter_id}; {instead}",
                    param=param,
                )


def check_keys_are_there(
    question: Question, recorded: RecordedEvents, answer: pa.Table
) -> None:
    """Check that some event has each key by which an answer is split or filtered.

    A key that is mistyped would answer with nothing. It is looked for where none of the
    events that count has it.

    Raises:
        InvalidRequestError: none of the meters' events has one; names those there are.
    """
    dimensions = [
        key
        for key in question.dimensions
        if answer.column(key).null_count == answer.num_rows
    ]
    filters = list(question.filters) if answer.num_rows == 0 else []
    if not dimensions and not filters:
        return
    names = sorted(measure.event_name for measure in question.measures)
    known = payload_keys(recorded, names, {*dimensions, *filters})
    if known is None:
        return
    for param, keys in (("group_by", dimensions), ("filters", filters)):
        for key in keys:
            if key not in known:
                raise InvalidRequestError(
                    f"Invalid {param}: no event of {_listed(names)} has the payload key"
                    f" {key!r}; {_alternatives(known)}",
                    param=param,
                )


def _alternatives(known: Collection[str]) -> str:
    if not known:
        return "their payloads hold nothing but customer and value"
    return f"their payloads have {_listed(sorted(known))}"


def _listed(words: Collection[str]) -> str:
    shown = [repr(word) for word in list(words)[:_NAMED]]
    more = len(words) - len(shown)
    return ", ".join([*shown, f"{more} more"] if more else shown)
