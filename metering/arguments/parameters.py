"""Parameters of a request: the checks that those of every resource have in common."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from metering.arguments.strings import is_storable
from metering.errors import InvalidRequestError


def only(given: object, param: str, keys: set[str]) -> Mapping[str, Any]:
    """Check that a parameter is a mapping without other keys.

    Raises:
        InvalidRequestError: it is missing, no mapping, or has another key.
    """
    if given is None:
        raise missing(param)
    if not isinstance(given, Mapping):
        raise invalid(param, given, f"a mapping with {' and '.join(sorted(keys))}")
    for key in given:
        if key not in keys:
            raise InvalidRequestError(
                f"Received unknown parameter: {param}[{key}]",
                code="parameter_unknown",
                param=f"{param}[{key}]",
            )
    return given


def name_of(value: object, param: str, longest: int) -> str:
    """Check a text that is not empty.

    Raises:
        InvalidRequestError: it is missing, no text, of a wrong length, or cannot be stored.
    """
    if value is None:
        raise missing(param)
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise invalid(param, value, f"a string of 1 to {longest} characters")
    if not is_storable(value):
        raise InvalidRequestError(
            f"Invalid {param}: {value[:60]!r} holds a NUL or half a surrogate pair",
            code="invalid_characters",
            param=param,
        )
    return value


def whole_number(value: object, param: str, least: int, most: int) -> int:
    """Check an integer; true and 1.0 are none.

    Raises:
        InvalidRequestError: it is missing, no integer, or out of bounds.
    """
    if value is None:
        raise missing(param)
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not least <= value <= most:  # type: ignore[operator]  # it is one
        raise invalid(param, value, f"an integer from {least} to {most}")
    return value  # type: ignore[return-value]  # it is one


def duration(value: object, param: str, longest: timedelta) -> timedelta:
    """Check a length of time that is not nothing.

    Raises:
        InvalidRequestError: it is no timedelta, or out of bounds.
    """
    if not isinstance(value, timedelta) or not timedelta(0) < value <= longest:
        raise invalid(param, value, f"a timedelta of more than 0, up to {longest}")
    return value


def one_of(value: object, param: str, allowed: tuple[str, ...]) -> str:
    """Check a word of a closed set.

    Raises:
        InvalidRequestError: it is another.
    """
    if not isinstance(value, str) or value not in allowed:
        raise invalid(param, value, f"one of {', '.join(allowed)}")
    return value


def missing(param: str) -> InvalidRequestError:
    """Say that a parameter is needed."""
    return InvalidRequestError(
        f"Missing required param: {param}", code="parameter_missing", param=param
    )


def invalid(param: str, value: object, allowed: str) -> InvalidRequestError:
    """Say what was given and what would be right."""
    found = repr(value)[:60]
    return InvalidRequestError(
        f"Invalid {param}: {found}; must be {allowed}", param=param
    )
