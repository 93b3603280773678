"""What is generated in the pages, from the code that it describes.

A page says where: between ``<!-- generated: NAME -->`` and ``<!-- end -->``, for a NAME
in `SECTIONS`. `make docs` rewrites it, and a test fails where it is stale.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from metering.decoding.json_parsing import DEPTH_MAX
from metering.errors import ResourceMissingError
from metering.server.api.error_responses import (
    MISSING_IN_PATH,
    RULES,
    STORE_FAILED,
    UNNAMED_CODES,
    V2_CODES,
    V2_CODES_OF_EVENTS,
)
from metering.server.api.errors import RequestRefusedError
from metering.server.api.requests import FORM_LIMITS, BodyLimits
from metering.server.api.service import LONGEST_IDEMPOTENCY_KEY
from metering.server.http.accepting import BACKLOG
from metering.server.http.admission import (
    ROWS_MAX,
    ROWS_TAKEN_IN_MAX,
    ROWS_WAITING_MAX,
    SMALL_BODY_MAX,
)
from metering.server.http.answering import HEAVY_THREADS, TOGETHER_MAX
from metering.server.http.app import PATIENCE_SECONDS, THREADS
from metering.server.http.bodies import BODY_BYTES_MAX
from metering.server.http.connections import CONNECTIONS_MAX
from metering.server.http.descriptors import descriptors_of_store
from metering.server.http.head_parts import HEAD_MAX, HEADERS_MAX
from metering.server.http.positions import (
    POSITION_SECONDS,
    WAITING_MAX,
    WAITING_MAX_OF_KEY,
)
from metering.server.http.receiving import BYTES_PER_SECOND_MIN
from metering.server.http.sending import LARGE_BYTES_MAX
from metering.server.http.strangers import STRANGERS_PER_SECOND, STRANGERS_WAITING_MAX
from metering.server.table import ROUTES
from metering.usage.ingest.bounds.limits import (
    BODY_BATCHES_MAX,
    BODY_COLUMNS_MAX,
    BODY_PAGES_MAX,
    BODY_ROWS_MAX,
    FOOTER_BYTES_MAX,
    UNPACK_FACTOR,
    UNPACKED_AT_ONCE_MAX,
    UNPACKED_MAX,
    UNPACKED_MIN,
)
from tests.documentation.benchmarks import benchmarks
from tests.documentation.codes import codes, errors
from tests.documentation.commands import command_help, commands, environment
from tests.documentation.completeness import completeness, limits, request_limits
from tests.documentation.pages import ROOT
from tests.documentation.promises import figures, promises
from tests.documentation.tables import first_sentence, table


def routes() -> str:
    """List what is served below every path, and the scope that each method needs."""
    served: dict[str, dict[str, list[str]]] = {}
    for route in sorted(ROUTES, key=lambda route: (route.path, route.method)):
        base, brace, rest = route.path.partition("/{")
        below = served.setdefault(base, {}).setdefault(f"{brace}{rest}", [])
        below.append(f"{route.method} {route.scope}")
    return table(
        ["Path", "Methods, and the scopes that they need"],
        [
            [f"`{base}`", "; ".join(_below(*each) for each in found.items())]
            for base, found in served.items()
        ],
    )


def _below(path: str, methods: Sequence[str]) -> str:
    return f"{_code(path)} {', '.join(methods)}".strip()


def failures() -> str:
    """List how the server answers errors, by their statuses and classes."""
    kinds = [(rule, kind, first_sentence(kind)) for kind, rule in RULES.items()]
    kinds += [
        (MISSING_IN_PATH, ResourceMissingError, "Nothing has the id in the path"),
        (STORE_FAILED, RequestRefusedError, "The store cannot be used"),
    ]
    return table(
        ["Status", "`type`", "`code`", "in v2", "Retry", "When"],
        sorted(
            [
                str(rule.status),
                f"`{rule.type}`",
                _code(_named(rule.code or kind.code)),
                _code(rule.v2_code or _named(rule.code or kind.code, rule.status)),
                {True: "yes", False: "no", None: "after `Retry-After`"}[
                    rule.should_retry
                ],
                when.partition(".")[0],
            ]
            for rule, kind, when in kinds
            if rule is not RULES[RequestRefusedError]
        ),
    )


def event_codes() -> str:
    """Say which codes v2 has for refused events."""
    named = [f"`{ours}` is `{v2}`" for ours, v2 in V2_CODES_OF_EVENTS.items()]
    return f"\nIn v2 {', '.join(named)}.\n\n"


def _named(code: str, status: int | None = None) -> str:
    if code not in UNNAMED_CODES:
        return code
    return "" if status is None else V2_CODES[status]


def http_limits() -> str:
    """List the limits of the server, from where they are set."""
    [rows] = [route.rows for route in ROUTES if route.rows is not None]
    return table(
        ["Limit", ""],
        [
            [
                "Line and headers of a request \\*",
                f"{_size(HEAD_MAX)}, {HEADERS_MAX} headers",
            ],
            ["Time for them, and of an idle connection \\*", f"{PATIENCE_SECONDS} s"],
            ["Pause within a body", f"{PATIENCE_SECONDS} s"],
            ["Speed of a body", f"{_size(BYTES_PER_SECOND_MIN)}/s at the least"],
            ["Body as sent, and decompressed", _sizes(FORM_LIMITS)],
            ["Body of rows as sent, and decompressed", _sizes(rows.limits)],
            [
                "Rows unpacked, their strings in full",
                f"{UNPACK_FACTOR} times as sent (`--unpack-factor`), {_sizes_between(UNPACKED_MIN, UNPACKED_MAX)}",
            ],
            ["A batch, or the pages of a row group", _size(UNPACKED_AT_ONCE_MAX)],
            ["Batches of an Arrow stream", f"{BODY_BATCHES_MAX:,}"],
            [
                "Rows, and columns, of a body",
                f"{BODY_ROWS_MAX:,}, {BODY_COLUMNS_MAX:,}",
            ],
            [
                "Pages, and footer, of Parquet",
                f"{BODY_PAGES_MAX:,}, {_size(FOOTER_BYTES_MAX)}",
            ],
            ["Depth of JSON", str(DEPTH_MAX)],
            ["Bodies in memory, as sent", f"{_size(BODY_BYTES_MAX)} (`--body-memory`)"],
            ["Large answers being sent, as computed", _size(LARGE_BYTES_MAX)],
            [
                "Bodies of rows in memory, and requests that wait to send theirs",
                f"{ROWS_MAX}, {ROWS_WAITING_MAX}",
            ],
            ["Bodies of rows that are unpacked at once", str(ROWS_TAKEN_IN_MAX)],
            [
                "Body that is read before its key is looked at, of a key in use",
                _size(SMALL_BODY_MAX),
            ],
            ["Open connections \\*", f"{CONNECTIONS_MAX:,} (`--connections`)"],
            [
                "Open files that are left to the store \\*",
                str(descriptors_of_store(THREADS)),
            ],
            ["Connections that wait to be accepted \\*", str(BACKLOG)],
            [
                "Requests without a known key a second, and that wait for their turns",
                f"{STRANGERS_PER_SECOND:,}, {STRANGERS_WAITING_MAX}",
            ],
            ["Requests answered at once", str(THREADS)],
            ["Re-aggregations answered at once", str(HEAVY_THREADS)],
            ["Requests recorded in one commit", str(TOGETHER_MAX)],
            ["Wait for `Metering-Min-Position`", f"{POSITION_SECONDS:g} s"],
            [
                "Requests that wait for one, of a key and in all",
                f"{WAITING_MAX_OF_KEY}, {WAITING_MAX}",
            ],
            ["Length of an `Idempotency-Key`", str(LONGEST_IDEMPOTENCY_KEY)],
        ],
    )


def _code(code: str) -> str:
    return f"`{code}`" if code else ""


def _sizes(limits: BodyLimits) -> str:
    return f"{_size(limits.sent_max)}, {_size(limits.decoded_max)}"


def _sizes_between(least: int, most: int) -> str:
    return f"at least {_size(least)}, at most {_size(most)}"


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"


def example(name: str) -> str:
    """Show a backend that the tests run as processes."""
    path = ROOT / "tests/metering/integrations/examples" / f"{name}.py"
    return f"\n```python\n{path.read_text(encoding='utf-8')}```\n\n"


SECTIONS: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "benchmarks": benchmarks,
        "command_help": command_help,
        "commands": commands,
        "codes": codes,
        "completeness": completeness,
        "environment": environment,
        "errors": errors,
        "example_celery": lambda: example("celery_backend"),
        "example_fastapi": lambda: example("fastapi_backend"),
        "example_flask": lambda: example("flask_backend"),
        "event_codes": event_codes,
        "failures": failures,
        "figures": figures,
        "http_limits": http_limits,
        "limits": limits,
        "promises": promises,
        "request_limits": request_limits,
        "routes": routes,
    }
)
