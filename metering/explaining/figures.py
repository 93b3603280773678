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
from metering.explaining.amounts import (
    AmountExplanation,
    explained_line,
    explained_spend,
    explained_statement,
)
from metering.explaining.balances import (
    BalanceExplanation,
    explained_balance,
    explained_fall,
)
from metering.explaining.explanations import Explanation, explained_between
from metering.explaining.requests import ExplainUsage
from metering.meters.resources import MeterEventSummary
from metering.statements.resources import Statement, StatementLine
from metering.store.engine import Engine
from projections.calendar import WindowUnit, windows_between
from projections.windows import DAY, END

Figure = MeterEventSummary | StatementLine
"""What says which usage it is of."""

Explained = Explanation | AmountExplanation | BalanceExplanation
"""What a figure is explained by."""

_AnyFigure = Figure | AlertTriggered | Statement | CreditBalanceSummary

_UNITS = {"calendar_month": WindowUnit.MONTH, "calendar_day": WindowUnit.DAY}
_LONGEST_WINDOW = 40 * DAY


def explained(engine: Engine, figure: _AnyFigure | None, **given: Any) -> Explained:
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
    return _explained_figure(engine, figure)


def _explained_figure(engine: Engine, figure: _AnyFigure) -> Explained:
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
        case Statement():
            return explained_statement(engine, figure)
        case CreditBalanceSummary():
            return explained_balance(engine, figure)
        case _:
            raise _unexplained(figure)


def _line(engine: Engine, line: StatementLine) -> Explanation:
    made = explained_line(engine, line)
    if made is None:
        raise InvalidRequestError(
            f"Line {line.id} has no usage of a meter: its price {line.price} has none, and"
            " its quantity was given, or recorded for its subscription item; explain a"
            " line of a meter's price",
            code="figure_not_of_usage",
            param="figure",
        )
    return made


def _trigger(engine: Engine, triggered: AlertTriggered) -> Explained:
    threshold = triggered.alert.usage_threshold
    on_credits = triggered.alert.credit_balance_threshold
    if on_credits is not None and on_credits.include_unbilled_usage:
        raise InvalidRequestError(
            f"Alert {triggered.alert.id} watches what unbilled usage leaves of credits;"
            " explain a credit balance, and the usage of meters",
            code="figure_unknown",
            param="figure",
        )
    if on_credits is not None:
        return explained_fall(engine, triggered)
    if threshold is None:
        return explained_spend(engine, triggered)
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
        "a MeterEventSummary, a Statement or one of its lines, an AlertTriggered or a"
        " CreditBalanceSummary"
    )
    return InvalidRequestError(
        f"Invalid figure: a {type(figure).__name__} cannot be explained; give {hint}, or"
        " name meter, customer, start_time and end_time",
        code="figure_unknown",
        param="figure",
    )
