"""What events about what is sold are about: each resource as it was at a position."""

from ledger.facts.audits import AuditFailed
from ledger.facts.credits.pools import (
    CreditPoolMemberAdded,
    CreditPoolMemberRemoved,
    PoolFact,
)
from ledger.facts.credits.schedules import ScheduleFact
from ledger.facts.customers import CustomerFact
from ledger.facts.entitlements import EntitlementsUpdated
from ledger.facts.prices import (
    PriceCreated,
    PriceUpdated,
    ProductCreated,
    ProductDeleted,
    ProductUpdated,
)
from ledger.facts.reports import ReportEnd
from ledger.facts.statements import StatementFinalized, StatementVoided
from ledger.facts.subscriptions import SubscriptionFact, SubscriptionTrialEnded
from ledger.facts.test_clocks import TestClockFact
from metering.audits.resources import AuditFailure
from metering.audits.shown import failure_resource
from metering.customers.resources import Customer
from metering.customers.shown import customer_resource
from metering.entitlements.resources import ActiveEntitlementSummary
from metering.entitlements.shown import summary_resource
from metering.pools.resources import CreditPool, CreditPoolMember
from metering.pools.shown import member_resource, pool_resource
from metering.prices.shown import price_resource, product_resource
from metering.reporting.resources import ReportRun
from metering.reporting.shown import run_resource
from metering.schedules.resources import CreditSchedule
from metering.schedules.shown import schedule_resource
from metering.statements.shown import statement_resource
from metering.store.customer_time import with_clock
from metering.subscriptions.resources import Subscription
from metering.subscriptions.shown import subscription_resource
from metering.test_clocks.resources import TestClock
from metering.test_clocks.shown import clock_resource
from metering.webhooks.resources import EventObject
from projections.entitlements.queries import EntitlementQueries
from projections.schema import RecordedFact
from projections.webhooks.past import Past
from projections.webhooks.past_clocks import clock_at
from projections.webhooks.past_pools import member_at, pool_at
from projections.webhooks.past_reports import ended_run


def object_sold(
    past: Past, recorded: RecordedFact, at: int, *, livemode: bool
) -> EventObject:
    """Return what a fact is about, as it was at a position.

    Args:
        past: resources as they were.
        recorded: a fact about products, prices, customers, statements, subscriptions,
            entitlements, credit schedules, credit pools, test clocks or audits, or what
            became of a report.
        at: its own position, or the one before.
        livemode: what the resource says of itself.
    """
    fact = recorded[2]
    match fact:
        case ProductCreated() | ProductUpdated() | ProductDeleted():
            product = past.product(fact.product_id, at)
            return product_resource(product, livemode=livemode)
        case PriceCreated() | PriceUpdated():
            return price_resource(past.price(fact.price_id, at), livemode=livemode)
        case StatementFinalized() | StatementVoided():
            statement = past.statement(fact.statement_id, at)
            return statement_resource(statement, livemode=livemode)
        case _ if isinstance(fact, ScheduleFact | PoolFact):
            return _of_credits(past, recorded, at, livemode=livemode)
        case _ if isinstance(fact, CustomerFact | EntitlementsUpdated):
            return _of_customers(past, recorded, at, livemode=livemode)
        case _:
            return _of_a_store(past, recorded, at, livemode=livemode)


def _of_a_store(
    past: Past, recorded: RecordedFact, at: int, *, livemode: bool
) -> Subscription | ReportRun | TestClock | AuditFailure:
    _, instant, fact = recorded
    if isinstance(fact, TestClockFact):
        clock = clock_at(past, fact.test_clock_id, at)
        return clock_resource(clock, livemode=livemode)
    if isinstance(fact, AuditFailed):
        return failure_resource(fact, instant, livemode=livemode)
    if isinstance(fact, ReportEnd):
        return run_resource(ended_run(past, fact.run_id), instant, livemode=livemode)
    return _subscription(past, recorded, at, livemode=livemode)


def _of_customers(
    past: Past, recorded: RecordedFact, at: int, *, livemode: bool
) -> Customer | ActiveEntitlementSummary:
    position, _, fact = recorded
    if isinstance(fact, EntitlementsUpdated):
        seen = EntitlementQueries(past.connection)
        had = fact.features if at == position else fact.former
        return summary_resource(seen, fact.customer, had, livemode=livemode)
    assert isinstance(fact, CustomerFact), "of the facts that are left"
    return customer_resource(past.customer(fact.customer_id, at), livemode=livemode)


def _of_credits(
    past: Past, recorded: RecordedFact, at: int, *, livemode: bool
) -> CreditSchedule | CreditPool | CreditPoolMember:
    position, instant, fact = recorded
    if isinstance(fact, ScheduleFact):
        schedule = past.schedule(fact.schedule_id, at, recorded)
        return schedule_resource(schedule, livemode=livemode)
    if isinstance(fact, CreditPoolMemberAdded | CreditPoolMemberRemoved):
        member = member_at(past, fact, (position, instant), at)
        return member_resource(member, livemode=livemode)
    assert isinstance(fact, PoolFact), "of the facts that are left"
    return pool_resource(pool_at(past, fact.pool_id, at), livemode=livemode)


def _subscription(
    past: Past, recorded: RecordedFact, at: int, *, livemode: bool
) -> Subscription:
    position, instant, fact = recorded
    assert isinstance(fact, SubscriptionFact), "of the facts that are left"
    found = past.subscription(fact.subscription_id, at)
    if isinstance(fact, SubscriptionTrialEnded) and found.trial_end is not None:
        # Time did it, whenever it was noticed.
        instant = found.trial_end - (1 if at < position else 0)
    ids = {each.price.price_id for each in found.items_at(instant)}
    prices = {each: past.price(each, at) for each in ids}
    shown = subscription_resource(found, prices, instant, livemode=livemode)
    return with_clock(past.clocked, shown, found.customer)
