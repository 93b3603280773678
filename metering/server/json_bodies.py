"""JSON bodies: what a request of v2 says, as the same nested keys and texts as a form.

So both are read by the same kinds of parameters. All that v2 takes here are texts,
objects and lists; a number has no digits to lose where there is none.
"""

import msgspec

from metering.errors import InvalidRequestError
from metering.server.forms import Elements, Tree

_DEPTH_MAX = 8

_Json = str | int | float | bool | dict[str, "_Json"] | list["_Json"] | None


def decode_json(body: bytes) -> Tree:
    """Decode a body; nulls are left out.

    Raises:
        InvalidRequestError: it is no JSON object, too deep, or holds a number or a truth.
    """
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        reason = str(error)[:200] or "it is nested too deeply"
        raise InvalidRequestError(
            f"Invalid request: its body is not JSON: {reason}"
        ) from error
    if not isinstance(found, dict):
        raise InvalidRequestError("Invalid request: its body is not a JSON object")
    return _tree_of(found, "", _DEPTH_MAX)


def _tree_of(found: dict[str, _Json], path: str, depth: int) -> Tree:
    return {
        name: _node_of(value, f"{path}[{name}]" if path else name, depth)
        for name, value in found.items()
        if value is not None
    }


def _node_of(value: _Json, path: str, depth: int) -> str | Tree:
    if isinstance(value, str):
        return value
    if not depth:
        raise InvalidRequestError("Invalid request: its body is nested too deeply")
    if isinstance(value, dict):
        return _tree_of(value, path, depth - 1)
    if isinstance(value, list):
        return Elements(
            (str(at), _node_of(each, f"{path}[{at}]", depth - 1))
            for at, each in enumerate(value)
        )
    raise InvalidRequestError(
        f"Invalid {path[:100]}: expected a string, found {type(value).__name__}",
        param=path[:100],
    )
