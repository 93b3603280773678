"""``metering demo``: a day and a half of a language-model API, metered before your eyes.

Everything goes through the public library, and is shown by the screens of the other
commands. The demo can be run again, also after an interruption or on another day, and
comes to the same totals: its traffic is made from a seed and ends where its first meter
was created, which the store remembers.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import typer

import metering
from metering.cli.commands.operations.upkeep import verified_document
from metering.cli.demo.billing import billed
from metering.cli.demo.racing import raced
from metering.cli.demo.stages import DemoStage, Progress
from metering.cli.demo.traffic import Traffic
from metering.cli.demo.usage import (
    FIRST_METER,
    METERS,
    cancelled,
    disputed,
    most_active,
    sent,
    shown_usage,
    watch,
    watched,
)
from metering.cli.door import FAILED, saying_what_is_safe
from metering.cli.errors import ForeignStoreError
from metering.cli.options import option
from metering.cli.screens.progress import progress_bar
from metering.cli.screens.screen import print_document, show, show_command, show_pairs
from metering.cli.screens.text import number, program
from metering.cli.signatures import JsonOption, on_target
from metering.cli.targets import StoreTarget

HOURS = 36
_BATCH = 500_000
_CONFLICTS = 5
_ROWS_PER_CONFLICT = 1_000
_NAMES = (
    *("amber", "ash", "birch", "cedar", "cobalt", "coral", "delta", "ember", "fern"),
    *("flint", "garnet", "harbor", "hazel", "iris", "juniper", "lark", "linden"),
    *("maple", "marble", "mesa", "north", "onyx", "opal", "pine", "quartz", "river"),
    *("sage", "slate", "summit", "thistle"),
)
_DemoStoreOption = Annotated[
    str, option("PATH|URL", "A store of its own, never that of METERING_STORE.")
]


@on_target(store=(_DemoStoreOption, "demo"))
def demo(
    target: StoreTarget,
    *,
    events: Annotated[int, option("N", "How many rows to send.", min=1)] = 1_000_000,
    seed: Annotated[
        int, option("N", "Another seed makes other events.", min=0, max=2**31)
    ] = 1,
    json: JsonOption = False,
) -> None:
    """Meter a day and a half of a language-model API, and show it.

    The store stays. Running the demo again sends the same events, and all of them are
    duplicates: an interrupted demo can be finished, with the same totals.
    """
    progress = Progress(total=events)
    document: dict[str, object] = {"store": target.name}
    is_right = True
    with saying_what_is_safe(progress.sentence), target.open(create=True) as m:
        traffic = demo_traffic(_end_of_traffic(m, target.name), events, seed)
        if not json:
            title = f"{HOURS} hours of a language-model API, metered into {target.name}"
            show(title, style="bold")
        for stage in _stages(m, traffic, progress):
            document[stage.name] = stage.document
            is_right &= stage.is_right
            if not json:
                show()
                stage.show()
    if json:
        print_document(document)
    else:
        _show_next_commands(target, document)
    if not is_right:
        raise typer.Exit(FAILED)


def demo_traffic(end: datetime, rows: int, seed: int) -> Traffic:
    """Make the traffic of the demo, which ends at a whole hour.

    A few of the rows are left for conflicts with it. Traffic of another size is other
    traffic, so that one store can hold both.
    """
    return Traffic(
        rows - min(_CONFLICTS, rows // _ROWS_PER_CONFLICT),
        _BATCH,
        seed=(seed * 1_000_003 + rows) % 2**28,
        start=end - timedelta(hours=HOURS),
        end=end,
        has_nights=True,
        customer_of=_customer,
    )


def _customer(rank: int) -> str:
    turn, at = divmod(rank, len(_NAMES))
    return f"cus_{_NAMES[at]}_{turn}" if turn else f"cus_{_NAMES[at]}"


def _end_of_traffic(m: metering.Metering, store: str) -> datetime:
    """Find or create the meters, and return the hour in which the first was created.

    Raises:
        ForeignStoreError: the store holds what the demo did not make.
    """
    found = {meter.event_name: meter for meter in m.meters.list()}
    if found and FIRST_METER not in found:
        raise ForeignStoreError(store, next(iter(found)))
    for event_name, (formula, display_name) in METERS.items():
        meter = found.get(event_name)
        if meter is None:
            found[event_name] = m.meters.create(
                display_name=display_name,
                event_name=event_name,
                default_aggregation={"formula": formula},
            )
        elif meter.default_aggregation.formula != formula:
            raise ForeignStoreError(store, event_name)
    return found[FIRST_METER].created.replace(minute=0, second=0, microsecond=0)


def _stages(
    m: metering.Metering, traffic: Traffic, progress: Progress
) -> Iterator[DemoStage]:
    alert = watch(m, progress.total)
    yield sent(m, traffic, progress)
    yield watched(m, alert)
    yield cancelled(m, traffic)
    customers = most_active(m, traffic)
    yield shown_usage(m, traffic, customers)
    for heaviest in customers[:1]:
        yield disputed(m, traffic, heaviest.customer)
        yield billed(m, traffic, heaviest.customer)
    yield raced(m)
    yield _verified(m)


def _verified(m: metering.Metering) -> DemoStage:
    with progress_bar("Verifying") as advance:
        report = m.verify(advance)

    def show_it() -> None:
        for problem in report.problems:
            show(problem, style="bold red")
        if report.ok:
            checked = (
                f"{number(report.entries)} entries in {number(report.commits)} commits"
            )
            show(f"Verified {checked}: nothing is wrong", style="bold green")
        show_pairs([("digest", report.digest)])

    return DemoStage("verified", verified_document(report), show_it, is_right=report.ok)


def _show_next_commands(target: StoreTarget, document: dict[str, object]) -> None:
    """Show commands that work as they are on the store that was made."""
    called = program()
    on = f" --store {shlex.quote(target.store)}" if target.name == target.store else ""
    commands = ["meters"]
    if isinstance(dispute := document.get("dispute"), dict):
        name, customer = dispute["event_name"], dispute["customer"]
        identifier = dispute["identifier"]
        end = f"{dispute['timestamp'] + timedelta(days=90):%Y-%m-%d}"
        commands += [
            f"summaries {name} --customer {customer} --by hour",
            f"events --event-name {name} --customer {customer} --limit 5",
            f"events cancel {name} {identifier}",
            "prices",
            f"statements --customer {customer}",
            f"credits --customer {customer}",
            f"credits transactions --customer {customer}",
            f"credits history --customer {customer} --end {end}",
        ]
    commands += ["alerts triggered", "rebuild", "verify --json"]
    show()
    show("Try next", style="bold")
    for command in commands:
        show_command(f"{called} {command}{on}")
    if not on:
        show("They find the database if METERING_STORE is its URL.", style="dim")
