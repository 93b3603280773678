"""Deciding: whether usage may happen, and why not.

`check` answers by it, and `spend` obeys it. What can speak against usage is a rule of
`RULES`; every rule is asked, and the first that speaks is the reason. A hold in usage obeys
spend limits as other holds do, by what it keeps: see `metering.limits.obeying`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from metering.errors import InvalidRequestError
from metering.limits.obeying import reached
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


SpendingRule = Callable[[Weighed], UsageRefusal | None]


def _is_covered(usage: Weighed) -> UsageRefusal | None:
    if usage.uncovered <= 0:
        return None
    return UsageRefusal(
        "insufficient_credits",
        f"Customer {usage.customer} has {usage.remaining} {usage.currency} of credits"
        f" left for this usage, which comes to {usage.amount}; use less, or grant more",
    )


def _is_within_limits(usage: Weighed) -> UsageRefusal | None:
    for each in usage.limits:
        if each.is_passed:
            message = reached(each.standing, each.amount)
            return UsageRefusal("spend_limit_reached", message)
    return None


RULES: tuple[SpendingRule, ...] = (_is_covered, _is_within_limits)
"""What can speak against usage, in the order in which it is said."""


def refusals(usage: Weighed) -> list[UsageRefusal]:
    """Return what speaks against usage."""
    return [refusal for rule in RULES if (refusal := rule(usage)) is not None]
