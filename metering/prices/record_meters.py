"""The two meters of usage records: one of increments and one of sets, for all items.

They are made with the first price whose quantity usage records say. Their customer is the
subscription item, so that two items are told apart whatever price and buyer they have.
"""

from ledger.appending.writing import Writing
from ledger.facts.meters import Formula, MeterCreated
from ledger.facts.prices import PriceCreated
from metering.errors import InvalidRequestError
from metering.store.engine import Engine

INCREMENTS = "usage_record.increment"
"""The event name of what adds to a quantity."""
SETS = "usage_record.set"
"""The event name of what replaces a quantity."""
ITEM_KEY = "subscription_item"
VALUE_KEY = "value"

_METERS = {
    INCREMENTS: ("Usage records: increments", Formula.SUM),
    SETS: ("Usage records: sets", Formula.LAST),
}


def record_meters(
    engine: Engine, writing: Writing, price: PriceCreated
) -> list[MeterCreated]:
    """Return the facts that make the meters which a price needs and the store lacks.

    Raises:
        InvalidRequestError: a meter of the caller's has an event name of theirs, and
            measures something else.
    """
    if price.recurring is None or price.recurring.aggregate_usage is None:
        return []
    known = engine.catalog.read(writing.connection).by_event_name
    for name in _METERS.keys() & known.keys():
        found = known[name]
        keys = found.customer_payload_key, found.value_payload_key
        is_raw = found.event_time_window is None and found.needs_value
        if keys != (ITEM_KEY, VALUE_KEY) or not is_raw:
            raise InvalidRequestError(
                f"Event name {name} of usage records is that of meter {found.meter_id},"
                " which measures something else; give the price a meter in place of"
                " aggregate_usage",
                code="event_name_taken",
                param="recurring[aggregate_usage]",
            )
    return [
        MeterCreated(
            meter_id=engine.new_id("mtr"),
            event_name=name,
            display_name=display_name,
            formula=formula,
            customer_payload_key=ITEM_KEY,
            value_payload_key=VALUE_KEY,
            event_time_window=None,
        )
        for name, (display_name, formula) in _METERS.items()
        if name not in known
    ]
