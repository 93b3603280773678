"""``metering repair``: what a wrong clock did to a store is put right, as a fact."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from typer.main import get_group

import metering
from metering.cli.options import option, time_option
from metering.cli.screens.screen import print_document, show, show_command, show_pairs
from metering.cli.screens.text import counted
from metering.cli.signatures import JsonOption, taking_target
from metering.cli.targets import StoreTarget

_INVOICES_SHOWN = 20

_app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)


@_app.callback()
def _repair() -> None:
    """Repair what a wrong clock did to a store."""


def time(
    target: StoreTarget,
    *,
    to: Annotated[
        datetime | None,
        time_option(
            "--to",
            "What was recorded later counts as recorded then: not before the last right"
            " entry, and not after the real time.",
        ),
    ] = None,
    reason: Annotated[
        str, option("TEXT", "Why, for people who read the log.")
    ] = "a clock was wrong",
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what would be corrected."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Bring the log's time back, after a clock was ahead.

    An entry by a clock that is ahead takes the log's time with it: credits expire, and
    deliveries wait. This records a fact, from which on what was recorded later than --to
    counts as recorded then. What was written and its digests stay. --dry-run shows
    between which times --to can lie, and what was decided meanwhile.

    Times are ISO 8601, in UTC unless they say otherwise, or whole seconds since 1970.
    """
    with target.open() as m:
        made = m.log_time.repair(to, reason=reason, dry_run=dry_run)
    if json:
        print_document({"was_wrong": made.was_wrong, **made.to_dict()})
    else:
        _show(made)


def _show(made: metering.TimeRepair) -> None:
    if not made.was_wrong:
        show("Nothing to repair: the log's time is not ahead of the real time")
        return
    wrong = f"{made.after + 1} to {made.up_to}" if made.after + 1 < made.up_to else ""
    show_pairs(
        [
            ("log's time", made.recorded_until.isoformat()),
            ("real time", made.real_time.isoformat()),
            ("wrong positions", wrong or str(made.up_to)),
            ("right until", made.right_until and made.right_until.isoformat()),
            ("events", made.event_count),
            ("alerts triggered", made.triggered),
            ("grants expired", made.expired),
            ("invoices settled", len(made.invoices)),
        ]
    )
    if made.corrected_to is None:
        start = made.right_until.isoformat() if made.right_until else "the beginning"
        show(f"Nothing was recorded; repair with --to, from {start} to the real time")
    else:
        to = made.corrected_to.isoformat()
        show(f"Corrected to {to} at position {made.position}", style="bold green")
    if made.invoices:
        invoices = counted(len(made.invoices), "invoice")
        show(f"The wrong time settled {invoices}; settle them anew with their lines by")
        show_command("metering credits apply FILE --replace")
        more = len(made.invoices) - _INVOICES_SHOWN
        others = f", and {more} others" if more > 0 else ""
        show(", ".join(made.invoices[:_INVOICES_SHOWN]) + others)


_app.command()(taking_target(time))
group = get_group(_app)
