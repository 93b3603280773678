"""``metering corrections``: events cancelled and replaced, shown before it is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import metering
from metering.arguments.pages import LIMIT_MAX
from metering.cli.interrupts import load_queries
from metering.cli.options import FieldOption, argument, option, option_time
from metering.cli.resource import Done, Listing, Resource
from metering.cli.screens.arrow_tables import show_rows
from metering.cli.screens.screen import Cell, Column, print_document, show
from metering.cli.screens.text import counted, second
from metering.cli.signatures import JsonOption
from metering.cli.targets import StoreTarget
from metering.corrections.requests import (
    ChangeParams,
    CorrectionApply,
    CorrectionRevert,
)
from metering.statements.tables import plain_rows

_CorrectedFileArgument = Annotated[
    Path | None,
    argument(
        "[FILE]",
        "Events as they should be, in any format that can be ingested: each replaces the"
        " one of its event name and identifier.",
    ),
]
_CorrectedEventNameOption = Annotated[
    str | None, FieldOption(ChangeParams, "event_name")
]
_CorrectedIdentifierOption = Annotated[
    list[str] | None,
    option("IDENTIFIER", "Exactly this event; may be given several times."),
]
_CorrectedCustomerOption = Annotated[str | None, FieldOption(ChangeParams, "customer")]
_CorrectedStartOption = Annotated[
    str | None, option("TIME", "Only events at this time or later.")
]
_CorrectedEndOption = Annotated[
    str | None, option("TIME", "Only events before this time.")
]
_CorrectedCancelOption = Annotated[
    bool, typer.Option("--cancel", help="Cancel these events.")
]
_CorrectedSetValueOption = Annotated[
    str | None, option("VALUE", "Replace them by events of this value.")
]
_CorrectedSetCustomerOption = Annotated[
    str | None, option("CUSTOMER", "Replace them by events of this customer.")
]
_CorrectionArgument = Annotated[str, argument("CORRECTION", "Its id.")]


def _details(_: metering.Metering, made: metering.Correction) -> list[tuple[str, Cell]]:
    return [
        ("id", made.id),
        ("cancelled", counted(made.cancelled, "event")),
        ("replaced", counted(made.replaced, "event")),
        ("reason", made.reason),
        ("author", made.author),
        ("status", made.status),
        ("created", f"{second(made.created)} UTC"),
        ("positions", f"{made.position} to {made.last_position}"),
    ]


CORRECTIONS = Resource(
    details=_details,
    argument=_CorrectionArgument,
    calls=lambda m: m.corrections,
)


@CORRECTIONS.lists
def corrections(m: metering.Metering) -> Listing[metering.Correction]:
    """List corrections, newest first; or preview, apply or revert one."""
    found = m.corrections.list(limit=LIMIT_MAX)
    return Listing(found.auto_paging_iter(), _columns, none="No corrections.")


@CORRECTIONS.add
def preview(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    file: _CorrectedFileArgument = None,
    *,
    event_name: _CorrectedEventNameOption,
    identifier: _CorrectedIdentifierOption = None,
    customer: _CorrectedCustomerOption,
    start_time: _CorrectedStartOption = None,
    end_time: _CorrectedEndOption = None,
    cancel: _CorrectedCancelOption = False,
    set_value: _CorrectedSetValueOption = None,
    set_customer: _CorrectedSetCustomerOption = None,
    json: JsonOption = False,
) -> None:
    """Show what a correction would change, and change nothing.

    Usage by customer, meter and day, lines of statements that would drift, alerts that
    would trigger, and credit balances, in minor units. Times are ISO 8601.
    """
    changes = _changes(
        file, event_name, identifier, customer, (start_time, end_time), cancel,
        (set_value, set_customer),
    )  # fmt: skip
    load_queries()
    with target.open() as m:
        impact = m.corrections.preview(changes)
    tables = {
        "usage": impact.usage,
        "statements": impact.statements,
        "alerts": impact.alerts,
        "balances": impact.balances,
    }
    if json:
        rows = {name: plain_rows(table) for name, table in tables.items()}
        counts = {"cancelled": impact.cancelled, "replaced": impact.replaced}
        print_document({"position": impact.position, **counts, **rows})
        return
    show(
        f"Would cancel {counted(impact.cancelled, 'event')}, and replace"
        f" {counted(impact.replaced, 'event')} of them",
        style="bold",
    )
    for name, table in tables.items():
        if table.num_rows:
            show(name.capitalize(), style="bold")
            show_rows(table, None)
        else:
            show(f"{name.capitalize()}: nothing changes")


@CORRECTIONS.command()
def apply(  # noqa: PLR0913  # a command's options are its arguments
    m: metering.Metering,
    file: _CorrectedFileArgument = None,
    *,
    event_name: _CorrectedEventNameOption,
    identifier: _CorrectedIdentifierOption = None,
    customer: _CorrectedCustomerOption,
    start_time: _CorrectedStartOption = None,
    end_time: _CorrectedEndOption = None,
    cancel: _CorrectedCancelOption = False,
    set_value: _CorrectedSetValueOption = None,
    set_customer: _CorrectedSetCustomerOption = None,
    reason: Annotated[str, FieldOption(CorrectionApply)],
    author: Annotated[str, FieldOption(CorrectionApply)],
) -> Done:
    """Cancel and replace events, all of them or none. Times are ISO 8601."""
    changes = _changes(
        file, event_name, identifier, customer, (start_time, end_time), cancel,
        (set_value, set_customer),
    )  # fmt: skip
    made = m.corrections.apply(changes, reason=reason, author=author)
    of = f"{counted(made.cancelled, 'event')} cancelled, {made.replaced} replaced"
    return Done(made, f"Applied {made.id}: {of}")


CORRECTIONS.actions(retrieve="Show a correction.")


@CORRECTIONS.command()
def revert(
    m: metering.Metering,
    correction: _CorrectionArgument,
    *,
    reason: Annotated[str | None, FieldOption(CorrectionRevert)],
    author: Annotated[str | None, FieldOption(CorrectionRevert)],
) -> Done:
    """Let events count as before a correction."""
    made = m.corrections.revert(correction, reason=reason, author=author)
    return Done(made, f"Reverted {made.id}: events count as before")


def _changes(  # noqa: PLR0913, PLR0917  # as options give them
    file: Path | None,
    event_name: str | None,
    identifiers: list[str] | None,
    customer: str | None,
    times: tuple[str | None, str | None],
    is_cancelled: bool,  # noqa: FBT001  # a flag
    different: tuple[str | None, str | None],
) -> Any:
    """Return what options or a file say is to be changed."""
    value, whose = different
    replace: dict[str, Any] = {}
    if value is not None:
        replace["value"] = value
    if whose is not None:
        replace["customer"] = whose
    if [file is not None, is_cancelled, bool(replace)].count(True) != 1:
        raise typer.BadParameter(
            "give a file, --cancel, or --set-value and --set-customer"
        )
    if file is not None:
        return file
    change: dict[str, Any] = {"type": "cancel" if is_cancelled else "replace"}
    start, end = times
    conditions = {
        "event_name": event_name,
        "identifiers": identifiers or None,
        "customer": customer,
        "start_time": None if start is None else option_time(start, "--start-time"),
        "end_time": None if end is None else option_time(end, "--end-time"),
        "replace": replace or None,
    }
    given = {name: each for name, each in conditions.items() if each is not None}
    return [{**change, **given}]


def _columns(
    _: Sequence[metering.Correction],
) -> list[Column[metering.Correction]]:
    return [
        Column("created", lambda each: f"{second(each.created)} UTC"),
        Column("author", lambda each: each.author),
        Column("reason", lambda each: each.reason),
        Column("cancelled", lambda each: str(each.cancelled), is_number=True),
        Column("replaced", lambda each: str(each.replaced), is_number=True),
        Column("status", lambda each: each.status),
        Column("id", lambda each: each.id, is_whole=True),
    ]


group = CORRECTIONS.group
