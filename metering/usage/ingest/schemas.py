"""Which columns a source may have: a type that holds no usage is refused as a whole.

A column beside the usage may be of any type. Of the columns that hold usage, those that
were named are known at once, and those that only a meter names once the meters are.
"""

from collections.abc import Iterator

import pyarrow as pa

from ledger.facts.meters import MeterStatus
from metering.arguments.arrow_types import (
    is_payload,
    is_time,
    is_value,
    is_word,
    require_type,
)
from metering.usage.ingest.layout import Columns, Constant, check_names, named_columns
from projections.kernels.meters import MeterDefinition
from projections.meters.catalog import Definitions

_HINT = "give strings or numbers"


def check_schema(schema: pa.Schema, columns: Columns) -> None:
    """Check the columns that are named.

    Raises:
        SourceError: one is absent, occurs twice, or is of a type that cannot hold what it
            is for.
    """
    check_names(columns, schema.names)
    for field in schema:
        if field.name == columns.timestamp:
            hint = "give a timestamp, a date, whole seconds since 1970 or a string"
            require_type(field, "timestamps", is_time, hint)
        elif field.name == columns.payload:
            hint = "give a map with names that are strings, a struct or JSON"
            require_type(field, "payloads", is_payload, hint)
        elif field.name in (columns.event_name, columns.identifier, columns.customer):
            require_type(field, "names", is_word, "give strings or integers")
        elif field.name == columns.value:
            require_type(field, "values", is_value, _HINT)


def check_fit(schema: pa.Schema, columns: Columns, definitions: Definitions) -> None:
    """Check the payload's columns for the customer and the value of every meter.

    A column that only some meters look into says nothing of the rows of others. It is
    judged row by row.

    Raises:
        SourceError: a type cannot hold what every meter looks for.
    """
    customers, values = _keys_of_all(columns, definitions)
    for name, field in _payload_fields(schema, columns):
        if columns.customer is None and (name is None or name in customers):
            require_type(field, "customers", is_value, _HINT)
        if columns.value is None and name in values:
            require_type(field, "payload values", is_value, _HINT)


def _keys_of_all(
    columns: Columns, definitions: Definitions
) -> tuple[set[str], set[str]]:
    """Return where all meters that rows may be of look for customers, and for values."""
    meters = [
        meter
        for meter in definitions.by_event_name.values()
        if meter.status is MeterStatus.ACTIVE and _may_be_of(meter, columns.event_name)
    ]
    if not meters:
        return set(), set()
    customers = {meter.customer_payload_key for meter in meters}
    values = {
        meter.value_payload_key if meter.needs_value or meter.needs_string else None
        for meter in meters
    }
    return (
        customers if len(customers) == 1 else set(),
        {key for key in values if key is not None} if len(values) == 1 else set(),
    )


def _may_be_of(meter: MeterDefinition, event_name: str | Constant) -> bool:
    return isinstance(event_name, str) or event_name.text == meter.event_name


def _payload_fields(
    schema: pa.Schema, columns: Columns
) -> Iterator[tuple[str | None, pa.Field]]:
    """Return the payload's columns, each with its key; None is any key."""
    if columns.payload not in schema.names:
        named, kept = named_columns(columns), columns.payload_keys
        for field in schema:
            if field.name not in named and (kept is None or field.name in kept):
                yield field.name, field
        return
    field = schema.field(columns.payload)
    if pa.types.is_struct(field.type):
        for each in field.type:
            yield each.name, each.with_name(field.name)
    elif pa.types.is_map(field.type):
        yield None, pa.field(field.name, field.type.item_type)
