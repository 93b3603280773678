"""JSON bodies: plain values, of which v2 takes strings and the extensions some others.

A number that is written with a fraction or an exponent may have lost digits on its way
here, so none is taken. Nulls are left out.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from metering.arguments.kinds import within
from metering.decoding.json_parsing import (
    LONGEST_PATH,
    JsonInvalidError,
    parse_json,
)
from metering.errors import InvalidRequestError, shown


def decode_json(body: bytes, *, takes_wholes: bool = False) -> dict[str, Any]:
    """Decode a body.

    Args:
        body: as it was sent, decompressed.
        takes_wholes: whether it may hold booleans, and numbers that are written without
            a fraction and an exponent.

    Raises:
        InvalidRequestError: it is not a JSON object that `parse_json` takes, or holds
            another number or a boolean that it may not.
    """
    try:
        found = parse_json(body)
    except JsonInvalidError as error:
        raise InvalidRequestError(
            f"Invalid request: its body cannot be read as JSON: {error}",
            param=error.path,
        ) from error
    if not isinstance(found, dict):
        raise InvalidRequestError("Invalid request: its body is not a JSON object")
    return _JsonReading(takes_wholes=takes_wholes).object(found, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _JsonReading:
    takes_wholes: bool

    def object(self, found: dict[str, Any], path: str) -> dict[str, Any]:
        return {
            name: self._value(value, within(path, name)[:LONGEST_PATH])
            for name, value in found.items()
            if value is not None
        }

    def _value(self, value: Any, path: str) -> Any:
        if isinstance(value, str):
            return value
        if self.takes_wholes and isinstance(value, int):
            return value
        if isinstance(value, dict):
            return self.object(value, path)
        if isinstance(value, list):
            return [
                self._value(each, f"{path}[{at}]"[:LONGEST_PATH])
                for at, each in enumerate(value)
            ]
        wanted = "a string"
        if self.takes_wholes:
            wanted = "a string, a whole number or a boolean"
        found = str(value)[:60] if isinstance(value, Decimal) else shown(value)
        raise InvalidRequestError(
            f"Invalid {path}: {found}; must be {wanted}", param=path
        )
