"""``metering seal``, ``rebuild`` and ``verify``: where the log lies, what follows, proof."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

import metering
from metering.cli.commands.operations.worker import complain_of_readers
from metering.cli.door import FAILED, saying_what_is_safe
from metering.cli.files import read_checkpoint, write_checkpoint
from metering.cli.options import option
from metering.cli.screens.progress import Advance, progress_bar
from metering.cli.screens.screen import print_document, show, show_pairs
from metering.cli.screens.text import counted, number
from metering.cli.signatures import JsonOption, on_target
from metering.cli.targets import StoreTarget

_FIRST_SOUND_SQLITE = (3, 51, 3)
_REPORTED = (
    *("ok", "position", "commits", "entries", "segments", "digest", "epoch"),
    "problems",
)


@on_target()
def seal(target: StoreTarget, *, json: JsonOption = False) -> None:
    """Move recorded usage into segments: Parquet files that any engine reads.

    Stores seal by themselves when half a million events, 50,000 commits or 128 MB have
    gathered.
    """
    safe = "Interrupted; the log is as it was, and the next sealing makes up the rest"
    start = perf_counter()
    with _at_work(target, "Sealing", safe) as (m, advance):
        segments = m.seal(advance)
        position = m.position
    seconds = perf_counter() - start
    if json:
        document = {"segments": segments, "position": position}
        print_document({**document, "seconds": round(seconds, 3)})
    elif segments:
        made = f"{counted(segments, 'segment')} in {seconds:.1f} s"
        show(f"Sealed the usage up to position {number(position)}: {made}")
    else:
        show("Nothing to seal, or another process is at it")


@on_target()
def rebuild(target: StoreTarget, *, json: JsonOption = False) -> None:
    """Rebuild everything that follows from the log."""
    safe = "Interrupted; the log is as it was, and the next command makes up the rest"
    start = perf_counter()
    with _at_work(target, "Rebuilding", safe) as (m, advance):
        m.rebuild(advance)
        position = m.position
    seconds = perf_counter() - start
    if json:
        print_document({"position": position, "seconds": round(seconds, 3)})
    else:
        show(f"Rebuilt up to position {number(position)} in {seconds:.1f} s")


@on_target()
def verify(
    target: StoreTarget,
    *,
    checkpoint: Annotated[
        Path | None,
        option(
            "FILE",
            "Check against the position and digest in this file, if it exists, and"
            " save the new ones there if nothing is wrong.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check the log, its segments, and what follows from them.

    The digest stands for everything up to the position: kept outside the store, it
    proves later that nothing before it was changed or cut off. Exits with 1 if something
    is wrong.
    """
    from ledger.database.sqlite import LIBRARY_VERSION

    saved = read_checkpoint(checkpoint)
    safe = "Interrupted; verifying changes nothing"
    with _at_work(target, "Verifying", safe) as (m, advance):
        report = m.verify(advance, checkpoint=saved)
    complain_of_readers(target)
    if checkpoint is not None and report.ok:
        write_checkpoint(checkpoint, report.checkpoint)
    version = None if "://" in target.store else LIBRARY_VERSION
    if json:
        print_document({**verified_document(report), "sqlite_version": version})
    else:
        _show(report, version)
        if checkpoint is not None and report.ok:
            _show_checkpoint(checkpoint, saved)
    if not report.ok:
        raise typer.Exit(FAILED)


@contextmanager
def _at_work(
    target: StoreTarget, work: str, safe: str
) -> Iterator[tuple[metering.Metering, Advance]]:
    """Open a store, and show how far the work is that the block does."""
    with saying_what_is_safe(safe), target.open() as m, progress_bar(work) as advance:
        yield m, advance


def verified_document(report: metering.VerifyReport) -> dict[str, object]:
    """Return what a verification found, for programs."""
    return {name: getattr(report, name) for name in _REPORTED}


def _show(report: metering.VerifyReport, sqlite_version: str | None) -> None:
    show_pairs(
        [
            ("position", report.position),
            ("commits", report.commits),
            ("entries", report.entries),
            ("segments", report.segments),
            ("digest", report.digest),
            ("SQLite", sqlite_version and _judged(sqlite_version)),
        ]
    )
    for problem in report.problems:
        show(problem, style="bold red")
    if report.ok:
        show("Verified: nothing is wrong", style="bold green")
    else:
        show(f"Problems: {number(len(report.problems))}", style="bold red")


def _show_checkpoint(path: Path, before: metering.Checkpoint | None) -> None:
    if before is None:
        show(f"Saved the first checkpoint in {path}; keep it outside the store")
    else:
        position = number(before.position)
        show(
            f"The log goes on from the checkpoint at position {position}; saved the new"
            f" one in {path}"
        )


def _judged(version: str) -> str:
    """Return what a version of SQLite means for the log."""
    if tuple(int(part) for part in version.split(".")) >= _FIRST_SOUND_SQLITE:
        return version
    return (
        f"{version}; before 3.51.3 two connections that checkpoint and commit at once"
        " can corrupt a file; here checkpoints run only under the write lock, so this"
        " store is safe from that"
    )
