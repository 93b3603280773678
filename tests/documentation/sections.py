"""What is generated in the pages, from the code that it describes.

A page says where: between ``<!-- generated: NAME -->`` and ``<!-- end -->``, for a NAME
in `SECTIONS`. `make docs` rewrites it, and a test fails where it is stale.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import metering
from ledger.errors import MeteringError
from metering.server.table import ROUTES


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table of Markdown, with an empty line before it and after it."""
    lines = [header, ["---"] * len(header), *rows]
    cells = [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
        for line in lines
    ]
    return "\n" + "\n".join(cells) + "\n\n"


def first_sentence(documented: object) -> str:
    """Return the first line of what is documented, as a sentence in a table."""
    text = (documented.__doc__ or "").strip().splitlines()[0]
    return text.removesuffix(".")


def errors() -> str:
    """List every error that the library raises, by its code."""
    exported = [getattr(metering, name) for name in metering.__all__]
    kinds = [
        each
        for each in exported
        if isinstance(each, type) and issubclass(each, MeteringError)
    ]
    return table(
        ["`code`", "Class", "Raised when"],
        sorted(
            [f"`{kind.code}`", f"`metering.{kind.__name__}`", first_sentence(kind)]
            for kind in kinds
        ),
    )


def routes() -> str:
    """List every route, in the order of their paths."""
    return table(
        ["Route", "Scope", ""],
        [
            [
                f"`{route.method} {route.path}`",
                f"`{route.scope}`",
                route.summary.removesuffix("."),
            ]
            for route in sorted(ROUTES, key=lambda route: (route.path, route.method))
        ],
    )


SECTIONS: Mapping[str, Callable[[], str]] = MappingProxyType(
    {"errors": errors, "routes": routes}
)
