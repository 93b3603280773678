"""The commands of ``metering``, each of which is loaded when it is called.

`COMMANDS` says where each one is and what it is for; the help of all of them is written
from this table alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer._click.shell_completion import CompletionItem
from typer.core import TyperGroup

from metering.cli.door import Door
from metering.cli.targets import CacheOption, SegmentsOption, StoreOption
from metering.version import __version__

if TYPE_CHECKING:
    from typer.core import TyperCommand

COMMANDS = {
    "demo": ("demo.command:demo", "Meter a day of a language-model API, and show it"),
    "ingest": ("commands.ingest:ingest", "Record the events of files"),
    "meters": ("commands.meters:group", "List the meters; create and change them"),
    "events": (
        "commands.events:group",
        "List events as they were recorded; cancel one",
    ),
    "summaries": (
        "commands.summaries:summaries",
        "Show the usage of a customer on a meter",
    ),
    "explain": (
        "commands.explanations.explain:explain",
        "Show what a customer's usage is made of, to the event",
    ),
    "usage": ("commands.reaggregate:usage", "Sum up what every customer used"),
    "products": (
        "commands.prices.products:group",
        "List what is sold; create and change it",
    ),
    "prices": (
        "commands.prices.prices:group",
        "List what a quantity costs; create prices and try them",
    ),
    "customers": (
        "commands.subscriptions.customers:group",
        "List who is billed; create and change them",
    ),
    "subscriptions": (
        "commands.subscriptions.subscriptions:group",
        "List which prices customers pay; create, change and end",
    ),
    "features": (
        "commands.subscriptions.features:group",
        "Attach features to products; see which customers have them",
    ),
    "test-clocks": (
        "commands.subscriptions.test_clocks:group",
        "Let customers live by a time of their own, for rehearsals",
    ),
    "corrections": (
        "commands.corrections:group",
        "Cancel and replace events; preview, apply, revert",
    ),
    "statements": (
        "commands.statements.statements:group",
        "State what usage comes to; finalize, compare and run statements",
    ),
    "reports": (
        "commands.reports:group",
        "Write what the store holds as files: CSV or Parquet",
    ),
    "credits": (
        "commands.credits.credits:group",
        "Grant credits, and show what is left of them",
    ),
    "pools": (
        "commands.credits.pools:group",
        "Share credits among customers; create and change pools",
    ),
    "schedules": (
        "commands.credits.schedules:group",
        "Grant credits each period; change, pause and end",
    ),
    "limits": ("commands.credits.limits:group", "Limit what customers may spend"),
    "check": ("commands.credits.spending:check", "Check whether credits cover usage"),
    "spend": (
        "commands.credits.spending:spend",
        "Record usage only where credits cover it",
    ),
    "alerts": ("commands.alerts:group", "Watch usage and credits; list what triggered"),
    "webhooks": (
        "commands.webhooks:group",
        "Choose who receives events; list deliveries",
    ),
    "worker": (
        "commands.operations.worker:worker",
        "Evaluate alerts, deliver webhooks and seal, until stopped",
    ),
    "serve": (
        "commands.operations.serve:serve",
        "Serve Stripe's billing API over HTTP",
    ),
    "keys": ("commands.operations.keys:group", "List, create and revoke API keys"),
    "reaggregate": (
        "commands.reaggregate:reaggregate",
        "Recompute the usage of all customers from the events",
    ),
    "sql": ("commands.query:sql", "Run a SELECT over all events"),
    "branch": (
        "commands.rehearsals.branch:branch",
        "Make a store that begins as this one, to rehearse in",
    ),
    "diff": (
        "commands.rehearsals.diff:diff",
        "Show where two stores differ, customer by customer",
    ),
    "status": (
        "commands.operations.status:status",
        "Show how far the store is, and what is to be done",
    ),
    "seal": (
        "commands.operations.upkeep:seal",
        "Move recorded usage into Parquet segments",
    ),
    "rebuild": (
        "commands.operations.upkeep:rebuild",
        "Rebuild all that follows from the log",
    ),
    "verify": (
        "commands.operations.upkeep:verify",
        "Prove that the log is as it was recorded",
    ),
    "audit": (
        "commands.operations.audit:audit",
        "Show how much was compared with the log, and when",
    ),
    "backup": (
        "commands.operations.backups:backup",
        "Back the store up while it is used",
    ),
    "restore": (
        "commands.operations.backups:restore",
        "Make a store of a backup",
    ),
    "copy": (
        "commands.operations.copying:copy",
        "Copy a store to another database or segment store",
    ),
    "export": (
        "commands.operations.copying:export",
        "Write everything as Parquet",
    ),
    "repair": (
        "commands.operations.repair:group",
        "Repair what a wrong clock did to the store",
    ),
}


class Commands(Door):
    """The commands, in the order in which a newcomer needs them."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # Typer suggests these names for a misspelt one; `get_command` loads them.
        self.commands = dict.fromkeys(COMMANDS, self)

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # typer's own class
        """List the names of the commands."""
        del ctx
        return list(COMMANDS)

    def get_command(  # type: ignore[override]  # typer's own class
        self, ctx: typer.Context, cmd_name: str
    ) -> TyperCommand | TyperGroup | None:
        """Load a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: TyperCommand | TyperGroup = getattr(
            import_module(f"metering.cli.{module}"), name
        )
        return command

    def shell_complete(self, ctx: typer.Context, incomplete: str) -> list[Any]:  # type: ignore[override]  # typer's own classes
        """Complete the name of a command, without loading the others."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=purpose)
            for name, (_, purpose) in COMMANDS.items()
            if name.startswith(incomplete)
        ]

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # typer's own classes
        """Write what the commands are for, without loading them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, purpose) for name, (_, purpose) in COMMANDS.items()]
            )


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    # A traceback is as Python prints it: with no values of variables.
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    rich_markup_mode=None,
)


def _print_version(asked: bool) -> None:  # noqa: FBT001  # called by typer
    if asked:
        print(f"metering {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    store: StoreOption = None,
    segments: SegmentsOption = None,
    cache: CacheOption = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=_print_version,
            help="Print the version.",
        ),
    ] = False,
) -> None:
    """Meter usage: record events once, correct them, sum them up exactly.

    --store, --segments and --cache may stand before the command or after it.
    """
    # `StoreTarget.of` reads them, from the context.
    del store, segments, cache, version
