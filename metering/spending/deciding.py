"""Deciding: whether usage may happen, and why not.

`check` answers by it, and `spend` obeys it. A hold in usage obeys spend limits as other
holds do, by what it keeps: see `metering.limits.obeying`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from metering.errors import InvalidRequestError
from metering.limits.obeying import WeighedLimit, reached
from metering.spending.resources import RefusalReason
from metering.spending.weighing import Weighed


@dataclass(frozen=True, slots=True)
class UsageRefusal:
    """Why usage may not happen."""

    reason: RefusalReason
    message: str

    def error(self, param: str) -> InvalidRequestError:
        """Return the refusal of a parameter that holds the usage."""
        return InvalidRequestError(self.message, code=self.reason, param=param)


def refusal_of(usage: Weighed, limits: Sequence[WeighedLimit]) -> UsageRefusal | None:
    """Return what speaks against usage, the first of it; None where nothing does.

    Args:
        usage: weighed against the credits of its customer.
        limits: on what its customer spends, for which it counts.
    """
    if usage.uncovered > 0:
        return UsageRefusal(
            "insufficient_credits",
            f"Customer {usage.customer} has {usage.remaining} {usage.currency} of"
            f" credits left for this usage, which comes to {usage.amount}; use less, or"
            " grant more",
        )
    for each in limits:
        if each.is_passed:
            message = reached(each.standing, each.amount)
            return UsageRefusal("spend_limit_reached", message)
    return None
