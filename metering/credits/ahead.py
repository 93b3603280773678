"""Grants that lie ahead: what schedules will grant if nothing but time goes on."""

from metering.errors import InvalidRequestError
from projections.credits.queries import CreditQueries
from projections.credits.schedule_queries import ScheduleQueries
from projections.kernels.credits.grants import Grant

GRANTS_MAX = 5_000
"""Daily grants of ten years."""


def grants_ahead(seen: CreditQueries, customer: str, instant: int) -> list[Grant]:
    """Return the grants of a customer that fall due by an instant and are not recorded.

    Their positions are below 0, in no log.

    Raises:
        InvalidRequestError: there are too many.
    """
    is_by_log = customer not in seen.clocked.times
    if is_by_log and (seen.next_due is None or seen.next_due > instant):
        return []
    found = ScheduleQueries(seen.connection).ahead(customer, instant, GRANTS_MAX)
    if len(found) >= GRANTS_MAX:
        raise InvalidRequestError(
            f"By then, schedules grant customer {customer} credits {GRANTS_MAX} times or"
            " more; ask about an earlier instant",
            code="too_far_ahead",
            param="at",
        )
    return found


def ahead_by_position(
    seen: CreditQueries, customer: str, instant: int
) -> dict[int, Grant]:
    """Return `grants_ahead` by their positions."""
    return {each.position: each for each in grants_ahead(seen, customer, instant)}
