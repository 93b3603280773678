"""The options of ``metering credits``, and what is checked of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

import typer

from metering.cli.options import option_time

ROWS_OF_A_TABLE = 20

Category = Literal["paid", "promotional"]

AmountOption = Annotated[
    str,
    typer.Option(
        metavar="AMOUNT", help="In whole units with a point: 10.00, or 1000 in JPY."
    ),
]
CurrencyOption = Annotated[
    str, typer.Option(metavar="CODE", help="ISO 4217, such as usd.")
]
CustomerOption = Annotated[str, typer.Option(metavar="CUSTOMER", help="Whose credits.")]
OnlyCustomerOption = Annotated[
    str | None, typer.Option(metavar="CUSTOMER", help="Only those of this one.")
]
UsedForOption = Annotated[
    list[str] | None,
    typer.Option(
        "--price",
        metavar="PRICE",
        help="Only for lines of this price; may be repeated. For every metered price"
        " if left out.",
    ),
]
CategoryOption = Annotated[
    Category, typer.Option(help="Promotional ones are used before paid ones.")
]
PriorityOption = Annotated[
    int, typer.Option(metavar="0..100", help="What has a lower one is used first.")
]
NameOption = Annotated[str | None, typer.Option(metavar="TEXT", help="For people.")]
EffectiveAtOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Usable from then on; from now if left out."),
]
ExpiresAtOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Usable before then; for ever if left out."),
]
MetadataOption = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=TEXT", help="Of your own; may be repeated."),
]
GrantArgument = Annotated[str, typer.Argument(metavar="GRANT", help="Its id.")]
OnlyGrantOption = Annotated[
    str | None,
    typer.Option("--grant", metavar="GRANT", help="Only those of this grant."),
]
OnlyPriceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--price",
        metavar="PRICE",
        help="Only credits usable for this price; may be repeated: for any of them.",
    ),
]
OnlyMeteredOption = Annotated[
    bool, typer.Option("--metered", help="Only credits usable for every metered price.")
]
LimitOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help=f"At most so many; {ROWS_OF_A_TABLE} in a table and all in JSON if left"
        " out.",
    ),
]
LastLimitOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help=f"At most so many changes, the last ones; {ROWS_OF_A_TABLE} in a table and"
        " all in JSON if left out.",
    ),
]
AtOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Past or future; now if left out."),
]
CreditsJsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print JSON: amounts in minor units such as cents, times in ISO 8601.",
    ),
]


def given_time(text: str | None, option: str) -> datetime | None:
    """Read the time that an option gives, if it was given.

    Raises:
        InvalidRequestError: it is none; names the option.
    """
    return None if text is None else option_time(text, option)


def given_scope(prices: Sequence[str] | None) -> dict[str, object]:
    """Say what credits may be used for: some prices, or every metered one."""
    if not prices:
        return {"price_type": "metered"}
    return {"prices": [{"id": price} for price in prices]}


def given_filter(
    grant: str | None, prices: Sequence[str] | None, *, is_metered: bool
) -> Mapping[str, object] | None:
    """Say which grants count; None is all.

    Raises:
        BadParameter: more than one of the three was given.
    """
    if sum((grant is not None, bool(prices), is_metered)) > 1:
        raise typer.BadParameter("give one of --grant, --price and --metered")
    if grant is not None:
        return {"type": "credit_grant", "credit_grant": grant}
    if prices or is_metered:
        scope = given_scope(prices)
        return {"type": "applicability_scope", "applicability_scope": scope}
    return None


def given_metadata(pairs: Sequence[str] | None) -> dict[str, str]:
    """Read metadata.

    Raises:
        BadParameter: a pair has no sign between its parts.
    """
    metadata = {}
    for pair in pairs or ():
        key, sign, text = pair.partition("=")
        if not sign:
            hint = "--metadata"
            raise typer.BadParameter(f"{pair!r} is not KEY=TEXT", param_hint=hint)
        metadata[key] = text
    return metadata
