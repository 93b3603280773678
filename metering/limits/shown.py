"""Spend limits and their warnings as resources."""

from ledger.facts.alerts import SpendLimitWarned
from metering.arguments.clock import at_microseconds, at_or_none
from metering.credits.resources import monetary
from metering.limits.requests import RECURRENCES
from metering.limits.resources import SpendLimit, SpendLimitWarning
from metering.limits.standing import LimitStanding
from projections.kernels.alerts.book import AlertDefinition, SpendAlert

_WINDOWS = {recurrence: name for name, recurrence in RECURRENCES.items()}


def limit_resource(standing: LimitStanding, *, livemode: bool) -> SpendLimit:
    """Return a limit, with what of it is spent, as a resource."""
    limit = standing.limit
    currency = limit.currency
    return SpendLimit(
        id=limit.limit_id,
        amount=monetary(currency, limit.amount),
        amount_held=monetary(currency, standing.held),
        amount_left=monetary(currency, standing.left),
        amount_spent=monetary(currency, standing.spent),
        created=at_microseconds(limit.created),
        customer=limit.customer,
        livemode=livemode,
        metadata=limit.metadata,
        prices=tuple(each.price_id for each in limit.spend.prices),
        status="active" if limit.canceled_at is None else "canceled",
        subscription=(
            None if limit.subscribed is None else limit.subscribed.subscription_id
        ),
        timezone=limit.timezone,
        warn_at=limit.warn_at,
        window=_WINDOWS[limit.recurrence],
        window_end=at_or_none(standing.window_end),
        window_start=at_or_none(standing.window_start),
    )


def warning_resource(
    fact: SpendLimitWarned, recorded_at: int, alert: AlertDefinition, *, livemode: bool
) -> SpendLimitWarning:
    """Return a warning as a resource, given the alert that it triggered."""
    assert isinstance(alert, SpendAlert), "warnings are of spend"
    assert alert.of_limit is not None, "the alert warns of a limit"
    currency = alert.spend.currency
    return SpendLimitWarning(
        amount=monetary(currency, alert.of_limit.amount),
        amount_spent=monetary(currency, int(fact.value)),
        created=at_microseconds(recorded_at),
        customer=fact.customer,
        event_position=fact.event_position,
        livemode=livemode,
        percentage=fact.percentage,
        spend_limit=fact.limit_id,
        timestamp=at_microseconds(fact.timestamp),
        window=_WINDOWS[alert.recurrence],
        window_start=at_or_none(fact.window_start),
    )
