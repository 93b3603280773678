"""Strings that callers give: which of them a database can store, and how long they may be."""

from metering.errors import InvalidRequestError

LONGEST_NAME = 100
"""Most characters of an event name, an identifier or a payload key."""

LONGEST_TEXT = 500
"""Most characters of a payload's value."""


def is_storable(value: str) -> bool:
    """Whether every database can store a string: no NUL, no half surrogate pair."""
    # ASCII is by far the most common and cannot hold a surrogate.
    if value.isascii():
        return "\0" not in value
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


def check_word(value: object, param: str) -> str:
    """Check an argument that names something recorded.

    Raises:
        InvalidRequestError: it is not a string, is empty, or cannot be stored.
    """
    if not isinstance(value, str) or not value or not is_storable(value):
        raise InvalidRequestError(
            f"Invalid {param}: {value!r:.60}; must be a string that is not empty and"
            " holds no NUL",
            param=param,
        )
    return value
