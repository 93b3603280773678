"""The page at the root: what is served, and how the server is, for people.

One document without scripts, and nothing of it comes from elsewhere; the policy that is
sent with it holds browsers to that. All text in it is escaped.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from itertools import groupby

from metering.server.api.health import Health
from metering.server.api.requests import HttpResponse
from metering.server.api.routes import Route
from metering.server.documents.open_routes import OpenRoute
from metering.server.documents.openapi import resource_of, taken_by
from metering.server.grammar.leaves import Leaf, leaves_of
from metering.server.grammar.media_types import HTML
from metering.server.grammar.schemas import Schema

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
code { font: 0.92em ui-monospace, monospace; }
h2 { border-bottom: 1px solid; margin-top: 2.5rem; }
h3 { margin: 1.5rem 0 0; }
p { margin: 0.2rem 0; }
table { border-collapse: collapse; margin: 0.4rem 0 0 1rem; }
td { padding: 0.1rem 1.2rem 0.1rem 0; vertical-align: top; }
""".strip()
_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " style-src 'sha256-{digest}'"
)
_WHOLE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>metering</title>
<style>{style}</style>
</head>
<body>
<h1>metering</h1>
<p>{health}</p>
<p>The same as OpenAPI: <a href="/openapi.json">openapi.json</a></p>
{resources}
</body>
</html>
"""


def front_page(
    routes: Sequence[Route], open_routes: Sequence[OpenRoute]
) -> Callable[[Health], HttpResponse]:
    """Write the page once, but for the health, which is for each request to fill in.

    Args:
        routes: what needs a key.
        open_routes: what does not.
    """
    resources = _resources(
        [
            *((each.path, _route(each)) for each in routes),
            *((each.path, _open_route(each)) for each in open_routes),
        ]
    )
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    headers = {
        "Content-Type": HTML,
        "Content-Security-Policy": _POLICY.format(digest=digest),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }

    def fill_in(health: Health) -> HttpResponse:
        page = _WHOLE.format(
            style=_STYLE, health=_words_of_health(health), resources=resources
        )
        return HttpResponse(body=page.encode(), headers=headers)

    return fill_in


def _words_of_health(health: Health) -> str:
    if health.position is None:
        return "<strong>Not ready</strong>: the store cannot be asked."
    return f"<strong>Ready</strong>, with the log at position {health.position}."


def _resources(written: Iterable[tuple[str, str]]) -> str:
    """Write routes, given with their paths, under the resources that they serve."""
    by_resource = sorted(written, key=lambda each: resource_of(each[0]))
    sections = [
        f"<section>\n<h2>{escape(resource)}</h2>\n"
        + "\n".join(text for _, text in found)
        + "\n</section>"
        for resource, found in groupby(by_resource, lambda each: resource_of(each[0]))
    ]
    return "\n".join(sections)


def _route(route: Route) -> str:
    opened_by = f"a key with scope {route.scope}"
    if route.credential == "session":
        opened_by = "the token of a session"
    if route.rows is not None:
        opened_by += f"; the body is one of {', '.join(route.rows.media_types)}"
    heading = _heading(route.method, route.path, route.summary, opened_by)
    rows = list(_rows(leaves_of(taken_by(route))))
    return "\n".join([heading, "<table>", *rows, "</table>"] if rows else [heading])


def _open_route(route: OpenRoute) -> str:
    return _heading("GET", route.path, route.summary, "anybody")


def _heading(method: str, path: str, summary: str, opened_by: str) -> str:
    return (
        f"<h3><code>{escape(method)} {escape(path)}</code></h3>\n"
        f"<p>{escape(summary)} For {escape(opened_by)}.</p>"
    )


def _rows(leaves: Iterable[Leaf]) -> Iterator[str]:
    for leaf in leaves:
        words = _words_of(leaf.schema)
        needed = ""
        if leaf.is_required:
            needed = f"required with {leaf.parent}" if leaf.parent else "required"
        yield (
            f"<tr><td><code>{escape(leaf.name)}</code></td><td>{escape(words)}</td>"
            f"<td>{escape(needed)}</td></tr>"
        )


def _words_of(schema: Schema) -> str:
    """Say what a parameter takes."""
    match schema:
        case {"anyOf": [one, {"maxLength": 0}]}:
            words = f"{_words_of(one)}; empty takes it away"
        case {"anyOf": [one, other]}:
            words = f"{_words_of(one)}, or {_words_of(other)}"
        case {"enum": [*choices]}:
            words = " | ".join(choices)
        case {"type": "integer", "minimum": least, "maximum": most}:
            words = f"integer, {least} to {most}"
        case {"format": "date-time"}:
            words = "time of RFC 3339"
        case {"type": "string", "maxLength": most}:
            words = f"text of at most {most} characters"
        case {"type": "object", "maxProperties": most}:
            words = f"at most {most} keys of your own, each with a text"
        case _:
            words = str(schema["type"])
    return words
