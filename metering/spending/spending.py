"""Checking whether usage would be covered, and recording it only where it is.

`spend` decides in the database transaction that records the event, so that no two callers
spend the same cent.
"""

from collections.abc import Sequence
from decimal import Decimal

from ledger.usage.quantities import units_from_quantity
from metering.arguments.ids import found_by_id
from metering.arguments.refusals import invalid
from metering.credits.resources import monetary
from metering.limits.obeying import WeighedLimit, weighed_limits
from metering.spending.burn_down import AddedUsage, BurnDown, Present
from metering.spending.deciding import refusal_of
from metering.spending.requests import UsageCheck, UsageSpend
from metering.spending.resources import Check, CheckRemaining
from metering.spending.sharing import drawing_together
from metering.spending.weighing import check_adds_up, weighed
from metering.store.engine import Engine
from metering.usage.arrivals import Arrival
from metering.usage.deciding import recorded_event, settled_event
from metering.usage.event_rules import check_sent_event
from metering.usage.resources import MeterEvent
from projections.credits.queries import CreditQueries
from projections.kernels.meters import MeterDefinition
from projections.limits.queries import LimitQueries
from projections.meters.catalog import Definitions
from projections.prices.queries import PriceQueries


def check_usage(engine: Engine, burn_down: BurnDown, asked: UsageCheck) -> Check:
    """Answer whether usage would be covered; see `SpendingCalls.check`."""
    _check_is_some(asked.quantity)

    def whose(seen: CreditQueries) -> list[str]:
        return drawing_together(seen, [asked.customer])

    with burn_down.present(whose) as present:
        found = metered_by(present.definitions, asked.meter)
        check_adds_up(found, asked.quantity)
        priced = None
        if asked.price is not None:
            prices = PriceQueries(present.seen.connection)
            priced = found_by_id(prices.price, asked.price, "price", "price")
        added = AddedUsage(
            meter_id=found.meter_id,
            units=units_from_quantity(asked.quantity),
            timestamp=present.now,
        )
        usage = weighed(burn_down, present, asked.customer, added, priced)
        limits = _limits_with(engine, present, asked.customer, added)
    refusal = refusal_of(usage, limits)
    lefts = [(each.standing.limit.currency, each.standing.left) for each in limits]
    # Amounts of two currencies do not compare: one of the usage's own comes first.
    own = [each for each in lefts if each[0] == usage.currency]
    least = min(own or lefts, key=lambda each: each[1], default=None)
    return Check(
        allowed=refusal is None,
        reason=None if refusal is None else refusal.reason,
        customer=asked.customer,
        meter=found.meter_id,
        quantity=asked.quantity,
        amount=monetary(usage.currency, usage.amount),
        remaining=CheckRemaining(
            credits=monetary(usage.currency, usage.remaining),
            spend_limit=None if least is None else monetary(*least),
        ),
        position=usage.position,
        livemode=engine.settings.livemode,
    )


def spend_usage(engine: Engine, burn_down: BurnDown, asked: UsageSpend) -> MeterEvent:
    """Record usage where it is covered; see `SpendingCalls.spend`."""
    _check_is_some(asked.quantity)

    def whose(seen: CreditQueries) -> list[str]:
        return drawing_together(seen, [asked.customer])

    with engine.writing_credits(whose, needs_events=True, only_lowers=True) as (
        writing,
        seen,
    ):
        definitions = engine.catalog.read(writing.connection)
        found = metered_by(definitions, asked.meter)
        check_adds_up(found, asked.quantity)
        row, doubt = check_sent_event(
            Arrival(now=writing.now, definitions=definitions, takes_any_past=False),
            event_name=found.event_name,
            identifier=asked.identifier,
            timestamp=asked.timestamp,
            payload=_payload(asked, found),
        )
        has_own = asked.timestamp is not None
        settled = settled_event(
            engine, definitions, writing, row, has_own_timestamp=has_own
        )
        if settled.is_new:
            if doubt is not None:
                raise doubt
            terms_position = engine.log.terms_position
            present = Present(seen, writing.now, terms_position, definitions)
            added = AddedUsage(
                meter_id=found.meter_id,
                units=units_from_quantity(asked.quantity),
                timestamp=row.timestamp,
            )
            usage = weighed(burn_down, present, asked.customer, added, None)
            limits = _limits_with(engine, present, asked.customer, added)
            if (refusal := refusal_of(usage, limits)) is not None:
                raise refusal.error("quantity")
            writing.record_events(settled.draft)
    return recorded_event(engine, writing, settled)


def metered_by(definitions: Definitions, named: str) -> MeterDefinition:
    """Return a meter by its id or event name, or refuse the parameter."""

    def find(name: str) -> MeterDefinition | None:
        found = definitions.by_id.get(name)
        return definitions.by_event_name.get(name) if found is None else found

    return found_by_id(find, named, "billing meter", "meter")


def _limits_with(
    engine: Engine, present: Present, customer: str, added: AddedUsage
) -> Sequence[WeighedLimit]:
    """Return the spend limits for which usage counts, weighed with it."""
    return weighed_limits(
        engine,
        LimitQueries(present.seen.connection),
        customer=customer,
        meter_id=added.meter_id,
        units=added.units,
        timestamp=added.timestamp,
        now=present.now,
    )


def _check_is_some(quantity: Decimal) -> None:
    if not quantity:
        raise invalid("quantity", quantity, "above 0")


def _payload(asked: UsageSpend, meter: MeterDefinition) -> dict[str, str | Decimal]:
    """Return the payload of the event that usage is recorded as."""
    given = dict(asked.payload or {})
    own: dict[str, str | Decimal] = {meter.customer_payload_key: asked.customer}
    if meter.needs_value:
        own[meter.value_payload_key] = asked.quantity
    elif asked.quantity != 1:
        raise invalid("quantity", asked.quantity, "1, as the meter counts events")
    for key in own:
        if key in given:
            allowed = "left out, as customer and quantity say it"
            raise invalid(f"payload[{key}]", given[key], allowed)
    return {**given, **own}
