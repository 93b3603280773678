"""``metering copy`` and ``export``: a store on another database, and as Parquet."""

from __future__ import annotations

from time import perf_counter
from typing import Annotated

import typer

import metering
from ledger.database.shown_addresses import shown_address
from metering.cli.commands.operations.backups import BackupArgument, show_made
from metering.cli.door import saying_what_is_safe
from metering.cli.options import option
from metering.cli.screens.progress import progress_bar
from metering.cli.screens.screen import print_document, show
from metering.cli.screens.text import counted, number
from metering.cli.signatures import (
    PLACES,
    GivenOptions,
    JsonOption,
    command_of,
    extended,
    on_target,
)
from metering.cli.targets import StoreTarget, given, refuse_store


def _copy(
    places: tuple[str | None, str | None],
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="The store: a directory or a URL.",
            show_default=False,
        ),
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="Where there is no store: a directory, or the URL of a PostgreSQL"
            " database.",
            show_default=False,
        ),
    ],
    *,
    source_segments: Annotated[
        str | None,
        option("PATH|URL", "Where the source's sealed usage lies, if not beside it."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Copy a store to another database or segment store, with equal digests.

    The copy is as of one position, and goes on under an epoch of its own. To move a
    store, end its processes first. --segments and --cache are those of the copy.
    """
    segments, cache = places
    safe = "Interrupted; there is no copy yet, and the next command makes up the rest"
    start = perf_counter()
    with saying_what_is_safe(safe), progress_bar("Copying") as advance:
        made = metering.copy(
            source,
            target,
            source_segments=source_segments,
            segments=segments,
            cache=cache,
            progress=advance,
        )
    show_made("Copied", made, shown_address(target), start, json=json)


def _run(ctx: typer.Context, own: GivenOptions, shared: GivenOptions) -> None:
    refuse_store(ctx)
    segments, cache = (given(ctx, name) for name in shared)
    _copy((segments, cache), **own)


_SHARED = {name: PLACES[name] for name in ("segments", "cache")}
copy = command_of(extended(_copy, _SHARED, _run))


@on_target()
def export(
    target: StoreTarget, place: BackupArgument, *, json: JsonOption = False
) -> None:
    """Write everything that the log says as Parquet, while the store is used.

    events-*.parquet has the events, with whether they were cancelled, facts-*.parquet
    every other entry as JSON, table-*.parquet the tables that follow. export.json names
    every file, and the position and digest that they are of.
    """
    safe = "Interrupted; there is no export yet, and the next command makes it anew"
    start = perf_counter()
    with (
        saying_what_is_safe(safe),
        target.open() as m,
        progress_bar("Exporting") as advance,
    ):
        made = m.export(place, advance)
    seconds = perf_counter() - start
    if json:
        print_document({**made.to_dict(), "seconds": round(seconds, 3)})
        return
    show(
        f"Exported up to position {number(made.position)}:"
        f" {counted(made.events, 'event')} and {counted(made.facts, 'fact')},"
        f" {number(made.bytes)} bytes in {counted(len(made.files), 'file')},"
        f" {seconds:.1f} s"
    )
