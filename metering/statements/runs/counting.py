"""Counting: what many lines measure, by one question for each period that they have.

All questions are asked of one view of usage, so that every statement of a run counts up
to the same position.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa

from ledger.usage.arrow import compute as pc
from ledger.usage.quantities import QUANTITY, quantities_of, quantity_from_units
from metering.statements.lines import recorded_by_item
from metering.statements.plans import PlannedLine
from metering.store.engine import Engine
from projections.calendar import one_window
from projections.kernels.meters import MeterDefinition
from projections.meters.catalog import Definitions
from projections.scans.reaggregation.question import Question, measure_of
from projections.scans.recorded import RecordedEvents
from projections.usage.everyone.usage import usage
from projections.usage.view import UsageView
from projections.windows import recorded_span

# To ask about each of so many customers costs more than to ask about all.
_CUSTOMERS_NAMED = 1_000


@dataclass(frozen=True, slots=True)
class CountedLines:
    """What lines measure.

    Attributes:
        quantities: decimal128(38, 12) without nulls, 0 of those that are too large.
        is_too_large: bool.
    """

    quantities: pa.Array
    is_too_large: np.ndarray


def counted_lines(
    engine: Engine,
    definitions: Definitions,
    view: UsageView,
    recorded: Callable[[], RecordedEvents],
    planned: Sequence[tuple[str, PlannedLine]],
) -> CountedLines:
    """Return what lines measure.

    Args:
        engine: of the store.
        definitions: the meters, those of the lines among them.
        view: of usage.
        recorded: what was recorded up to the view; asked for by each period with events
            that have to be read.
        planned: lines, each with its customer.
    """
    spans: dict[tuple[int, int], list[int]] = {}
    said: list[int] = []
    for at, (_, line) in enumerate(planned):
        if line.price.meter_id is None:
            said.append(at)
        else:
            spans.setdefault((line.start, line.end), []).append(at)
    given = [_quantity(engine, definitions, view, planned[at][1]) for at in said]
    parts = [quantities_of(given)]
    for span, rows in spans.items():
        of_span = [planned[at] for at in rows]
        parts.append(_measured(view, definitions.by_id, recorded, span, of_span))
    order = np.concatenate(
        [np.array(each, np.int64) for each in (said, *spans.values())]
    )
    found = pa.concat_arrays(parts).take(pa.array(np.argsort(order)))
    is_too_large = found.is_null().to_numpy(zero_copy_only=False)
    return CountedLines(pc.fill_null(found, pa.scalar(0, QUANTITY)), is_too_large)


def _quantity(
    engine: Engine, definitions: Definitions, view: UsageView, line: PlannedLine
) -> Decimal | None:
    """Return the quantity of a line that no meter says."""
    if line.price.aggregate_usage is None:
        return line.quantity
    return quantity_from_units(recorded_by_item(engine, definitions, view, line, None))


def _measured(
    view: UsageView,
    definitions: Mapping[str, MeterDefinition],
    recorded: Callable[[], RecordedEvents],
    span: tuple[int, int],
    planned: Sequence[tuple[str, PlannedLine]],
) -> pa.Array:
    """Return what lines of one period measure; null where that is too large."""
    start, end = recorded_span(*span)
    if start >= end:
        return pa.repeat(pa.scalar(0, QUANTITY), len(planned))
    meters: dict[str, MeterDefinition] = {}
    for _, line in planned:
        meter_id = line.price.meter_id
        assert meter_id is not None, "a meter measures it"
        meters.setdefault(meter_id, definitions[meter_id])
    customers = pa.array([customer for customer, _ in planned], pa.string())
    named = frozenset(customers.unique().to_pylist())
    question = Question(
        measures=tuple(map(measure_of, meters.values())),
        start=start,
        end=end,
        windows=one_window(start, end),
        customers=named if len(named) <= _CUSTOMERS_NAMED else None,
        up_to=view.position,
        skips_too_large=True,
    )
    found = usage(question, view, recorded, None)
    wanted = pa.array([line.price.meter_id for _, line in planned], pa.string())
    return _looked_up(found, wanted, customers)


def _looked_up(found: pa.Table, meters: pa.Array, customers: pa.Array) -> pa.Array:
    """Return the values of rows by meter and customer; 0 where there is no row."""
    meter_words, customer_words = meters.unique(), customers.unique()
    keys = _keys(meters, customers, meter_words, customer_words)
    rows = _keys(
        found.column("meter").combine_chunks(),
        found.column("customer").combine_chunks(),
        meter_words,
        customer_words,
    )
    order = np.argsort(rows, kind="stable")
    at = np.searchsorted(rows, keys, sorter=order)
    at = order[np.minimum(at, len(order) - 1)] if len(order) else at
    is_there = rows[at] == keys if len(order) else np.zeros(len(keys), bool)
    values = found.column("value").combine_chunks()
    padded = pa.concat_arrays([values.cast(QUANTITY), pa.array([0], QUANTITY)])
    return padded.take(pa.array(np.where(is_there, at, len(values))))


def _keys(
    meters: pa.Array, customers: pa.Array, meter_words: pa.Array, words: pa.Array
) -> np.ndarray:
    """Return a number (int64) for each pair; -1 where one of the two is not wanted."""
    meter = pc.index_in(meters, value_set=meter_words).fill_null(-1).to_numpy()
    customer = pc.index_in(customers, value_set=words).fill_null(-1).to_numpy()
    keys = customer.astype(np.int64) * len(meter_words) + meter
    return np.where((meter < 0) | (customer < 0), -1, keys)
