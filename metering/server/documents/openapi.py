"""OpenAPI: the routes as a document that clients can be generated from.

It describes parameters by the fields that routes read them with, so the two cannot
differ. Source: https://spec.openapis.org/oas/v3.1.0
"""

from collections.abc import Iterator, Sequence
from typing import Any

from metering.arguments.kinds import (
    ChoiceKind,
    EitherKind,
    Fields,
    Kind,
    ListKind,
    MappingKind,
    ObjectKind,
    RequestField,
)
from metering.arguments.schema import ELEMENTS_MAX
from metering.server.api.error_responses import MEANINGS
from metering.server.api.expansion import ITEM
from metering.server.api.routes import Route
from metering.server.api.service import LONGEST_IDEMPOTENCY_KEY
from metering.server.documents.open_routes import OpenRoute
from metering.server.grammar.cloud_events import ATTRIBUTES, HEADER_PREFIX
from metering.server.grammar.dialects import ErrorShape
from metering.server.grammar.leaves import Leaf, leaves_of
from metering.server.grammar.media_types import FORM, JSON
from metering.server.grammar.schemas import Schema, schema_of_all
from metering.usage.requests import POSITION_MAX
from metering.webhooks.resources import API_VERSION

Node = dict[str, Any]
"""A part of the document."""

_TYPES = ("api_error", "idempotency_error", "invalid_request_error")
_V2_TYPES = (*_TYPES, "rate_limit", "temporary_session_expired")
_NESTED: Node = {"style": "deepObject", "explode": True}
_TEXT: Schema = {"type": "string"}
_SECURITY_SCHEMES: Node = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key. The roles are the scopes that a restricted key needs.",
    },
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "An API key as the user name, without a password.",
    },
    "session": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of a meter event session. It opens the stream alone.",
    },
}


def _object(properties: Schema, needed: Sequence[str] | None = None) -> Schema:
    """Return the schema of an object; without `needed` all that it has is."""
    required = list(properties if needed is None else needed)
    return {"type": "object", "properties": properties, "required": required}


