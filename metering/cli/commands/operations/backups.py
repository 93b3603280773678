"""``metering backup`` and ``restore``: a store copied while it is used, and made again."""

from __future__ import annotations

from time import perf_counter
from typing import Annotated

import typer

import metering
from metering.cli.door import saying_what_is_safe
from metering.cli.screens.progress import progress_bar
from metering.cli.screens.screen import print_document, show, show_command
from metering.cli.screens.text import counted, number
from metering.cli.signatures import JsonOption, on_target
from metering.cli.targets import StoreTarget

BackupArgument = Annotated[
    str,
    typer.Argument(
        metavar="PATH|URL",
        help="A directory, or an object store such as s3://bucket/prefix.",
        show_default=False,
    ),
]


@on_target()
def backup(
    target: StoreTarget, place: BackupArgument, *, json: JsonOption = False
) -> None:
    """Back the store up to a directory or an object store, while it is used.

    What was acknowledged before it began is in the backup. The next one into the same
    place copies only what is new, and takes the place of the one before once it is whole.
    """
    safe = "Interrupted; the backup before is as it was, and the next one makes up the rest"
    start = perf_counter()
    with (
        saying_what_is_safe(safe),
        target.open() as m,
        progress_bar("Backing up") as advance,
    ):
        made = m.backup(place, advance)
    seconds = perf_counter() - start
    if json:
        print_document({**made.to_dict(), "seconds": round(seconds, 3)})
        return
    copied = counted(made.copied_files, "file")
    show(
        f"Backed up to position {number(made.position)}: {copied} of"
        f" {number(made.files)} copied, {number(made.copied_bytes)} bytes in"
        f" {seconds:.1f} s"
    )


@on_target()
def restore(
    target: StoreTarget, place: BackupArgument, *, json: JsonOption = False
) -> None:
    """Make the store that --store names of a backup, where there is none.

    It may be on another database than the one that was backed up, and goes on under an
    epoch of its own.
    """
    safe = "Interrupted; there is no store yet, and the next command makes up the rest"
    start = perf_counter()
    with saying_what_is_safe(safe), progress_bar("Restoring") as advance:
        made = metering.restore(
            place,
            target.store,
            segments=target.segments,
            cache=target.cache,
            progress=advance,
        )
    show_made("Restored", made, target.name, start, json=json)


def show_made(
    verb: str, made: metering.RestoreReceipt, name: str, start: float, *, json: bool
) -> None:
    """Show a store that was made, since an instant of the monotonic clock."""
    seconds = perf_counter() - start
    if json:
        print_document({**made.to_dict(), "seconds": round(seconds, 3)})
        return
    segments = counted(made.segments, "segment")
    show(
        f"{verb} to position {number(made.position)}: {segments},"
        f" {number(made.bytes)} bytes in {seconds:.1f} s"
    )
    show("Prove it by")
    show_command(f"metering verify --store {name}")
