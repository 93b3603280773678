"""Strings that callers give: which of them a database can store, and how long they may be."""

from os import PathLike, fspath
from typing import Annotated

from msgspec import Meta

from ledger.database.shown_addresses import shown_address
from metering.errors import InvalidRequestError, shown

LONGEST_NAME = 100
"""Most characters of an event name, an identifier or a payload key."""

LONGEST_TEXT = 500
"""Most characters of a payload's value, and of a customer."""

LONGEST_ID = 255
"""Most characters of an id that others made: a price's, an invoice's."""

Id = str
"""The id of one of our resources, which is looked up."""

CustomerId = Annotated[str, Meta(min_length=1, max_length=LONGEST_TEXT)]
OthersId = Annotated[str, Meta(min_length=1, max_length=LONGEST_ID)]
Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
"""An event name, an identifier or a payload key."""


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
            f"Invalid {param}: {shown(value)}; must be a string that is not empty and"
            " holds no NUL",
            param=param,
        )
    return value


def check_path(place: object, param: str) -> str:
    """Check an argument that is a path or a URL, and return it as a string.

    Raises:
        InvalidRequestError: it is neither.
    """
    text = fspath(place) if isinstance(place, PathLike) else place
    if not isinstance(text, str) or not is_storable(text):
        # It may be a URL with a password.
        named = shown(shown_address(text) if isinstance(text, str) else place)
        raise InvalidRequestError(
            f"Invalid {param}: {named}; must be a path or a URL", param=param
        )
    return text
