"""Which subscriptions a list has, each as it is by its customer's time."""

from collections.abc import Mapping, Sequence

from ledger.commits import read_head
from metering.arguments.pages import page_of
from metering.arguments.times import created_within
from metering.store.customer_time import clock_known
from metering.store.engine import Engine
from metering.subscriptions.requests import SubscriptionList
from metering.subscriptions.resources import Subscription
from metering.subscriptions.writing import shown_subscriptions, subscription_of
from projections.kernels.subscriptions.schedule import SubscriptionStatus
from projections.subscriptions.queries import SubscriptionFilter, SubscriptionQueries

_LISTED: Mapping[str | None, tuple[SubscriptionStatus, ...] | None] = {
    None: tuple(set(SubscriptionStatus) - {SubscriptionStatus.CANCELED}),
    "all": None,
    "ended": (SubscriptionStatus.CANCELED,),
    **{each.value: (each,) for each in SubscriptionStatus},
}
"""Statuses by what is asked for; no subscription ever has another."""


def subscriptions_asked_for(
    engine: Engine, asked: SubscriptionList
) -> Sequence[Subscription]:
    """Return a page of subscriptions, and one beyond it, newest first."""
    with engine.log.read() as connection:
        head, seen = read_head(connection), SubscriptionQueries(connection)
        if asked.test_clock is not None:
            now = clock_known(seen, asked.test_clock).frozen_time
        else:
            now = engine.present(seen, *filter(None, [asked.customer]), head=head)
        wanted = SubscriptionFilter(
            customer=asked.customer,
            price_id=asked.price,
            collection_method=asked.collection_method,
            statuses=_LISTED.get(asked.status, ()),
            instant=now,
            created=created_within(asked.created),
            test_clock=asked.test_clock,
        )
        page = page_of(asked, lambda each, at: subscription_of(seen, each, at).position)
        found = seen.subscriptions(wanted, page)
        return shown_subscriptions(engine, seen, found, now, head)
