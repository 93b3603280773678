"""Usage of all customers as it is asked for: found, checked, summed up from totals."""

import pyarrow as pa

from metering.arguments.words import UsageWindowName
from metering.reaggregation.questions import (
    customers_named,
    meters_named,
    times_asked_for,
    windows_asked_for,
)
from metering.reaggregation.requests import SumUsage
from metering.store.engine import Engine
from projections.scans.reaggregation.jobs import ScanProgress
from projections.scans.reaggregation.question import Question, measure_of
from projections.usage.everyone.usage import usage


def used(engine: Engine, request: SumUsage, progress: ScanProgress | None) -> pa.Table:
    """Sum up the usage of all customers; see `Metering.usage`."""
    unit, zone = windows_asked_for(UsageWindowName, request.window, request.timezone)
    engine.log.catch_up()
    view = engine.usage.view()
    meters = meters_named(
        engine.definitions_at(view.position), request.meters, "meters"
    )
    bounds = request.start_time, request.end_time
    start, end, windows = times_asked_for(bounds, unit, zone, view.ends())
    question = Question(
        measures=tuple(map(measure_of, meters)),
        start=start,
        end=end,
        windows=windows,
        customers=customers_named(request.customers),
        up_to=view.position,
    )
    return usage(question, view, lambda: engine.recorded(view.position), progress)