_LIST = _object(
    {
        "object": {"const": "list"},
        "data": {"type": "array", "items": {"type": "object"}},
        "has_more": {"type": "boolean"},
        "url": _TEXT,
    }
)
_STATUS = _object({"status": {"enum": ["ok", "unavailable"]}})
_PARAMETERS: Node = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A retry under the same key has no second effect.",
        "schema": {"type": "string", "maxLength": LONGEST_IDEMPOTENCY_KEY},
    },
    "MinPosition": {
        "name": "Metering-Min-Position",
        "in": "header",
        "description": "Wait until the log has reached this position.",
        "schema": {"type": "integer", "minimum": 0, "maximum": POSITION_MAX},
    },
}
_HEADERS: Node = {
    "AcceptEncoding": {
        "description": "How the body may be compressed, where that was wrong.",
        "schema": _TEXT,
    },
    "Position": {
        "description": "The position of the log that the response is current to.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RequestId": {
        "description": "Identifies the request in the server's log.",
        "schema": _TEXT,
    },
    "RetryAfter": {
        "description": "Seconds to wait before the request is sent again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "ShouldRetry": {
        "description": "Whether the same request may succeed later.",
        "schema": {"enum": ["true", "false"]},
    },
}


def document_of(routes: Sequence[Route], open_routes: Sequence[OpenRoute]) -> Node:
    """Return the document of the routes that need a key, and of those that do not."""
    paths: dict[str, Node] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    for each in open_routes:
        paths.setdefault(each.path, {})["get"] = _open_operation(each)
    tags = sorted({_resource_of(path) for path in paths})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "metering",
            "version": API_VERSION,
            "description": "Usage metering that speaks Stripe's billing API.",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": each} for each in tags],
        "paths": paths,
        "components": {
            "headers": _HEADERS,
            "parameters": _PARAMETERS,
            "responses": dict(_failed_responses()),
            "schemas": {
                ErrorShape.V1.value: _error(
                    _TYPES, needed=[], others=["code", "param"]
                ),
                ErrorShape.V2.value: _error(
                    _V2_TYPES, needed=["code"], others=["doc_url"]
                ),
                "List": _LIST,
                "Status": _STATUS,
            },
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _resource_of(path: str) -> str:
    """Return the name of the resource at a path, with what is done to it."""
    words = path.partition("/{")[0].strip("/")
    return words.replace("/", " ").replace("_", " ") if "/" in words else "server"


def taken_by(route: Route) -> Fields:
    """Return what a route takes, with `expand` where something can be expanded."""
    if not route.expansions:
        return route.fields
    prefix = f"{ITEM}." if route.is_list else ""
    words = tuple(f"{prefix}{each}" for each in route.expansions)
    paths = ListKind(kind=ChoiceKind(words=words), most=ELEMENTS_MAX)
    return {**route.fields, "expand": RequestField(kind=paths)}


def _operation(route: Route) -> Node:
    parameters = [
        *(_path_parameter(name) for name in _names_in(route.path)),
        _reference("parameters", "MinPosition"),
    ]
    if route.until_version is not None:
        parameters.append(_version_parameter(route.until_version))
    operation: Node = {
        "operationId": _operation_id(route.method, route.path),
        "tags": [_resource_of(route.path)],
        "summary": route.summary,
        "security": _security(route),
        "parameters": parameters,
        "responses": _responses(route),
    }
    if route.method == "POST":
        parameters.append(_reference("parameters", "IdempotencyKey"))
        operation["requestBody"] = _request_body(route)
    if route.method != "POST" or route.rows is not None:
        parameters += map(_query_parameter, leaves_of(taken_by(route)))
    if route.rows is not None and route.rows.takes_binary_mode:
        parameters += map(_attribute_parameter, ATTRIBUTES)
    return operation


def _open_operation(route: OpenRoute) -> Node:
    schema = _reference("schemas", "Status") if route.needs_store else {}
    content = {route.media_type.partition(";")[0]: {"schema": schema}}
    responses: Node = {"200": {"description": "Ready.", "content": content}}
    if route.needs_store:
        responses["503"] = {"description": "Not ready.", "content": content}
    return {
        "operationId": _operation_id("GET", route.path),
        "tags": [_resource_of(route.path)],
        "summary": route.summary,
        "security": [],
        "responses": responses,
    }


def _operation_id(method: str, path: str) -> str:
    words = path.replace("{", "").replace("}", "").replace(".", "_").split("/")
    named = "".join(each.title() for word in words for each in word.split("_"))
    return f"{method.title()}{named or 'Page'}"


def _security(route: Route) -> list[Node]:
    if route.credential == "session":
        return [{"session": []}]
    return [{"bearer": [route.scope]}, {"basic": [route.scope]}]


def _names_in(path: str) -> list[str]:
    return [each.partition("}")[0] for each in path.split("{")[1:]]


def _path_parameter(name: str) -> Node:
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameter(leaf: Leaf) -> Node:
    schema: Schema = leaf.schema
    is_keyed = schema.get("type") == "object"
    if leaf.is_repeated:
        schema = {"type": "array", "items": schema}
    parameter: Node = {
        "name": leaf.name,
        "in": "query",
        "required": leaf.is_always_required and not leaf.is_repeated,
        "schema": schema,
    }
    if is_keyed:
        parameter |= _NESTED
    if leaf.is_required and leaf.parent:
        parameter["description"] = f"Required where {leaf.parent} is given."
    return parameter


def _version_parameter(until: str) -> Node:
    return {
        "name": "Stripe-Version",
        "in": "header",
        "required": True,
        "description": f"A version of Stripe's API before {until}.",
        "schema": {"enum": ["2025-02-24.acacia"]},
    }


def _attribute_parameter(attribute: str) -> Node:
    return {
        "name": f"{HEADER_PREFIX}{attribute}",
        "in": "header",
        "description": f"Attribute of a CloudEvent whose data is a body in {JSON}.",
        "schema": _TEXT,
    }


def _request_body(route: Route) -> Node:
    """Return the bodies that a route takes, by their media types."""
    if route.rows is not None:
        # Bytes: JSON Schema cannot describe what they hold.
        binary_mode = [JSON] if route.rows.takes_binary_mode else []
        content: Node = {each: {} for each in (*route.rows.media_types, *binary_mode)}
        return {"required": True, "content": content}
    parameters = taken_by(route)
    schema = schema_of_all(parameters)
    return {
        "required": any(each.is_required for each in parameters.values()),
        "content": {
            media_type: _form(schema, parameters)
            if media_type == FORM
            else {"schema": schema}
            for media_type in route.dialect.body_types
        },
    }


def _form(schema: Schema, parameters: Fields) -> Node:
    """Return the schema of a form, whose nested fields are named in brackets."""
    nested = [name for name, each in parameters.items() if _is_nested(each.kind)]
    return {"schema": schema, "encoding": dict.fromkeys(nested, _NESTED)}


def _is_nested(kind: Kind) -> bool:
    return isinstance(kind, ObjectKind | ListKind | MappingKind | EitherKind)


def _responses(route: Route) -> Node:
    schema = _reference("schemas", "List") if route.is_list else {"type": "object"}
    media_types = [each.partition(";")[0] for each in route.answers_in]
    well = {
        "description": "Done.",
        "headers": {
            "Metering-Position": _reference("headers", "Position"),
            "Request-Id": _reference("headers", "RequestId"),
        },
        "content": {
            each: {"schema": schema} if each == JSON else {} for each in media_types
        },
    }
    can_be = {
        403: route.credential == "key",
        404: "{" in route.path,
    }
    statuses = [each for each in MEANINGS if can_be.get(each, True)]
    shape = route.dialect.errors
    return {
        "200": well,
        **{
            str(each): _reference("responses", _failed(shape, each))
            for each in statuses
        },
    }


def _failed(shape: ErrorShape, status: int) -> str:
    return f"{shape.value}With{status}"


def _failed_responses() -> Iterator[tuple[str, Node]]:
    for status, meaning in MEANINGS.items():
        headers = {
            "Request-Id": _reference("headers", "RequestId"),
            "Stripe-Should-Retry": _reference("headers", "ShouldRetry"),
        }
        if status in {429, 503}:
            headers["Retry-After"] = _reference("headers", "RetryAfter")
        elif status == 415:
            headers["Accept-Encoding"] = _reference("headers", "AcceptEncoding")
        for shape in ErrorShape:
            content = {JSON: {"schema": _reference("schemas", shape.value)}}
            response = {"description": meaning, "headers": headers, "content": content}
            yield _failed(shape, status), response


def _error(types: Sequence[str], *, needed: list[str], others: list[str]) -> Schema:
    fields = {
        "type": {"enum": list(types)},
        "message": _TEXT,
        **dict.fromkeys([*needed, *others], _TEXT),
    }
    error = _object(fields, ["type", "message", *needed])
    closed = {"additionalProperties": False}
    return _object({"error": error | closed}) | closed


def _reference(kind: str, name: str) -> Node:
    return {"$ref": f"#/components/{kind}/{name}"}
