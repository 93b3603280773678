"""Figures that the library returned, each explained by what it says of itself."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from metering.alerts.resources import AlertTriggered, UsageThreshold
from metering.arguments.clock import microseconds
from metering.arguments.refusals import exclusive
from metering.arguments.schema import checked
from metering.arguments.times import span_of
from metering.credits.resources import CreditBalanceSummary
from metering.errors import InvalidRequestError
from metering.explaining.balances import BalanceExplanation, explained_balance
from metering.explaining.explanations import Explanation, explained_between
from metering.explaining.requests import ExplainUsage
from metering.meters.resources import MeterEventSummary
from metering.statements.resources import Statement, StatementLine
from metering.store.engine import Engine
from projections.calendar import WindowUnit, windows_between
from projections.kernels.statements import counted_span
from projections.windows import DAY, END

Figure = MeterEventSummary | StatementLine | AlertTriggered
"""What says which usage it is of."""

_UNITS = {"calendar_month": WindowUnit.MONTH, "calendar_day": WindowUnit.DAY}
_LONGEST_WINDOW = 40 * DAY


def explained(
    engine: Engine, figure: Figure | CreditBalanceSummary | None, **given: Any
) -> Explanation | BalanceExplanation:
    """Explain a figure, or usage that is named; see `Metering.explain`."""
    if figure is None:
        asked = checked(ExplainUsage, **given)
        start, end = span_of(asked.start_time, asked.end_time)
        return explained_between(
            engine,
            meter=asked.meter,
            customer=asked.customer,
            start=start,
            end=end,
            as_of=asked.as_of,
        )
    for name, value in given.items():
        if value is not None:
            raise exclusive("figure", "figure", name)
    match figure:
        case MeterEventSummary():
            return explained_between(
                engine,
                meter=figure.meter,
                customer=figure.customer,
                start=microseconds(figure.start_time),
                end=microseconds(figure.end_time),
                as_of=figure.position,
            )
        case StatementLine():
            return _line(engine, figure)
        case AlertTriggered():
            return _trigger(engine, figure)
        case CreditBalanceSummary():
            return explained_balance(engine, figure)
        case _:
            raise _unexplained(figure)


def _line(engine: Engine, line: StatementLine) -> Explanation:
    if line.meter is None:
        raise InvalidRequestError(
            f"Line {line.id} has no usage of a meter: its price {line.price} has none, and"
            " its quantity was given, or recorded for its subscription item; explain a"
            " line of a meter's price",
            code="figure_not_of_usage",
            param="figure",
        )
    start, end = counted_span(
        microseconds(line.period_start),
        microseconds(line.period_end),
        None if line.at is None else microseconds(line.at),
    )
    return explained_between(
        engine,
        meter=line.meter,
        customer=line.customer,
        start=start,
        end=end,
        as_of=line.position,
    )


def _trigger(engine: Engine, triggered: AlertTriggered) -> Explanation:
    threshold = triggered.alert.usage_threshold
    if threshold is None or triggered.event_position is None:
        raise InvalidRequestError(
            f"Alert {triggered.alert.id} has no usage of one meter, but a"
            f" {triggered.alert.alert_type}; explain the usage of a meter, or list credit"
            " balance transactions",
            code="figure_not_of_usage",
            param="figure",
        )
    start, end = _window(threshold, triggered.window_start)
    return explained_between(
        engine,
        meter=threshold.meter,
        customer=triggered.customer,
        start=start,
        end=end,
        # What was recorded up to the event, cancelled since or not.
        as_of=triggered.event_position,
    )


def _window(threshold: UsageThreshold, begins: datetime | None) -> tuple[int, int]:
    if begins is None:
        return 0, END
    start = microseconds(begins)
    zone = UTC if threshold.timezone in {None, "UTC"} else ZoneInfo(threshold.timezone)
    unit = _UNITS[threshold.recurrence]
    windows = windows_between(unit, zone, start, start + _LONGEST_WINDOW)
    return start, int(windows.ends_of(np.array([start]))[0])


def _unexplained(figure: object) -> InvalidRequestError:
    hint = (
        "a MeterEventSummary, a StatementLine, an AlertTriggered or a"
        " CreditBalanceSummary"
    )
    if isinstance(figure, Statement):
        hint = "one of its lines, such as statement.lines[0]"
    return InvalidRequestError(
        f"Invalid figure: a {type(figure).__name__} cannot be explained; give {hint}, or"
        " name meter, customer, start_time and end_time",
        code="figure_unknown",
        param="figure",
    )
