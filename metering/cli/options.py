"""Options and arguments as commands declare them, and how their values are read.

An option that stands for a field of a request is declared by `FieldOption`: the field says
which values it takes, what it is where it is left out, and what its help is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from inspect import Parameter
from typing import Annotated, Any, get_args

import typer

from metering.arguments.clock import at_microseconds
from metering.arguments.kinds import (
    AnyTimeKind,
    ChoiceKind,
    EitherKind,
    IdKind,
    IntegerKind,
    ListKind,
    MappingKind,
    RequestField,
    StringKind,
)
from metering.arguments.schema import field_at
from metering.arguments.times import instant
from metering.credits.requests import (
    CreditGrantCreate,
    CreditGrantList,
    CreditScopeParams,
    MonetaryParams,
)
from metering.usage.requests import POSITION_MAX


def option(metavar: str, text: str, *names: str, **settings: Any) -> Any:
    """Declare an option that takes a value; the text is its help."""
    return typer.Option(*names, metavar=metavar, help=text, **settings)


def argument(metavar: str, text: str) -> Any:
    """Declare an argument; the text is its help."""
    return typer.Argument(metavar=metavar, help=text)


@dataclass(frozen=True, slots=True)
class FieldOption:
    """Declares an option that stands for a field of a request.

    Attributes:
        schema: of the request, or of an object in it.
        path: of the field; the parameter's name where it is empty.
        metavar: how its value is called; the field's name where it is empty.
        more: follows the field's description.
        name: of the option; made of the parameter's name where it is empty.
    """

    schema: type
    path: str = ""
    metavar: str = ""
    _: KW_ONLY
    more: str = ""
    name: str = ""

    def declared(self, parameter: Parameter) -> Parameter:
        """Return a parameter of a command as Typer reads it.

        It is required where the field is, unless it has a default of its own.
        """
        path = self.path or parameter.name
        field = field_at(self.schema, path)
        name = self.name or f"--{parameter.name.replace('_', '-')}"
        is_repeated = isinstance(field.kind, EitherKind | ListKind | MappingKind)
        sentences = [
            field.description,
            self.more,
            "May be repeated." if is_repeated else "",
        ]
        last = path.replace("]", "").rpartition("[")[2]
        settings = {"metavar": self.metavar or last.upper(), **_settings(field, name)}
        text = " ".join(filter(None, sentences))
        declared = typer.Option(name, help=text, **settings)
        default = parameter.default
        if default is Parameter.empty and not field.is_required:
            default = field.default
        kind, *_ = get_args(parameter.annotation)
        return parameter.replace(annotation=Annotated[kind, declared], default=default)


def _settings(field: RequestField, name: str) -> dict[str, Any]:
    """Return how Typer reads the values of a field, and what else it shows of them."""
    kind = field.kind
    if isinstance(kind, EitherKind):
        kind = kind.single
    if isinstance(kind, ListKind):
        kind = kind.kind
    match kind:
        case IntegerKind(least=least, most=most):
            return {"min": least, "max": most}
        case StringKind() | IdKind():
            return {"parser": lambda value: kind.read(value, name)}
        case AnyTimeKind():
            return {"parser": lambda value: option_time(value, name), "metavar": "TIME"}
        case ChoiceKind() if kind is field.kind:
            # Typer reads and shows the words of the parameter's annotation.
            return {"metavar": None}
        case ChoiceKind(words=words):
            shown = f"<{'|'.join(words)}>"
            return {"parser": lambda value: kind.read(value, name), "metavar": shown}
        case _:
            return {}


def time_option(name: str, text: str) -> Any:
    """Declare an option whose value is a time, and no field of a request."""
    return option("TIME", text, name, parser=lambda value: option_time(value, name))


def option_time(value: str, name: str) -> datetime:
    """Read the time that an option gives: ISO 8601, or whole seconds since 1970.

    Raises:
        InvalidRequestError: it is no time; names the option.
    """
    return at_microseconds(instant(value, name))


def option_position(value: str | None, name: str) -> int | datetime | None:
    """Read the position of the log, or else the time, that an option gives, if any.

    Raises:
        InvalidRequestError: it is neither; names the option.
    """
    if value is None:
        return None
    is_position = value.isdecimal() and len(value) <= len(str(POSITION_MAX))
    return int(value) if is_position else option_time(value, name)


OnlyCustomerOption = Annotated[str | None, FieldOption(CreditGrantList)]
MetadataOption = Annotated[
    list[str] | None, FieldOption(CreditGrantCreate, metavar="KEY=VALUE")
]
AMOUNT = "In whole units with a point: 10.00, or 1000 in JPY."
AmountOption = Annotated[str, option("AMOUNT", AMOUNT)]
AmountCurrencyOption = Annotated[str, FieldOption(MonetaryParams, metavar="CODE")]
OnlyForPricesOption = Annotated[
    list[str] | None,
    option(
        "PRICE",
        "Only for lines of this price; may be repeated. For every metered price if left"
        " out.",
    ),
]


def given_scope(prices: Sequence[str] | None) -> CreditScopeParams:
    """Return what credits may be used for: some prices, or every metered one."""
    if not prices:
        return {"price_type": "metered"}
    return {"prices": [{"id": price} for price in prices]}


def given_pairs(pairs: Sequence[str] | None, name: str) -> dict[str, list[str]]:
    """Read keys, each with its values in the order in which they are given.

    Raises:
        BadParameter: a pair has no sign between its parts; names the option.
    """
    found: dict[str, list[str]] = {}
    for pair in pairs or ():
        key, sign, value = pair.partition("=")
        if not sign or not key:
            raise typer.BadParameter(f"{pair!r} is not KEY=VALUE", param_hint=name)
        found.setdefault(key, []).append(value)
    return found


def given_values(pairs: Sequence[str] | None, name: str) -> dict[str, str]:
    """Read keys, each with the last of its values; see `given_pairs`."""
    return {key: each[-1] for key, each in given_pairs(pairs, name).items()}


def given_metadata(pairs: Sequence[str] | None) -> dict[str, str]:
    """Read metadata, the last value of each key."""
    return given_values(pairs, "--metadata")
