"""Recording: a usage record is checked, and appended as the event that it is.

It is decided in the database transaction that records it, so that no record comes after
the end of its item. The sentences with a full stop are Stripe's.
"""

from ledger.facts.meters import MeterStatus
from ledger.facts.prices import AggregateUsage, UsageType
from ledger.usage.columns import UsageRow
from metering.arguments.clock import at_microseconds
from metering.arguments.ids import found_by_id
from metering.arguments.times import instant, time_of
from metering.errors import InvalidRequestError, ResourceMissingError
from metering.prices.record_meters import INCREMENTS, ITEM_KEY, SETS, VALUE_KEY
from metering.store.engine import Engine
from metering.usage.arrivals import NEWEST, Arrival
from metering.usage.deciding import recorded_event, settled_event
from metering.usage.event_rules import check_event
from metering.usage.resources import MeterEvent
from metering.usage_records.requests import NamedUsageRecord
from metering.usage_records.resources import UsageRecord
from projections.kernels.meters import MeterDefinition
from projections.kernels.prices import PriceDefinition
from projections.kernels.subscriptions.definitions import (
    ItemDefinition,
    SubscriptionDefinition,
)
from projections.kernels.subscriptions.schedule import current_period
from projections.kernels.usage.records import SECOND
from projections.prices.queries import PriceQueries
from projections.subscriptions.queries import SubscriptionQueries
from projections.windows import floor_to

_GRACE = 300 * SECOND
"""How long after its end a period of summed usage takes records."""


def record_usage(engine: Engine, item_id: str, asked: NamedUsageRecord) -> UsageRecord:
    """Record usage of an item; see `SubscriptionItems.create_usage_record`."""
    identifier = asked.identifier or engine.new_id("mbur")
    with engine.writing(needs_events=True) as writing:
        seen = SubscriptionQueries(writing.connection)
        known = found_by_id(seen.of_item, item_id, "subscription_item")
        engine.follow(writing, known.customer)
        item = known.item(item_id)
        price_id = item.price.price_id
        prices = PriceQueries(writing.connection).prices_used([price_id])
        aggregate = aggregate_of(prices[price_id], item_id)
        now = writing.now
        at = _instant(asked, known, item, now)
        definitions = engine.catalog.read(writing.connection)
        arrival = Arrival(
            now=now,
            definitions=definitions,
            takes_any_past=True,
            ignores_the_moment=True,
        )
        row = _row(asked, arrival, identifier, known.customer, item_id, at)
        has_own = asked.timestamp not in {None, "now"}
        settled = settled_event(
            engine, definitions, writing, row, has_own_timestamp=has_own
        )
        # What is recorded already was checked then.
        if settled.is_new:
            _check_active(definitions.by_event_name[row.event_name])
            _check_stands(known, item, max(now, at))
            _check_time(known, item, aggregate, now, at)
            writing.record_events(settled.draft)
    return _resource(recorded_event(engine, writing, settled))


def aggregate_of(price: PriceDefinition, item_id: str) -> AggregateUsage:
    """Return what the usage records of an item come to by its price.

    Raises:
        InvalidRequestError: they do not say its quantity.
    """
    if price.aggregate_usage is not None:
        return price.aggregate_usage
    terms = price.recurring
    is_licensed = terms is None or terms.usage_type is UsageType.LICENSED
    instead = (
        "is licensed, so give the item a quantity"
        if is_licensed
        else f"is for meter {price.meter_id}, so send meter events"
    )
    raise InvalidRequestError(
        f"Subscription item {item_id} has no usage records: its price {price.price_id}"
        f" {instead}",
        code="subscription_item_not_of_records",
        param="id",
    )


def _instant(
    asked: NamedUsageRecord,
    subscription: SubscriptionDefinition,
    item: ItemDefinition,
    now: int,
) -> int:
    """Return the second that a record counts at, in microseconds since 1970 UTC.

    In a second within which the item begins to be billed, it is the instant of that.
    """
    is_now = asked.timestamp is None or asked.timestamp == "now"
    given = now if is_now else instant(asked.timestamp, "timestamp")
    second = floor_to(given, SECOND)
    begins = {each.since for each in item.prices}
    begins |= {each.since for each in subscription.phases}
    return max([second, *(at for at in begins if floor_to(at, SECOND) == second)])


def _row(  # what an event is made of has names
    asked: NamedUsageRecord,
    arrival: Arrival,
    identifier: str,
    customer: str,
    item_id: str,
    at: int,
) -> UsageRow:
    """Return the event that a record is."""
    return check_event(
        arrival,
        event_name=SETS if asked.action == "set" else INCREMENTS,
        identifier=identifier,
        timestamp=at_microseconds(at),
        payload={ITEM_KEY: item_id, VALUE_KEY: asked.quantity, "customer": customer},
    )


def _check_active(meter: MeterDefinition) -> None:
    if meter.status is MeterStatus.INACTIVE:
        raise InvalidRequestError(
            f"Meter {meter.meter_id} of usage records is inactive; reactivate it to"
            " record them",
            code="meter_inactive",
        )


def _check_stands(
    subscription: SubscriptionDefinition, item: ItemDefinition, at: int
) -> None:
    """Check that an item is billed at an instant, now or later."""
    if subscription.is_ended(at):
        raise InvalidRequestError(
            "Cannot create the usage record because the subscription has been canceled.",
            code="subscription_canceled",
            param="id",
        )
    if item.ended is not None and item.ended <= at:
        raise ResourceMissingError("subscription_item", item.item_id)


def _check_time(
    subscription: SubscriptionDefinition,
    item: ItemDefinition,
    aggregate: AggregateUsage,
    now: int,
    at: int,
) -> None:
    """Check that usage of an instant is still to be billed."""
    if at > now + NEWEST:
        latest = time_of(at_microseconds(now + NEWEST))
        raise InvalidRequestError(
            "Cannot create the usage record with this timestamp because it is more than"
            f" 5 minutes in the future; give {latest} or an earlier one",
            code="timestamp_in_future",
            param="timestamp",
        )
    period = current_period(subscription, item, now)
    earliest = period.start
    if aggregate is AggregateUsage.SUM and now < period.start + _GRACE:
        before = current_period(subscription, item, period.start - 1)
        if before.end == period.start:
            earliest = before.start
    if at < earliest:
        raise InvalidRequestError(
            "Cannot create the usage record with this timestamp because timestamps must"
            " be after the subscription's last invoice period (or current period start"
            " time).",
            code="timestamp_too_early",
            param="timestamp",
        )
    if period.end <= min(at, now):
        raise InvalidRequestError(
            "Cannot create the usage record because the subscription is paused; resume"
            " it, or give a timestamp before the pause",
            code="subscription_paused",
            param="timestamp",
        )


def _resource(event: MeterEvent) -> UsageRecord:
    return UsageRecord(
        id=event.identifier,
        action="set" if event.event_name == SETS else "increment",
        event_name=event.event_name,
        livemode=event.livemode,
        position=event.position,
        quantity=int(event.payload[VALUE_KEY]),
        subscription_item=event.payload[ITEM_KEY],
        timestamp=event.timestamp,
        duplicate=event.duplicate,
    )
