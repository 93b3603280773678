"""``metering summaries``: the usage of a customer on a meter, in numbers and bars."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal

import typer

import metering
from metering.arguments.clock import SystemClock
from metering.cli.options import DEFAULT_STORE, JsonOption, StoreOption, option_time
from metering.cli.screens.documents import print_document
from metering.cli.screens.screen import Column, can_draw, show, show_table
from metering.cli.screens.text import bar, moment, number, quantities
from metering.cli.stores import find_meter, open_store

_USUAL_TIME = timedelta(days=30)
# Events may be this far ahead.
_AHEAD = timedelta(minutes=5)
_BAR_WIDTH = 34


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    meter: metering.Meter
    customer: str
    start_time: datetime
    end_time: datetime


def summaries(  # noqa: PLR0913  # a command's options are its arguments
    meter: Annotated[str, typer.Argument(metavar="METER", help="Id or event name.")],
    *,
    customer: Annotated[str, typer.Option(metavar="CUSTOMER", help="Whose usage.")],
    start: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Inclusive; 30 days before the end if left out."
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Exclusive; just ahead of now if left out."),
    ] = None,
    by: Annotated[
        Literal["hour", "day"] | None,
        typer.Option(help="One summary for each UTC hour or day with usage."),
    ] = None,
    fill: Annotated[
        bool, typer.Option("--fill", help="Hours or days without usage as well.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Show the usage of a customer on a meter.

    Times are ISO 8601, in UTC unless they say otherwise, or whole seconds since 1970.
    Windows hold their start and not their end. Tables run from old to new, JSON (a list
    of summaries as the API has them) from new to old.
    """
    if fill and by is None:
        raise typer.BadParameter("--fill needs --by")
    with open_store(store) as m:
        start_time, end_time = _times(start, end)
        question = _Question(
            meter=find_meter(m, meter),
            customer=customer,
            start_time=start_time,
            end_time=end_time,
        )
        answers = _ask(m, question, by, fill=fill)
        whole = answers if by is None or json else _ask(m, question, None, fill=False)
    if json:
        print_document(answers)
        return
    _show_question(question, whole[0])
    if by is not None:
        _show_windows(answers[::-1], by)


def _ask(
    m: metering.Metering,
    question: _Question,
    by: Literal["hour", "day"] | None,
    *,
    fill: bool,
) -> Sequence[metering.MeterEventSummary]:
    return m.meters.event_summaries(
        question.meter.id,
        customer=question.customer,
        start_time=question.start_time,
        end_time=question.end_time,
        value_grouping_window=by,
        fill=fill,
    )


def _times(start: str | None, end: str | None) -> tuple[datetime, datetime]:
    if end is None:
        end_time = SystemClock().now().replace(microsecond=0) + _AHEAD
    else:
        end_time = option_time(end, "--end")
    if start is None:
        return end_time - _USUAL_TIME, end_time
    return option_time(start, "--start"), end_time


def _show_question(question: _Question, whole: metering.MeterEventSummary) -> None:
    meter = question.meter
    formula = meter.default_aggregation.formula
    title = f"{meter.display_name}, {formula}, of {question.customer}"
    show(title, style="bold")
    show(
        f"{moment(question.start_time)} to {moment(question.end_time)} UTC,"
        f" as of position {number(whole.position)}",
        style="dim",
    )
    show(quantities([whole.aggregated_value])[0], style="bold green")


def _show_windows(
    windows: Sequence[metering.MeterEventSummary], by: Literal["hour", "day"]
) -> None:
    values = [window.aggregated_value for window in windows]
    largest = max(values, default=Decimal(0))
    is_plain = not can_draw()
    rows = [
        (
            _window_name(window.start_time, by),
            text,
            bar(value, largest, _BAR_WIDTH, is_plain=is_plain),
        )
        for window, value, text in zip(windows, values, quantities(values), strict=True)
    ]
    show()
    if not rows:
        show(f"No {by} has usage.")
        return
    show_table(
        [
            Column(title=f"{by} (UTC)"),
            Column(title="usage", is_number=True),
            Column(title="", style="cyan"),
        ],
        rows,
    )


def _window_name(start: datetime, by: Literal["hour", "day"]) -> str:
    """Name a window by its start, which the bounds may have moved."""
    name = moment(start)
    if by == "day":
        return name.removesuffix(" 00:00:00")
    return name.removesuffix(":00")
