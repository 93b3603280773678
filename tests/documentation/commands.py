"""The command line in the pages: its commands, their help, its environment."""

from collections.abc import Iterator
from copy import copy

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from metering.cli.app import COMMANDS, app
from tests.documentation.tables import table

_WIDTH = 100
# Described once, above the commands.
_SHARED = {"store", "segments", "cache", "json"}


def commands() -> str:
    """List the commands, and what each is for."""
    return table(
        ["Command", ""],
        [
            [f"[`metering {name}`](#metering-{name})", purpose]
            for name, (_, purpose) in COMMANDS.items()
        ],
    )


def command_help() -> str:
    """Print the help of every command, but for the options that all of them share.

    A command that takes nothing but an id is in the help of its group.
    """
    written = []
    for name, command in all_commands():
        of_a_group = name.count(" ") > 1
        own = [each for each in command.params if each.name not in _SHARED]
        if of_a_group and not any(each.param_type_name == "option" for each in own):
            continue
        level = "####" if of_a_group else "###"
        written.append(f"\n{level} {name}\n\n```text\n{_help(name, command)}\n```\n")
    return "".join(written) + "\n"


def environment() -> str:
    """List the variables that stand for options."""
    options = {
        option.envvar: (option.opts[0], option.help)
        for _, command in all_commands()
        for option in command.params
        if isinstance(option, TyperOption) and option.envvar
    }
    return table(
        ["Variable", "Option", ""],
        sorted(
            [f"`{name}`", f"`{option}`", str(text)]
            for name, (option, text) in options.items()
        ),
    )


def all_commands() -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    root = get_command(app)
    assert isinstance(root, TyperGroup), "it has commands"
    context = typer.Context(root)
    for name in COMMANDS:
        command = root.get_command(context, name)
        assert isinstance(command, TyperCommand | TyperGroup), "typer made it"
        yield f"metering {name}", command
        if isinstance(command, TyperGroup):
            for inner, subcommand in command.commands.items():
                assert isinstance(subcommand, TyperCommand), "typer made it"
                if inner != "list":
                    yield f"metering {name} {inner}", subcommand


def _help(name: str, command: TyperCommand | TyperGroup) -> str:
    context = typer.Context(
        command, info_name=name, terminal_width=_WIDTH, max_content_width=_WIDTH
    )
    formatter = context.make_formatter()
    shown = copy(command)
    shown.add_help_option = False
    shown.params = [each for each in command.params if each.name not in _SHARED]
    shown.format_help(context, formatter)
    return formatter.getvalue().strip()
