"""CloudEvents in binary mode: the attributes are headers, the body is the data.

Source: the HTTP protocol binding of CloudEvents 1.0.2, section 3.1,
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from metering.arguments.refusals import invalid
from metering.server.grammar.media_types import is_json

ATTRIBUTES = ("specversion", "id", "source", "type", "subject", "time")
"""The attributes that matter here; any other is an extension, and ignored."""
HEADER_PREFIX = "ce-"

# Matches a string without an end as well, and leaves it as it is: to look for the end at
# each quote of a long header would take seconds.
_QUOTED = re.compile(r'"((?:[^"\\]|\\.?)*)("|\Z)')
_ESCAPED = re.compile(r"\\(.)")


def is_in_binary_mode(media_type: str, headers: Mapping[str, str]) -> bool:
    """Whether a request is a CloudEvent whose attributes are headers.

    A media type that says what the body is goes before the headers: rows stay rows.

    Args:
        media_type: of the body; empty where none is named.
        headers: by their names in lower case.
    """
    has_attributes = any(f"{HEADER_PREFIX}{each}" in headers for each in ATTRIBUTES)
    return has_attributes and (not media_type or is_json(media_type))


def takes_body_for_event(prefer: str) -> bool:
    """Whether the sender of a CloudEvent would take any body for an event in reply.

    Brokers of Knative say by ``Prefer: reply`` that they do, and send the event again
    where they find another body. ``return=minimal`` asks for none as well.

    Args:
        prefer: the header of that name (RFC 7240).
    """
    preferences = {each.strip().lower() for each in prefer.split(",")}
    return not preferences.isdisjoint({"reply", "return=minimal"})


def attributes_in(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes that headers have.

    Raises:
        InvalidRequestError: one of them is not UTF-8.
    """
    names = {each: f"{HEADER_PREFIX}{each}" for each in ATTRIBUTES}
    return {
        attribute: _unescaped(name, headers[name])
        for attribute, name in names.items()
        if name in headers
    }


def _unescaped(name: str, value: str) -> str:
    """Undo what a sender did to write any text in a header, in the order of the source."""
    plain = _QUOTED.sub(
        lambda found: _ESCAPED.sub(r"\1", found[1]) if found[2] else found[0], value
    )
    try:
        # Headers are bytes: some senders leave UTF-8 in them as it is.
        return unquote_to_bytes(plain.encode("latin-1")).decode()
    except UnicodeDecodeError as error:
        raise invalid(name, value, "UTF-8, percent-encoded") from error
