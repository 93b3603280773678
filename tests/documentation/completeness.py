"""The library as a matrix: its methods by the doors that open them, and their limits."""

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta

from ledger.usage.quantities import FRACTION_DIGITS, INTEGER_DIGITS
from metering.arguments.kinds import (
    Fields,
    IntegerKind,
    Kind,
    ListKind,
    MappingKind,
    ObjectKind,
    StringKind,
    within,
)
from metering.arguments.schema import fields_of
from metering.meters.meters import METERS_AT_MOST
from metering.opening import (
    ALERTS_MAX,
    CREDIT_GRANTS_MAX,
    SQL_TIMEOUT,
    WEBHOOK_TIMEOUT,
)
from metering.store.sealing import SEAL_EVENTS
from metering.webhooks.delivery.retry_schedule import KEPT
from metering.webhooks.endpoints import ENDPOINTS_MAX
from projections.scans.sql import MEMORY_SHARE
from tests.documentation.doors import (
    commands_by_method,
    library_methods,
    routes_by_method,
)
from tests.documentation.pages import ROOT
from tests.documentation.tables import table

# What a test takes that runs on each database in turn, or on PostgreSQL alone.
_ON_BOTH = re.compile(r"\b(connect: Connect|store_targets?:|postgresql_url:)")


def completeness() -> str:
    """Show for each method of the library which door opens it, and where it is tested."""
    routes, commands = routes_by_method(), commands_by_method()
    tests = [
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")
    ]
    return table(
        ["Library", "HTTP", "Command line", "SQLite", "PostgreSQL"],
        [
            [
                f"`{method}`",
                _listed(
                    f"{each.method} {each.path}" for each in routes.get(method, ())
                ),
                _listed(commands.get(method, ())),
                *_backends(method, tests),
            ]
            for method in library_methods()
        ],
    )


def limits() -> str:
    """List the limits of a store, from where they are set."""
    minutes = SQL_TIMEOUT.seconds // 60
    days = timedelta(microseconds=KEPT).days
    return table(
        ["Limit", ""],
        [
            [
                "Digits of a value",
                f"{INTEGER_DIGITS} integer, {FRACTION_DIGITS} fraction",
            ],
            ["Meters of a store", f"{METERS_AT_MOST:,}"],
            [
                "Alerts on a meter that apply to one customer",
                f"{ALERTS_MAX}, `alerts_max`",
            ],
            [
                "Unused grants of a customer",
                f"{CREDIT_GRANTS_MAX}, `credit_grants_max`",
            ],
            ["Webhook endpoints", str(ENDPOINTS_MAX)],
            ["Deliveries and attempts are kept", f"{days} days"],
            ["Wait for an endpoint", f"{WEBHOOK_TIMEOUT.seconds} s, `webhook_timeout`"],
            ["Time of a query in SQL", f"{minutes} minutes, `sql_timeout`"],
            ["Memory of a query in SQL", f"{MEMORY_SHARE}, `sql_memory`; no files"],
            [
                "Events that gather before they are sealed",
                f"{SEAL_EVENTS:,}, `seal_events`",
            ],
        ],
    )


def request_limits() -> str:
    """List the bounds of what the library takes, method by method."""
    takes = {
        method: route.takes
        for method, routes in routes_by_method().items()
        for route in routes
    }
    rows = [
        [f"`{method}`", ", ".join(_bounds(fields_of(takes[method]), ""))]
        for method in library_methods()
        if method in takes
    ]
    return table(
        ["Method", "What its arguments hold at most"], [row for row in rows if row[1]]
    )


def _listed(words: Iterable[str]) -> str:
    return "<br>".join(f"`{word}`" for word in dict.fromkeys(words))


def _backends(method: str, tests: Iterable[str]) -> list[str]:
    """Mark the databases on which a test calls a method."""
    call = re.compile(rf"\.{re.escape(method)}" + (r"\b" if "." in method else r"\("))
    calling = [text for text in tests if call.search(text)]
    are_both = [text for text in calling if _ON_BOTH.search(text)]
    return ["✓" if calling else "", "✓" if are_both else ""]


def _bounds(fields: Fields, path: str) -> Iterator[str]:
    for name, field in fields.items():
        yield from _bounds_of(field.kind, within(path, name))


def _bounds_of(kind: Kind, path: str) -> Iterator[str]:
    match kind:
        case StringKind(most=most):
            yield f"`{path}` {most:,} characters"
        case IntegerKind(least=least, most=most):
            yield f"`{path}` {least:,} to {most:,}"
        case MappingKind(key=StringKind(most=longest), most=most):
            yield f"`{path}` {most:,} keys of {longest} characters"
        case ListKind(kind=element, most=most):
            if most is not None:
                yield f"`{path}` {most:,}"
            yield from _bounds_of(element, f"{path}[]")
        case ObjectKind(fields=fields):
            yield from _bounds(fields, path)
        case _:  # Of a size that its words, or the log, decide.
            pass
