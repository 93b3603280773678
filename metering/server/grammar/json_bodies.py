"""JSON bodies: plain values, of which v2 takes strings and the extensions whole numbers.

A number that is written with a fraction or an exponent may have lost digits on its way
here, so none is taken. Nulls are left out.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from metering.arguments.kinds import within
from metering.arguments.refusals import invalid
from metering.errors import InvalidRequestError

_DEPTH_MAX = 8


def decode_json(body: bytes, *, takes_wholes: bool = False) -> dict[str, Any]:
    """Decode a body.

    Args:
        body: as it was sent, decompressed.
        takes_wholes: whether it may hold numbers, written without a fraction and an
            exponent.

    Raises:
        InvalidRequestError: it is not a JSON object, is too deep, or holds another
            number or a boolean.
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
    return _JsonReading(takes_wholes=takes_wholes).object(found, "", _DEPTH_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class _JsonReading:
    takes_wholes: bool

    def object(self, found: dict[str, Any], path: str, depth: int) -> dict[str, Any]:
        return {
            name: self._value(value, within(path, name), depth)
            for name, value in found.items()
            if value is not None
        }

    def _value(self, value: Any, path: str, depth: int) -> Any:
        if isinstance(value, str):
            return value
        if self.takes_wholes and isinstance(value, int) and not isinstance(value, bool):
            return value
        if not depth:
            raise InvalidRequestError("Invalid request: its body is nested too deeply")
        if isinstance(value, dict):
            return self.object(value, path, depth - 1)
        if isinstance(value, list):
            return [
                self._value(each, f"{path}[{at}]", depth - 1)
                for at, each in enumerate(value)
            ]
        wanted = "a string or a whole number" if self.takes_wholes else "a string"
        raise invalid(path[:100], value, wanted)
