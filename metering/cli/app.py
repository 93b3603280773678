"""The command line's entry point: ``metering``."""

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from metering.cli.commands.alerts import alerts_app
from metering.cli.commands.credits import credits_app
from metering.cli.commands.events import events_app
from metering.cli.commands.ingest import ingest
from metering.cli.commands.ingest_options import EPILOG
from metering.cli.commands.keys import keys_app
from metering.cli.commands.meters import meters_app
from metering.cli.commands.query import EPILOG as SQL_EPILOG
from metering.cli.commands.query import sql
from metering.cli.commands.reaggregate import reaggregate
from metering.cli.commands.serve import serve
from metering.cli.commands.summaries import summaries
from metering.cli.commands.upkeep import rebuild, seal, verify
from metering.cli.commands.webhooks import webhooks_app
from metering.cli.commands.worker import worker
from metering.cli.demo.command import demo
from metering.cli.door import Door
from metering.cli.stores import PLACES, Places

app = typer.Typer(
    cls=Door,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def places(
    *,
    segments: Annotated[
        str | None,
        typer.Option(
            envvar="METERING_SEGMENTS",
            metavar="PATH|URL",
            help="Where sealed usage lies, if not beside the store: a directory, or an"
            " object store such as s3://bucket/prefix. Goes before the command.",
        ),
    ] = None,
    cache: Annotated[
        str | None,
        typer.Option(
            envvar="METERING_CACHE",
            metavar="PATH",
            help="A local directory for what is derived from segments. Goes before the"
            " command.",
        ),
    ] = None,
) -> None:
    """Meter usage: record events once, correct them, sum them up exactly."""
    PLACES.set(Places(segments=segments, cache=cache))


app.command()(demo)
app.command(epilog=EPILOG)(ingest)
app.add_typer(meters_app, name="meters")
app.add_typer(events_app, name="events")
app.command()(summaries)
app.add_typer(credits_app, name="credits")
app.add_typer(alerts_app, name="alerts")
app.add_typer(webhooks_app, name="webhooks")
app.command()(worker)
app.command()(serve)
app.add_typer(keys_app, name="keys")
app.command()(reaggregate)
app.command(epilog=SQL_EPILOG)(sql)
app.command()(seal)
app.command()(rebuild)
app.command()(verify)


def main() -> None:
    """Run the command that the arguments name."""
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, TextIOWrapper), "a command has streams of its own"
        # Names in any script must not end a command on a screen that lacks them.
        stream.reconfigure(errors="backslashreplace")
    app()
