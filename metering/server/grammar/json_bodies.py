"""JSON bodies: what a request says in one, as the same nested keys and texts as a form.

So both are read by the same kinds of parameters. All that v2 takes here are texts,
objects and lists; a number has no digits to lose where there is none. The extensions
take whole numbers as well, and those have all their digits.
"""

from dataclasses import dataclass

import msgspec

from metering.errors import InvalidRequestError
from metering.server.grammar.forms import Elements, Tree, Whole

_DEPTH_MAX = 8

_Json = str | int | float | bool | dict[str, "_Json"] | list["_Json"] | None


def decode_json(body: bytes, *, takes_wholes: bool = False) -> Tree:
    """Decode a body; nulls are left out.

    Args:
        body: as it was sent, decompressed.
        takes_wholes: whether numbers may be in it that are written without a fraction
            and an exponent.

    Raises:
        InvalidRequestError: it is no JSON object, too deep, or holds another number or
            a truth.
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
    return _Reading(takes_wholes=takes_wholes).tree(found, "", _DEPTH_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    takes_wholes: bool

    def tree(self, found: dict[str, _Json], path: str, depth: int) -> Tree:
        return {
            name: self._node(value, f"{path}[{name}]" if path else name, depth)
            for name, value in found.items()
            if value is not None
        }

    def _node(self, value: _Json, path: str, depth: int) -> str | Tree:
        if isinstance(value, str):
            return value
        if self.takes_wholes and isinstance(value, int) and not isinstance(value, bool):
            return Whole(value)
        if not depth:
            raise InvalidRequestError("Invalid request: its body is nested too deeply")
        if isinstance(value, dict):
            return self.tree(value, path, depth - 1)
        if isinstance(value, list):
            return Elements(
                (str(at), self._node(each, f"{path}[{at}]", depth - 1))
                for at, each in enumerate(value)
            )
        wanted = "a string or a whole number" if self.takes_wholes else "a string"
        raise InvalidRequestError(
            f"Invalid {path[:100]}: expected {wanted}, found {type(value).__name__}",
            param=path[:100],
        )
