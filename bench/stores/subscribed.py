"""Subscriptions in a store of usage: all customers pay the same prices.

They are recorded many a commit, as the facts that the public door would record: through
it each would be a commit, which takes minutes and is not what is measured.
"""

from collections.abc import Sequence
from datetime import datetime

from bench.stores.sealed_stores import SealedStore
from ledger.facts.prices import BillingInterval
from ledger.facts.subscriptions import (
    BillingMode,
    CollectionMethod,
    ItemTerms,
    Phase,
    PhaseKind,
    SubscriptionCreated,
)
from metering.arguments.clock import microseconds

_FACTS_IN_A_COMMIT = 10_000


def subscribe(
    store: SealedStore, prices: Sequence[str], customers: int, since: datetime
) -> None:
    """Let customers pay prices by the month, from an instant on."""
    start = microseconds(since)
    with store.connect() as engine:
        for first in range(0, customers, _FACTS_IN_A_COMMIT):
            ranks = range(first, min(first + _FACTS_IN_A_COMMIT, customers))
            facts = [
                _subscription(rank, store.traffic.customer_of(rank), prices, start)
                for rank in ranks
            ]
            # There is no public door for many at once.
            with engine._engine.writing() as writing:  # noqa: SLF001
                writing.record(facts)


def subscription_id(rank: int) -> str:
    """Name the subscription of a customer."""
    return f"sub_{rank:06d}"


def _subscription(
    rank: int, customer: str, prices: Sequence[str], start: int
) -> SubscriptionCreated:
    return SubscriptionCreated(
        subscription_id=subscription_id(rank),
        customer=customer,
        currency="usd",
        billing_mode=BillingMode.FLEXIBLE,
        phases=(Phase(start, PhaseKind.ACTIVE, start),),
        trial_end=None,
        cancel_at=None,
        cancel_at_period_end=False,
        collection_method=CollectionMethod.SEND_INVOICE,
        days_until_due=30,
        description=None,
        metadata={},
        items=tuple(
            ItemTerms(
                item_id=f"si_{rank:06d}_{number}",
                price_id=price,
                quantity=None,
                interval=BillingInterval.MONTH,
                interval_count=1,
                metadata={},
            )
            for number, price in enumerate(prices)
        ),
    )
