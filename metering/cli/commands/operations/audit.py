"""``metering audit``: how much of a store was compared with its log, and a pass now."""

from __future__ import annotations

from typing import Annotated

import typer

import metering
from metering.cli.door import FAILED, saying_what_is_safe
from metering.cli.screens.progress import progress_bar
from metering.cli.screens.screen import (
    Column,
    print_document,
    show,
    show_pairs,
    show_table,
)
from metering.cli.screens.text import number
from metering.cli.signatures import JsonOption, on_target
from metering.cli.targets import StoreTarget


@on_target()
def audit(
    target: StoreTarget,
    *,
    now: Annotated[
        bool,
        typer.Option("--now", help="Make a pass first, without a rest."),
    ] = False,
    files: Annotated[
        bool,
        typer.Option(
            "--files", help="Read the whole files of segments in that pass as well."
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show how much of the store was compared with its log, by meter and by segment.

    metering worker audits by itself. Exits with 1 if the last pass found a difference.
    """
    safe = "Interrupted; auditing changes nothing, and the next pass goes on"
    with saying_what_is_safe(safe), target.open() as m:
        if now or files:
            with progress_bar("Auditing") as advance:
                made = m.audit.run(advance, files=files)
            if made is None and not json:
                show("Another process makes a pass")
        found = m.audit.status()
    if json:
        print_document(found)
    else:
        _show(found)
    if found.ok is False:
        raise typer.Exit(FAILED)


def _show(found: metering.AuditStatus) -> None:
    last = found.last_pass
    if last is None:
        show("Never audited; metering worker does, and metering audit --now")
        return
    show_pairs(
        [
            ("position", found.position),
            ("audited up to", last.position),
            ("ended", last.ended),
            ("entries", last.entries),
            ("present", last.entries_present),
            ("hourly totals", last.hourly_totals),
            ("explained", last.hourly_totals_explained),
        ]
    )
    meters: tuple[Column[metering.AuditedMeter], ...] = (
        Column("meter", lambda each: each.event_name),
        Column("audited", lambda each: each.audited),
        Column("up to", lambda each: each.position, is_number=True),
        Column("hours", lambda each: each.hourly_totals, is_number=True),
        Column("differing", lambda each: each.hourly_totals_differing, is_number=True),
    )
    show_table(meters, found.meters)
    segments: tuple[Column[metering.AuditedSegment], ...] = (
        Column("segment", lambda each: each.name),
        Column("up to", lambda each: each.last_position, is_number=True),
        Column("audited", lambda each: each.audited),
        Column("file audited", lambda each: each.file_audited),
    )
    if found.segments:
        show_table(segments, found.segments)
    for difference in last.differences:
        show(difference, style="bold red")
    if found.ok:
        show("Audited: nothing differs", style="bold green")
    else:
        show(f"Differences: {number(last.difference_count)}", style="bold red")
