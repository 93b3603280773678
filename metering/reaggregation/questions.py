"""Re-aggregation as callers ask for it: what they name is found, checked, and asked."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import tzinfo
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import UnsetType

from ledger.facts.meters import Formula
from metering.arguments.ids import found_by_id
from metering.arguments.schema import checked_value
from metering.arguments.strings import check_word
from metering.arguments.times import Time, instant, not_after
from metering.arguments.words import FormulaName, WindowName
from metering.arguments.zones import zone_of
from metering.errors import InvalidRequestError, shown
from metering.reaggregation.names import (
    CUSTOMER,
    METER,
    check_keys_are_there,
    check_no_column,
    check_payload_keys,
)
from metering.reaggregation.requests import Filters, Reaggregate
from metering.store.engine import Engine
from metering.store.positions import position_asked_for
from projections.calendar import Windows, WindowUnit, one_window, windows_between
from projections.kernels.meters import MeterDefinition
from projections.scans.reaggregation.database import open_ahead
from projections.scans.reaggregation.jobs import THREADS, ScanProgress, reaggregate
from projections.scans.reaggregation.question import (
    Measure,
    Question,
    measure_of,
)
from projections.scans.recorded import RecordedEvents
from projections.windows import END, HOUR, ceil_to, floor_to


def reaggregated(
    engine: Engine,
    request: Reaggregate,
    executor: Executor | None,
    progress: ScanProgress | None,
) -> pa.Table:
    """Recompute summaries from events; see `Metering.reaggregate`."""
    # To load it takes as long as to catch up, which reads most of the time.
    open_ahead(THREADS)
    question, recorded = question_asked(engine, request)
    answer = reaggregate(question, recorded, executor, progress)
    check_keys_are_there(question, recorded, answer)
    return answer


def question_asked(
    engine: Engine, request: Reaggregate
) -> tuple[Question, RecordedEvents]:
    """Return what a request asks, and the events that it asks about."""
    unit, zone = windows_asked_for(WindowName, request.window, request.timezone)
    position = engine.log.catch_up().position
    if request.as_of is not None:
        position = position_asked_for(engine, request.as_of, position, "as_of")
    recorded = engine.recorded(position)
    dimensions, filters = _dimensions(request.group_by or ()), _filters(request.filters)
    meters = meters_named(recorded.definitions, request.meters, "meters")
    if METER in filters:
        names = sorted(filters.pop(METER))
        wanted = meters_named(recorded.definitions, names, "filters")
        meters = [meter for meter in meters if meter in wanted]
    customers = customers_named(request.customers)
    if CUSTOMER in filters:
        allowed = filters.pop(CUSTOMER)
        customers = allowed if customers is None else customers & allowed
    check_payload_keys(meters, "group_by", dimensions)
    check_payload_keys(meters, "filters", filters)
    measures = tuple(_measures(meters, request))
    bounds = request.start_time, request.end_time
    start, end, windows = times_asked_for(bounds, unit, zone, recorded.ends())
    question = Question(
        measures=measures,
        start=start,
        end=end,
        windows=windows,
        dimensions=dimensions,
        customers=customers,
        filters=filters,
        up_to=recorded.position,
        skips_too_large=checked_value(bool, request.skip_too_large, "skip_too_large"),
        # What has no meter is no event.
        has_every_name=len(meters) == len(recorded.definitions),
    )
    return question, recorded


def windows_asked_for(
    words: object, window: str | UnsetType | None, timezone: str | None
) -> tuple[WindowUnit | None, tzinfo]:
    """Return which windows are asked for, and by whose clocks.

    Args:
        words: those that the window may be.
        window: None is one from bound to bound.
        timezone: None is UTC.
    """
    zone = zone_of("UTC" if timezone is None else timezone, "timezone")
    if window is None:
        return None, zone
    return WindowUnit(checked_value(words, window, "window")), zone


def customers_named(
    customers: str | Iterable[str] | None,
) -> frozenset[str] | None:
    """Return whose usage is asked for; None is everybody's."""
    if customers is None:
        return None
    wanted = several(customers, "customers")
    if not wanted:
        raise InvalidRequestError(
            "Invalid customers: there is none, so that no event would count; give one or"
            " several, or leave customers out",
            param="customers",
        )
    if not all(isinstance(each, str) for each in wanted):
        raise InvalidRequestError(
            "Invalid customers: give a string or several", param="customers"
        )
    return frozenset(wanted)


