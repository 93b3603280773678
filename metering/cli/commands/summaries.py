"""``metering summaries``: the usage of a customer on a meter, in numbers and bars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Annotated

import typer

import metering
from metering.arguments.words import GroupingWindowName
from metering.cli.options import FieldOption, argument
from metering.cli.screens.screen import (
    Column,
    can_draw,
    print_document,
    show,
    show_table,
)
from metering.cli.screens.text import bar, moment, number, quantities
from metering.cli.signatures import JsonOption, on_target
from metering.cli.targets import StoreTarget, find_meter
from metering.meters.requests import EventSummaryList

_USUAL_TIME = timedelta(days=30)
_AHEAD = timedelta(minutes=5)
_BAR_WIDTH = 34


@on_target()
def summaries(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    meter: Annotated[str, argument("METER", "Its id or event name.")],
    *,
    customer: Annotated[str, FieldOption(EventSummaryList)],
    start: Annotated[
        datetime | None,
        FieldOption(
            EventSummaryList, "start_time", more="30 days before the end if left out."
        ),
    ] = None,
    end: Annotated[
        datetime | None,
        FieldOption(
            EventSummaryList, "end_time", more="Just ahead of now if left out."
        ),
    ] = None,
    by: Annotated[
        GroupingWindowName | None,
        FieldOption(EventSummaryList, "value_grouping_window"),
    ],
    fill: Annotated[
        bool, typer.Option("--fill", help="Include hours or days without usage.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show the usage of a customer on a meter, in numbers and bars.

    Times are ISO 8601, in UTC unless they say otherwise, or whole seconds since 1970.
    A window includes its start and excludes its end. Tables run from old to new, JSON (a
    list of summaries as in the API) from new to old.
    """
    if fill and by is None:
        raise typer.BadParameter("--fill needs --by")
    with target.open() as m:
        # Events may be a little ahead of the clock.
        end = end or m.now().replace(microsecond=0) + _AHEAD
        found = find_meter(m, meter)
        ask = partial(
            m.meters.event_summaries,
            found.id,
            customer=customer,
            start_time=start or end - _USUAL_TIME,
            end_time=end,
        )
        answers = ask(value_grouping_window=by, fill=fill)
        whole = answers if by is None or json else ask()
    if json:
        print_document(answers)
        return
    _show_whole(found, customer, whole[0])
    if by is not None:
        _show_windows(answers[::-1], by)


def _show_whole(
    meter: metering.Meter, customer: str, whole: metering.MeterEventSummary
) -> None:
    formula = meter.default_aggregation.formula
    show(f"{meter.display_name}, {formula}, of {customer}", style="bold")
    show(
        f"{moment(whole.start_time)} to {moment(whole.end_time)} UTC,"
        f" as of position {number(whole.position)}",
        style="dim",
    )
    show(quantities([whole.aggregated_value])[0], style="bold green")


def _show_windows(
    windows: Sequence[metering.MeterEventSummary], by: GroupingWindowName
) -> None:
    largest = max((each.aggregated_value for each in windows), default=Decimal(0))
    is_plain = not can_draw()

    def drawn(window: metering.MeterEventSummary) -> str:
        return bar(window.aggregated_value, largest, _BAR_WIDTH, is_plain=is_plain)

    show()
    if not windows:
        show(f"No {by} has usage.")
        return
    show_table(
        [
            Column(f"{by} (UTC)", lambda window: _window_name(window.start_time, by)),
            Column("usage", lambda window: window.aggregated_value),
            Column("", drawn, style="cyan"),
        ],
        windows,
    )


def _window_name(start: datetime, by: GroupingWindowName) -> str:
    """Name a window by its start, which the bounds may have moved."""
    name = moment(start)
    if by == "day":
        return name.removesuffix(" 00:00:00")
    return name.removesuffix(":00")
