"""The page at the root: what is served and how the server is, for people.

It is made of the OpenAPI document, holds no script and no style, and loads nothing.
"""

from collections.abc import Callable, Iterator
from html import escape

from metering.server.api.health import Health
from metering.server.documents.openapi import Node
from metering.server.grammar.media_types import HTML

PAGE_HEADERS = {
    "Content-Type": HTML,
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_TOP = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>metering</title>
<h1>metering</h1>
"""
_HINT = '<p>Parameters and responses: <a href="openapi.json">openapi.json</a></p>\n'


def front_page(document: Node) -> Callable[[Health], str]:
    """Return what writes the page, given the health of the moment."""
    routes = "".join(_sections(document))
    return lambda health: f"{_TOP}<p>{_words_of(health)}</p>\n{_HINT}{routes}"


def _words_of(health: Health) -> str:
    if health.position is None:
        return "<strong>Not ready</strong>: the store cannot be asked."
    return f"<strong>Ready</strong>, with the log at position {health.position}."


def _sections(document: Node) -> Iterator[str]:
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2>\n"
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if tag["name"] in operation["tags"]:
                    heading = escape(f"{method.upper()} {path}")
                    words = escape(f"{operation['summary']} {_opened_by(operation)}")
                    yield f"<p><code>{heading}</code><br>{words}</p>\n"


def _opened_by(operation: Node) -> str:
    match operation["security"]:
        case []:
            return "Needs no key."
        case [{"session": _}]:
            return "Needs the token of a session."
        case [{"bearer": [scope]}, *_]:
            return f"Needs a key with scope {scope}."
        case other:
            raise AssertionError(f"no such security is known: {other}")
