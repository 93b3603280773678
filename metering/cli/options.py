"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from metering.arguments.clock import at_microseconds
from metering.arguments.times import instant

if TYPE_CHECKING:
    from datetime import datetime

OnlyCustomerOption = Annotated[
    str | None, typer.Option(metavar="CUSTOMER", help="Only those of this customer.")
]
MetadataOption = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Metadata of your own; may be repeated."),
]


def option_time(text: str | None, option: str) -> datetime | None:
    """Read the time that an option gives, if it is given.

    Raises:
        InvalidRequestError: it is no time; names the option.
    """
    return None if text is None else at_microseconds(instant(text, option))


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
