"""Spend limits: what the facts about one add up to."""

from dataclasses import dataclass, replace

from msgspec.structs import asdict

from ledger.facts.alerts import Recurrence, Spend, SubscribedPeriods
from ledger.facts.credits.limits import SpendLimitCreated, SpendLimitUpdated


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitDefinition:
    """A spend limit at some position of the log.

    Attributes:
        position: of the fact that created it.
        spend, timezone, subscribed, warn_at, alerts: see
            `ledger.facts.credits.limits.SpendLimitCreated`.
        created: microseconds since 1970 UTC.
        canceled_at: since when it limits nothing; None while it does.
    """

    position: int
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
    created: int
    canceled_at: int | None = None

    @property
    def currency(self) -> str:
        """The currency of its amounts."""
        return self.spend.currency

    def has_window_at(self, instant: int) -> bool:
        """Whether an instant lies in a window; before a subscription there is none."""
        return self.subscribed is None or instant >= self.subscribed.since

    def counts(self, price: str | None) -> bool:
        """Whether a hold for a price counts; None is for every price."""
        prices = self.spend.prices
        return (
            price is None or not prices or price in {each.price_id for each in prices}
        )


def limit_created(
    fact: SpendLimitCreated, position: int, recorded_at: int
) -> LimitDefinition:
    """Return a limit as it was created."""
    return LimitDefinition(**asdict(fact), position=position, created=recorded_at)


def limit_updated(limit: LimitDefinition, fact: SpendLimitUpdated) -> LimitDefinition:
    """Return a limit as it is after an update."""
    return replace(limit, **asdict(fact))


def limit_canceled(limit: LimitDefinition, recorded_at: int) -> LimitDefinition:
    """Return a limit as it is after its cancellation."""
    return replace(limit, canceled_at=recorded_at)


def warned_at(amount: int, percentage: int) -> int:
    """Return the least amount that is a percentage of a limit, or more."""
    return -(-amount * percentage // 100)
