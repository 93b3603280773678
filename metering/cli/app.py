"""The command line's entry point: ``metering``."""

import sys
from io import TextIOWrapper

import typer

from metering.cli.demo import demo
from metering.cli.door import Door
from metering.cli.events import events_app
from metering.cli.ingest import ingest
from metering.cli.ingest_options import EPILOG
from metering.cli.meters import meters_app
from metering.cli.summaries import summaries
from metering.cli.upkeep import rebuild, verify

app = typer.Typer(
    cls=Door,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Meter usage: record events once, correct them, sum them up exactly.",
)
app.command()(demo)
app.command(epilog=EPILOG)(ingest)
app.add_typer(meters_app, name="meters")
app.add_typer(events_app, name="events")
app.command()(summaries)
app.command()(rebuild)
app.command()(verify)


def main() -> None:
    """Run the command that the arguments name."""
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, TextIOWrapper), "a command has streams of its own"
        # Names in any script must not end a command on a screen that lacks them.
        stream.reconfigure(errors="backslashreplace")
    app()
