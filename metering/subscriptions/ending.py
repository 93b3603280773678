"""When a subscription is to end, and why."""

from dataclasses import replace

from msgspec import UnsetType

from ledger.facts.subscriptions import Cancellation
from metering.arguments.refusals import exclusive
from metering.arguments.times import Time
from metering.subscriptions.beginning import future
from metering.subscriptions.requests import (
    CancelAtName,
    CancellationDetailsParams,
)
from projections.kernels.subscriptions.definitions import SubscriptionDefinition
from projections.kernels.subscriptions.schedule import current_period


def planned_end(
    wanted: SubscriptionDefinition,
    cancel_at: Time | CancelAtName | UnsetType | None,
    is_at_period_end: bool | UnsetType,  # noqa: FBT001  # Stripe's parameter
    now: int,
) -> tuple[int | None, bool]:
    """Return when a subscription is to end, and whether that is with its period.

    Args:
        wanted: as it is to be otherwise; its own end is what was said before.
        cancel_at: an instant, or a word for one; None is never.
        is_at_period_end: whether its end is that of its first current period.
        now: the present instant.

    Raises:
        InvalidRequestError: both are given, or the instant is malformed, has come, or is
            too far away.
    """
    if isinstance(cancel_at, UnsetType):
        return _end_with_period(wanted, is_at_period_end, now)
    if cancel_at is None:
        return _end_with_period(wanted, is_at_period_end is True, now)
    if is_at_period_end is True:
        raise exclusive("cancel_at", "cancel_at", "cancel_at_period_end")
    if cancel_at == "min_period_end":
        return min(_period_ends(wanted, now), default=now), False
    if cancel_at == "max_period_end":
        return max(_period_ends(wanted, now), default=now), False
    return future(cancel_at, "cancel_at", now), False


def cancellation_of(
    given: CancellationDetailsParams | None, known: Cancellation | None = None
) -> Cancellation:
    """Return why a subscription ends: what is given, and else what was said before."""
    given = given or {}
    comment = None if known is None else known.comment
    feedback = None if known is None else known.feedback
    return Cancellation(
        comment=given.get("comment", comment) or None,
        feedback=given.get("feedback", feedback) or None,
    )


def _end_with_period(
    wanted: SubscriptionDefinition,
    is_at_period_end: bool | UnsetType,  # noqa: FBT001  # Stripe's parameter
    now: int,
) -> tuple[int | None, bool]:
    """Return the planned end where only the end of periods may have one."""
    if isinstance(is_at_period_end, UnsetType):
        if not wanted.cancel_at_period_end:
            return wanted.cancel_at, False
        # Its periods may end at another time than they did when that was said.
        return min(_period_ends(wanted, now), default=wanted.cancel_at), True
    if is_at_period_end:
        return min(_period_ends(wanted, now), default=now), True
    return None, False


def _period_ends(subscription: SubscriptionDefinition, now: int) -> list[int]:
    """Return when the periods end that run, without the end that is planned."""
    endless = replace(subscription, cancel_at=None)
    ends = [current_period(endless, each, now).end for each in endless.items_at(now)]
    return [each for each in ends if each > now]
