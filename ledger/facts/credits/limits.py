"""Facts about spend limits: how much customers may spend in a window of time.

Amounts are whole minor units of the currency of `spend`. The warnings of a limit are
alerts on spend that the same commit creates: see `ledger.facts.alerts.LimitShare`.
"""

import msgspec

from ledger.facts.alerts import Recurrence, Spend, SubscribedPeriods


class SpendLimitCreated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="spend_limit.created",
):
    """A customer may spend so much in each window, and no more.

    Attributes:
        spend: what usage is rated by; without prices, holds alone count.
        timezone: IANA name of the zone whose days or months count; None where those of
            no zone do.
        subscribed: which billing periods count, where those do.
        warn_at: percentages, ascending.
        alerts: ids of the alerts that warn, in the order of `warn_at`; none where there
            are no prices.
    """

    limit_id: str
    customer: str
    amount: int
    spend: Spend
    recurrence: Recurrence
    timezone: str | None
    subscribed: SubscribedPeriods | None
    warn_at: tuple[int, ...]
    alerts: tuple[str, ...]
    metadata: dict[str, str]


class SpendLimitUpdated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="spend_limit.updated",
):
    """A limit is of another amount, or warns at others; all that it is now is said."""

    limit_id: str
    amount: int
    warn_at: tuple[int, ...]
    alerts: tuple[str, ...]
    metadata: dict[str, str]


class SpendLimitCanceled(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="spend_limit.canceled",
):
    """A limit limits nothing any more, for ever."""

    limit_id: str


LimitFact = SpendLimitCreated | SpendLimitUpdated | SpendLimitCanceled
