"""``metering test-clocks``: times by which customers live, for rehearsals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import metering
from metering.arguments.pages import LIMIT_MAX
from metering.cli.options import FieldOption, argument
from metering.cli.resource import Done, Listing, Resource
from metering.cli.screens.screen import Cell, Column
from metering.cli.screens.text import moment
from metering.test_clocks.requests import TestClockAdvance, TestClockCreate

_ClockArgument = Annotated[str, argument("CLOCK", "Its id.")]


def _details(m: metering.Metering, clock: metering.TestClock) -> list[tuple[str, Cell]]:
    customers = m.customers.list(test_clock=clock.id, limit=LIMIT_MAX)
    return [
        ("id", clock.id),
        ("name", clock.name),
        ("shows", f"{moment(clock.frozen_time)} UTC"),
        ("status", clock.status),
        ("customers", ", ".join(each.id for each in customers) or "none"),
        ("created", f"{moment(clock.created)} UTC"),
    ]


CLOCKS = Resource(
    details=_details, argument=_ClockArgument, calls=lambda m: m.test_clocks
)


@CLOCKS.lists
def test_clocks(m: metering.Metering) -> Listing[metering.TestClock]:
    """List test clocks, newest first; or create, advance or delete one.

    Customers that are created with --test-clock live by it, with all that belongs to them.
    """
    return Listing(
        m.test_clocks.list(limit=LIMIT_MAX).auto_paging_iter(),
        _columns,
        none="No test clocks; make one with test-clocks create.",
    )


@CLOCKS.command(creates=True)
def create(
    m: metering.Metering,
    *,
    frozen_time: Annotated[
        Any, FieldOption(TestClockCreate, metavar="TIME", name="--at")
    ],
    name: Annotated[str | None, FieldOption(TestClockCreate, metavar="TEXT")],
    customer: Annotated[str | None, FieldOption(TestClockCreate)],
) -> metering.TestClock:
    """Create a test clock, which is stopped at a time; and the store if there is none."""
    return m.test_clocks.create(frozen_time=frozen_time, name=name, customer=customer)


CLOCKS.actions(retrieve="Show a test clock, and who lives by it.")


@CLOCKS.command()
def advance(
    m: metering.Metering,
    clock: _ClockArgument,
    *,
    frozen_time: Annotated[
        Any, FieldOption(TestClockAdvance, metavar="TIME", name="--to")
    ],
) -> Done:
    """Advance a test clock, and record all that falls due until then."""
    made = m.test_clocks.advance(clock, frozen_time=frozen_time)
    return Done(made, f"{made.id} shows {moment(made.frozen_time)} UTC")


@CLOCKS.command()
def delete(m: metering.Metering, clock: _ClockArgument) -> Done:
    """Delete a test clock with its customers and their usage."""
    m.test_clocks.delete(clock)
    return Done({"id": clock, "deleted": True}, f"Deleted {clock}")


def _columns(_: Sequence[metering.TestClock]) -> list[Column[metering.TestClock]]:
    return [
        Column("name", lambda each: each.name),
        Column("shows (UTC)", lambda each: moment(each.frozen_time)),
        Column("status", lambda each: each.status),
        Column("test clock", lambda each: each.id, is_whole=True),
    ]


group = CLOCKS.group
