"""``metering status``: how far a store is, whichever processes work on it."""

from __future__ import annotations

import metering
from metering.cli.screens.screen import print_document, show, show_pairs
from metering.cli.screens.text import number
from metering.cli.signatures import JsonOption, on_target
from metering.cli.targets import StoreTarget


@on_target()
def status(target: StoreTarget, *, json: JsonOption = False) -> None:
    """Show how far the log is evaluated and sealed, and what is still to be delivered.

    Work that stands still here stands still in every process. Why it does, a process
    says of itself: metering worker and metering serve print it, and GET
    /metering/v1/health and GET /metrics of a server answer with it.
    """
    with target.open() as m:
        found = m.status()
    if json:
        print_document(found)
    else:
        _show(found)


def _show(found: metering.StoreStatus) -> None:
    show_pairs(
        [
            ("position", found.position),
            ("events", found.event_count),
            ("evaluated", found.evaluated_position),
            ("sealed", found.sealed_position),
            ("to deliver", found.pending_deliveries),
            ("since", found.pending_since),
        ]
    )
    if found.branch_of is not None and found.branch_position is not None:
        position = number(found.branch_position)
        show(
            f"A branch of {found.branch_of} at position {position}: no webhook is sent"
            " from it",
            style="bold",
        )
    if found.ahead_seconds:
        ahead = f"{number(found.ahead_seconds)} seconds ahead of the real time"
        show(f"The log's time is {ahead}; see metering repair time", style="bold red")
    for loop in found.loops:
        if loop.message is not None:
            show(f"{loop.name}: {loop.message}", style="bold red")
