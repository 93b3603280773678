"""Options and arguments as commands declare them, and how their values are read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from metering.arguments.clock import at_microseconds
from metering.arguments.times import instant


def option(metavar: str, text: str, *names: str, **settings: Any) -> Any:
    """Declare an option that takes a value; the text is its help."""
    return typer.Option(*names, metavar=metavar, help=text, **settings)


def argument(metavar: str, text: str) -> Any:
    """Declare an argument; the text is its help."""
    return typer.Argument(metavar=metavar, help=text)


def time_option(name: str, text: str) -> Any:
    """Declare an option whose value is a time."""
    return option("TIME", text, name, parser=lambda value: option_time(value, name))


def option_time(value: str, name: str) -> datetime:
    """Read the time that an option gives: ISO 8601, or whole seconds since 1970.

    Raises:
        InvalidRequestError: it is no time; names the option.
    """
    return at_microseconds(instant(value, name))


OnlyCustomerOption = Annotated[
    str | None, option("CUSTOMER", "Only those of this customer.")
]
MetadataOption = Annotated[
    list[str] | None, option("KEY=VALUE", "Metadata of your own; may be repeated.")
]


def given_metadata(pairs: Sequence[str] | None) -> dict[str, str]:
    """Read metadata.

    Raises:
        BadParameter: a pair has no sign between its parts.
    """
    metadata = {}
    for pair in pairs or ():
        key, sign, value = pair.partition("=")
        if not sign:
            hint = "--metadata"
            raise typer.BadParameter(f"{pair!r} is not KEY=VALUE", param_hint=hint)
        metadata[key] = value
    return metadata
