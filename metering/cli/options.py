"""Options that several commands share, and what is checked of them."""

from datetime import datetime
from typing import Annotated

import typer

from metering.arguments.clock import at_microseconds
from metering.arguments.times import instant

StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="METERING_STORE",
        metavar="PATH|URL",
        help="A directory, or the URL of a PostgreSQL database.",
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print JSON: usage as numbers with all digits, times in ISO 8601.",
    ),
]
AllowPrivateOption = Annotated[
    bool,
    typer.Option(
        "--allow-private",
        envvar="METERING_ALLOW_PRIVATE_WEBHOOKS",
        help="Send also over http, and to addresses that are not public.",
    ),
]
LivemodeOption = Annotated[
    bool,
    typer.Option(
        "--live",
        envvar="METERING_LIVEMODE",
        help="Live mode: keys are sk_live_, and resources say so of themselves.",
    ),
]
DEFAULT_STORE = "usage"


def option_time(text: str, option: str) -> datetime:
    """Read the time that an option gives.

    Raises:
        InvalidRequestError: it is none; names the option.
    """
    return at_microseconds(instant(text, option))


def refuse_options_of_the_group(ctx: typer.Context) -> None:
    """Refuse options before a subcommand, which would be ignored in silence.

    Raises:
        BadParameter: one was given.
    """
    for name in ctx.params:
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = f"--{name.replace('_', '-')}"
            raise typer.BadParameter(f"give {option} after {ctx.invoked_subcommand}")