def _measures(
    meters: Iterable[MeterDefinition], request: Reaggregate
) -> Iterable[Measure]:
    for meter in meters:
        formula = (
            None
            if request.formula is None
            else Formula(checked_value(FormulaName, request.formula, "formula"))
        )
        if request.value_key is not None:
            check_word(request.value_key, "value_key")
        if request.value_key == meter.customer_payload_key:
            raise InvalidRequestError(
                f"Invalid value_key: {request.value_key!r} names the customer of meter"
                f" {meter.meter_id}",
                param="value_key",
            )
        yield measure_of(meter, formula=formula, value_key=request.value_key)


def meters_named(
    definitions: Mapping[str, MeterDefinition],
    names: str | Iterable[str] | None,
    param: str,
) -> Sequence[MeterDefinition]:
    """Return the meters of ids or event names; all of them for None.

    Raises:
        ResourceMissingError: there is none of a name.
    """
    if names is None:
        return list(definitions.values())
    by_event_name = {meter.event_name: meter for meter in definitions.values()}
    meters = {**by_event_name, **definitions}
    wanted: dict[str, MeterDefinition] = {}
    for name in several(names, param):
        meter = found_by_id(meters.get, name, "billing meter", param)
        wanted[meter.meter_id] = meter
    return list(wanted.values())


def times_asked_for(
    bounds: tuple[Time | None, Time | None],
    unit: WindowUnit | None,
    zone: tzinfo,
    ends: tuple[int, int],
) -> tuple[int, int, Windows]:
    """Return the bounds and the windows between them.

    Args:
        bounds: one that was left out is that of the window of the first or last event;
            of its hour, where all is one window.
        unit: of the windows; None is one from bound to bound.
        zone: whose clocks they follow.
        ends: the least and the greatest timestamp of all events.
    """
    if unit is None:
        hours = floor_to(ends[0], HOUR), ceil_to(ends[1] + 1, HOUR) - 1
        start, end = _bounds(bounds, hours)
        return start, end, one_window(start, end)
    start, end = _bounds(bounds, ends)
    windows = windows_between(unit, zone, start, end)
    if bounds[0] is None:
        start = int(windows.starts_of(np.array([start]))[0])
    if bounds[1] is None:
        end = int(windows.ends_of(np.array([end - 1]))[0])
    return start, end, windows


def _bounds(
    asked_for: tuple[Time | None, Time | None], ends: tuple[int, int]
) -> tuple[int, int]:
    """Return what is asked for as microseconds, the ends in place of what is not."""
    start_time, end_time = asked_for
    start, end = ends[0], ends[1] + 1
    if start_time is not None:
        start = min(max(instant(start_time, "start_time"), 0), END - 1)
    if end_time is not None:
        end = min(max(instant(end_time, "end_time"), 0), END)
    if start_time is not None and end_time is not None and end <= start:
        raise not_after(start_time, end_time)
    # Where all events lie beyond the one bound that is given, nothing is found.
    if start_time is None:
        start = min(start, end - 1)
    return start, max(end, start + 1)


def _dimensions(group_by: str | Iterable[str]) -> tuple[str, ...]:
    keys = tuple(several(group_by, "group_by"))
    for key in keys:
        check_word(key, "group_by")
        check_no_column(key, "group_by")
    if len(set(keys)) < len(keys):
        raise InvalidRequestError(
            f"Invalid group_by: a key is named twice in {', '.join(keys)}",
            param="group_by",
        )
    return keys


def _filters(filters: Filters | None) -> dict[str, frozenset[str]]:
    checked: dict[str, frozenset[str]] = {}
    if not isinstance(filters or {}, Mapping):
        raise InvalidRequestError(
            f"Invalid filters: {shown(filters)}; must be keys of the payload, customer or"
            " meter, each with a string or several",
            param="filters",
        )
    for key, values in (filters or {}).items():
        check_word(key, "filters")
        check_no_column(key, "filters")
        allowed = several(values, f"filters[{key}]")
        if not allowed:
            raise InvalidRequestError(
                f"Invalid filters[{key}]: it has no string, so that no event would"
                " count; give one or several, or leave the filter out",
                param="filters",
            )
        if not all(isinstance(value, str) for value in allowed):
            raise InvalidRequestError(
                f"Invalid filters[{key}]: give a string or several", param="filters"
            )
        checked[key] = frozenset(allowed)
    return checked


def several(given: object, param: str) -> list[Any]:
    """Return what was given as one string or as several, each still to be checked."""
    if isinstance(given, str):
        return [given]
    if not isinstance(given, Iterable):
        raise InvalidRequestError(
            f"Invalid {param}: {shown(given)}; must be a string or several",
            param=param.partition("[")[0],
        )
    return list(given)
