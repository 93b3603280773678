"""``metering copy``: a store on another database, or with another segment store."""

from __future__ import annotations

from time import perf_counter
from typing import Annotated

import typer

import metering
from ledger.database.shown_addresses import shown_address
from metering.cli.commands.operations.backups import show_made
from metering.cli.door import saying_what_is_safe
from metering.cli.options import option
from metering.cli.screens.progress import progress_bar
from metering.cli.signatures import (
    PLACES,
    GivenOptions,
    JsonOption,
    command_of,
    extended,
)
from metering.cli.targets import given, refuse_store


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
