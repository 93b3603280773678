"""Counting: what the usage records of an item come to in a time."""

from ledger.facts.prices import AggregateUsage
from metering.prices.record_meters import INCREMENTS, SETS
from metering.store.engine import Engine
from projections.kernels.usage.series import Series
from projections.meters.catalog import Definitions
from projections.usage.usage_records import ItemRecords, recorded_units
from projections.usage.view import UsageView
from projections.windows import recorded_span


def item_records(definitions: Definitions, item_id: str) -> ItemRecords:
    """Return the series of an item that has, or had, a price of usage records."""
    meters = definitions.by_event_name
    return ItemRecords(
        increments=Series(meter=meters[INCREMENTS], customer=item_id),
        sets=Series(meter=meters[SETS], customer=item_id),
    )


def record_units(
    engine: Engine,
    definitions: Definitions,
    view: UsageView,
    item_id: str,
    aggregate: AggregateUsage,
    span: tuple[int, int],
) -> int:
    """Return what an item's usage records come to, in units of 10**-12.

    Args:
        engine: of the store.
        definitions: the meters, those of usage records among them.
        view: of usage.
        item_id: whose.
        aggregate: how.
        span: ``[start, end)``, microseconds since 1970 UTC.
    """
    records = item_records(definitions, item_id)
    period = recorded_span(*span)
    return recorded_units(engine.summaries, view, records, aggregate, period)
