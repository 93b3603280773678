"""The limits of the reference, which hold where a connection is strict.

Source: https://docs.stripe.com/billing/testing/test-clocks/api-advanced-usage
"""

from ledger.facts.prices import BillingInterval
from metering.arguments.clock import at_microseconds
from metering.errors import InvalidRequestError
from projections.kernels.periods import Repetition
from projections.kernels.test_clocks import ClockDefinition
from projections.subscriptions.queries import SubscriptionQueries
from projections.test_clocks.clocked import Seeing

INTERVALS_MAX = 2
"""How many of the shortest intervals of its subscriptions a clock is advanced at once."""
YEARS_MAX = 2
"""How many years, where there is no subscription."""


def check_reach(
    seen: Seeing, clock: ClockDefinition, customers: list[str], target: int
) -> None:
    """Check that a clock is not advanced too far at once.

    Raises:
        InvalidRequestError: it is.
    """
    shown = clock.frozen_time
    found = SubscriptionQueries(seen.connection)
    terms = {
        item.price.terms
        for customer in customers
        for each in found.of_customer(customer)
        if not each.is_ended(shown)
        for item in each.items_at(shown)
    }
    furthest = min(
        (Repetition(shown, *each).at(INTERVALS_MAX) for each in terms),
        default=Repetition(shown, BillingInterval.YEAR, 1).at(YEARS_MAX),
    )
    if target > furthest:
        reach = (
            f"{INTERVALS_MAX} of the shortest intervals of its subscriptions"
            if terms
            else f"{YEARS_MAX} years"
        )
        raise InvalidRequestError(
            f"Test clock {clock.test_clock_id} can be advanced by {reach} at once where"
            f" the connection is strict, to {at_microseconds(furthest).isoformat()}",
            code="test_clock_limit_reached",
            param="frozen_time",
        )
