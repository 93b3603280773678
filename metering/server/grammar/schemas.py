"""JSON Schema of requests, made of the fields that read them.

Source: https://json-schema.org/draft/2020-12, the dialect of OpenAPI 3.1.
"""

from typing import Any

from metering.arguments.kinds import (
    BooleanKind,
    ChoiceKind,
    DecimalKind,
    EitherKind,
    Fields,
    IntegerKind,
    IntegerOrWordKind,
    Kind,
    ListKind,
    MappingKind,
    ObjectKind,
    RequestField,
    StringKind,
    TimestampKind,
)
from metering.arguments.times import ZONED_TIME

Schema = dict[str, Any]

_EMPTY: Schema = {"type": "string", "maxLength": 0}
_DECIMAL_PATTERN = r"^[0-9]{1,12}(\.[0-9]{1,12})?$"
_TIME: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": f"^(?:{ZONED_TIME})$",
}


def schema_of_all(fields: Fields) -> Schema:
    """Return the schema of an object with these fields and no others."""
    schema: Schema = {
        "type": "object",
        "properties": {name: schema_of_field(each) for name, each in fields.items()},
        "additionalProperties": False,
    }
    if needed := [name for name, each in fields.items() if each.is_required]:
        schema["required"] = needed
    return schema


def schema_of_field(field: RequestField) -> Schema:
    """Return the schema of a field; an empty string takes a nullable one away."""
    schema = schema_of(field.kind)
    if field.is_nullable:
        schema = {"anyOf": [schema, _EMPTY]}
    if field.description:
        return {**schema, "description": field.description}
    return schema


def schema_of(kind: Kind) -> Schema:
    """Return the schema of a kind of values."""
    match kind:
        case ObjectKind(fields=fields):
            return schema_of_all(fields)
        case ListKind(kind=element, least=least, most=most):
            bounds = {"minItems": least, "maxItems": most}
            return {"type": "array", "items": schema_of(element), **bounds}
        case MappingKind(kind=value, key=key, most=most):
            return {
                "type": "object",
                "maxProperties": most,
                "propertyNames": {"maxLength": key.most},
                "additionalProperties": schema_of(value),
            }
        case EitherKind(single=single, nested=nested):
            return {"anyOf": [schema_of(single), schema_of(nested)]}
        case IntegerKind() | IntegerOrWordKind() | DecimalKind():
            return _schema_of_number(kind)
        case _:
            return _schema_of_single(kind)


def _schema_of_single(kind: Kind) -> Schema:
    match kind:
        case StringKind(least=least, most=most):
            return {"type": "string", "minLength": least, "maxLength": most}
        case ChoiceKind(words=words):
            return {"type": "string", "enum": list(words)}
        case BooleanKind():
            return {"type": "boolean"}
        case TimestampKind(takes_seconds=True):
            return {"anyOf": [{"type": "integer"}, _TIME]}
        case TimestampKind():
            return _TIME
        case _:
            raise AssertionError(f"nothing over HTTP is a {kind}")


def _schema_of_number(kind: IntegerKind | IntegerOrWordKind | DecimalKind) -> Schema:
    match kind:
        case IntegerKind(least=least, most=most):
            return {"type": "integer", "minimum": least, "maximum": most}
        case IntegerOrWordKind(integer=integer, words=words):
            word = {"type": "string", "enum": list(words)}
            return {"anyOf": [_schema_of_number(integer), word]}
        case DecimalKind():
            return {"type": "string", "pattern": _DECIMAL_PATTERN}
