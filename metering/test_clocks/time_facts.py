"""What time brings about, as facts: who looks first records them."""

from collections.abc import Sequence

from ledger.facts.credits.grants import CreditGrantLapsed
from ledger.facts.subscriptions import SubscriptionEnded, SubscriptionTrialEnded
from ledger.facts.union import Fact
from projections.kernels.credits.grants import Grant
from projections.kernels.subscriptions.definitions import SubscriptionDefinition


def lapsed(found: Sequence[Grant]) -> list[CreditGrantLapsed]:
    """Return the expiries of those grants that had credit left when they expired.

    Invoices may have given it back since.
    """
    return [
        CreditGrantLapsed(grant_id=grant.grant_id)
        for grant in found
        if grant.left_at_its_end
    ]


def ended(subscription: SubscriptionDefinition) -> Fact:
    """Return the end that a subscription came to first: that of its trial, or its own."""
    subscription_id = subscription.subscription_id
    trial_end, end = subscription.trial_end_due, subscription.end_due
    if trial_end is not None and (end is None or trial_end < end):
        return SubscriptionTrialEnded(subscription_id=subscription_id)
    return SubscriptionEnded(subscription_id=subscription_id)
