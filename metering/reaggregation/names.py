"""Names in a question: which are keys of the payload, and which are columns.

Every event has the columns, so that a column's name never means a payload key of the
same name; that is found with `Metering.sql`.
"""

from collections.abc import Iterable

from metering.errors import InvalidRequestError
from projections.kernels.meters import MeterDefinition
from projections.scans.reaggregation.question import RESULT_COLUMNS

CUSTOMER = "customer"
METER = "meter"

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
