"""Commands out of plain functions: the options that many commands share are added.

Typer reads a function's signature. A command made here has the parameters of a function,
but for its first, and the shared options after them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, Signature, signature
from types import SimpleNamespace
from typing import Annotated, Any, Concatenate, ParamSpec, get_type_hints

import typer
from typer.core import TyperCommand
from typer.main import get_command

from metering.cli.options import FieldOption
from metering.cli.targets import CacheOption, SegmentsOption, StoreOption, StoreTarget

Options = ParamSpec("Options")
GivenOptions = dict[str, Any]
Shared = Mapping[str, tuple[object, object]]
"""Options by name: the annotation that Typer reads, and the default."""

JsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print JSON: all digits of numbers, money in minor units such as cents,"
        " times in ISO 8601.",
    ),
]
PLACES: Shared = {
    "store": (StoreOption, "usage"),
    "segments": (SegmentsOption, None),
    "cache": (CacheOption, None),
}
JSON: Shared = {"json": (JsonOption, False)}


def extended(
    function: Callable[..., object],
    shared: Shared,
    run: Callable[[typer.Context, GivenOptions, GivenOptions], None],
) -> Callable[..., None]:
    """Extend a function's signature.

    Args:
        function: what Typer is to read; its first parameter is left out.
        shared: the options that are added.
        run: is called with the function's own options, and with those that were added.
    """
    own = _own_parameters(function)
    added = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in shared.items()
    ]

    def command(ctx: typer.Context, **given: object) -> None:
        run(
            ctx,
            {each.name: given[each.name] for each in own},
            {name: given[name] for name in shared},
        )

    context = Parameter(
        "ctx", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    parameters = [context, *own, *added]
    command.__wrapped__ = function  # type: ignore[attr-defined]  # read by inspect
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # read by inspect
    return command


def taking_target(
    function: Callable[Concatenate[StoreTarget, Options], None],
    store: tuple[object, object] = PLACES["store"],
) -> Callable[..., None]:
    """Give a function that takes the target the options that name it."""

    def run(ctx: typer.Context, own: GivenOptions, _: GivenOptions) -> None:
        function(StoreTarget.of(ctx), **own)  # type: ignore[call-arg]  # its own options

    return extended(function, {**PLACES, "store": store}, run)


def on_target(
    *, epilog: str | None = None, store: tuple[object, object] = PLACES["store"]
) -> Callable[[Callable[Concatenate[StoreTarget, Options], None]], TyperCommand]:
    """Make a command of a function that takes the target and its own options.

    Args:
        epilog: what follows the options in the command's help.
        store: another ``--store`` than most commands have.
    """

    def made(
        function: Callable[Concatenate[StoreTarget, Options], None],
    ) -> TyperCommand:
        return command_of(taking_target(function, store), epilog=epilog)

    return made


def command_of(
    function: Callable[..., None], *, epilog: str | None = None
) -> TyperCommand:
    """Make a command of a function with the parameters that Typer reads."""
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command(epilog=epilog)(function)
    command = get_command(app)
    assert isinstance(command, TyperCommand), "one function is one command"
    return command


def _own_parameters(function: Callable[..., object]) -> list[Parameter]:
    """Return all parameters but the first, with annotations that are no strings.

    The others are not looked at: what they name may take a while to load.
    """
    first, *own = signature(function).parameters.values()
    del first
    named = SimpleNamespace(
        __annotations__={each.name: each.annotation for each in own}
    )
    hints = get_type_hints(named, function.__globals__, include_extras=True)
    return [_read(each.replace(annotation=hints[each.name])) for each in own]


def _read(parameter: Parameter) -> Parameter:
    """Return a parameter as Typer reads it, where it stands for a field."""
    match getattr(parameter.annotation, "__metadata__", None):
        case (FieldOption() as option,):
            return option.declared(parameter)
        case _:
            return parameter
