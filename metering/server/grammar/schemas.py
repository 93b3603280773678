"""Schemas: what the kinds of parameters take, in JSON Schema.

Source: https://json-schema.org/draft/2020-12, which OpenAPI 3.1 goes by.
"""

from typing import Any

from metering.server.grammar.parameters import (
    RFC_3339,
    Choice,
    Either,
    Flag,
    Integer,
    Items,
    KeyedBy,
    Kind,
    Moment,
    Pairs,
    Parameters,
    Shape,
    Text,
    Timestamp,
)

Schema = dict[str, Any]

_EMPTY: Schema = {"type": "string", "maxLength": 0}
_TIME: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": f"^(?:{RFC_3339})$",
}


def schema_of_all(parameters: Parameters) -> Schema:
    """Describe an object with these parameters and no others."""
    schema: Schema = {
        "type": "object",
        "properties": {name: schema_of(each.kind) for name, each in parameters.items()},
        "additionalProperties": False,
    }
    if needed := [name for name, each in parameters.items() if each.is_required]:
        schema["required"] = needed
    return schema


def schema_of(kind: Kind) -> Schema:
    """Describe the values of a kind."""
    match kind:
        case Pairs():
            schema = _schema_of_pairs(kind)
        case Shape(parameters=parameters):
            schema = schema_of_all(parameters)
        case Items(kind=element, least=least, most=most):
            bounds = {"minItems": least, "maxItems": most}
            schema = {"type": "array", "items": schema_of(element), **bounds}
        case KeyedBy(kind=value, longest_key=longest, most=most):
            schema = {
                "type": "object",
                "maxProperties": most,
                "propertyNames": {"maxLength": longest},
                "additionalProperties": schema_of(value),
            }
        case Either(text=text, tree=tree):
            schema = {"anyOf": [schema_of(text), schema_of(tree)]}
        case _:
            schema = _schema_of_one(kind)
    if isinstance(kind, Integer | Pairs) and kind.unsets:
        return {"anyOf": [schema, _EMPTY]}
    return schema


def _schema_of_one(kind: Kind) -> Schema:
    match kind:
        case Text(longest=longest, unsets=unsets):
            least = 0 if unsets else 1
            return {"type": "string", "minLength": least, "maxLength": longest}
        case Integer(least=least, most=most):
            return {"type": "integer", "minimum": least, "maximum": most}
        case Choice(words=words):
            return {"type": "string", "enum": list(words)}
        case Flag():
            return {"type": "boolean"}
        case Timestamp():
            return _TIME
        case Moment():
            return {"anyOf": [{"type": "integer"}, _TIME]}
        case _:
            raise AssertionError(f"no schema is known of {kind}")


def _schema_of_pairs(kind: Pairs) -> Schema:
    return {
        "type": "object",
        "maxProperties": kind.most,
        "propertyNames": {"maxLength": kind.longest_key},
        "additionalProperties": {"type": "string", "maxLength": kind.longest_value},
    }
