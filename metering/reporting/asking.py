"""Asking for reports: what a request may want of each type."""

from ledger.facts.reports import ReportForm, ReportRunCreated
from metering.arguments.clock import at_microseconds
from metering.arguments.refusals import invalid
from metering.arguments.times import instant, time_of
from metering.errors import InvalidRequestError
from metering.reporting.requests import ReportParameters, ReportRunCreate
from metering.reporting.types import DEFINITIONS, ReportDefinition


def asked_run(asked: ReportRunCreate, run_id: str, now: int) -> ReportRunCreated:
    """Return the run that a request asks for at an instant.

    Raises:
        InvalidRequestError: the type has no such column, or the interval ends before it
            begins or lies where there is nothing.
    """
    definition = DEFINITIONS[asked.report_type]
    given = asked.parameters or {}
    start, end = _interval(definition, given, now)
    form = given.get("format")
    return ReportRunCreated(
        run_id=run_id,
        report_type=asked.report_type,
        columns=_columns(definition, given),
        interval_start=start,
        interval_end=end,
        timezone=given.get("timezone"),
        form=None if form is None else ReportForm(form),
    )


def _columns(
    definition: ReportDefinition, given: ReportParameters
) -> tuple[str, ...] | None:
    param, named = "parameters[columns]", given.get("columns")
    if named is None:
        return None
    known = definition.schema.names
    for name in named:
        if name not in known:
            raise invalid(param, name, f"of {', '.join(known)}")
    if len(set(named)) < len(named):
        raise InvalidRequestError(
            f"Invalid {param}: a column is named twice in {', '.join(named)}",
            param=param,
        )
    return tuple(named)


def _interval(
    definition: ReportDefinition, given: ReportParameters, now: int
) -> tuple[int | None, int | None]:
    """Return the bounds that are given, of an interval in which there is something."""
    first, last = definition.available(now)
    start = _bound(given, "interval_start", first, last)
    end = _bound(given, "interval_end", first, last)
    begins, ends = first if start is None else start, last if end is None else end
    if ends <= begins:
        param = "parameters[interval_end]"
        raise InvalidRequestError(
            f"Invalid {param}: {_shown(ends)} is not after interval_start"
            f" {_shown(begins)}",
            param=param,
        )
    return start, end


def _bound(given: ReportParameters, name: str, first: int, last: int) -> int | None:
    time, param = given.get(name), f"parameters[{name}]"
    if time is None:
        return None
    at = instant(time, param)
    if not first <= at <= last:
        raise InvalidRequestError(
            f"Invalid {param}: {_shown(at)} is beyond what there is, from"
            f" data_available_start {_shown(first)} to data_available_end"
            f" {_shown(last)}",
            param=param,
        )
    return at


def _shown(at: int) -> str:
    return time_of(at_microseconds(at))
